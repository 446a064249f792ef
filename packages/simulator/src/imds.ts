export type { ImdsFault, ImdsFaultKind } from './imds/fault.ts'
export {
  createSimulatedImds,
  type RecordedImdsRequest,
  type SimulatedImds,
  type SimulatedImdsOptions,
} from './imds/server.ts'
