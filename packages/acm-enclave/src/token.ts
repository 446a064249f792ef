export { AcmError, type AcmErrorCode } from './error.ts'
export type { EnclaveAddress } from './token/enclave-pool.ts'
export { certificateId, followCertificate, type FollowOptions } from './token/follow.ts'
export {
  createTokenRelay,
  type AcmTokenRelay,
  type RetiredKey,
  type TokenRelayOptions,
} from './token/relay.ts'
export type { ShownKey } from './token/shown-key.ts'
export { createToken, type AcmToken, type TokenOptions } from './token/token.ts'
export type { ConnectionSource } from './token/token-door.ts'
export type { TokenKey } from './token/token-key.ts'
export type { TokenDescription } from './token/token-options.ts'
export {
  apacheStanza,
  moduleFile,
  nginxStanza,
  providerKeyFile,
  tokenUri,
  type TokenUriParts,
} from './token/uri.ts'
