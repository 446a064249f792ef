export {
  createSimulatedAccount,
  type AccessKey,
  type Principal,
  type SimulatedAccount,
  type SimulatedAccountOptions,
  type SimulatedCredentials,
} from './kms/account.ts'
export type { KmsFault, KmsFaultKind, KmsFaultScope } from './kms/fault.ts'
export type { KeyState } from './kms/key.ts'
export type { ListenAddress, ServerAddress, SimulatedConnect } from './kms/local-listener.ts'
export type { SimulatedKeyOptions, SimulatedKmsOptions } from './kms/options.ts'
export type { Condition, OneOrMany } from './kms/policy-condition.ts'
export type { PolicyDocument, PolicyStatement } from './kms/policy-document.ts'
export type { KmsCounters, RecordedRequest } from './kms/request-log.ts'
export { createSimulatedKms, type SimulatedKms } from './kms/server.ts'
