export { NsmDevice, type NsmRequestEvent } from './device.ts'
export { seedEntropy, type SeedEntropyOptions, type SeededEntropy } from './entropy.ts'
export { NsmError, type NsmErrorCode, type NsmErrorDetails } from './error.ts'
export { measure, measuredPcr, type Measurement, type MeasureOptions } from './measure.ts'
export { openNsm, type OpenNsmOptions } from './open.ts'
export {
  assertPlatform,
  checkPlatform,
  NsmPlatformError,
  type PlatformCheck,
  type PlatformOptions,
  type PlatformReport,
} from './platform.ts'
export type { AttestationRequest } from './request.ts'
export type { NsmDescription, PcrDescription } from './response.ts'
export type { NsmTransport } from './transport.ts'
