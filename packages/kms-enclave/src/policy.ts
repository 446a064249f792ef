export { createKeyPolicy } from './policy/create.ts'
export type {
  CreatedKeyPolicy,
  CreateKeyPolicyOptions,
  KeyPolicy,
  KeyPolicyStatement,
  PcrCondition,
} from './policy/create.ts'
export type { ReferenceValues } from './policy/reference-values.ts'
export { verifyKeyPolicy } from './policy/verify.ts'
export type {
  AttestedAccess,
  ExpectedKeyPolicy,
  VerifiedKeyPolicy,
  VerifyKeyPolicyOptions,
} from './policy/verify.ts'
export type { KeyDescription, KeyOrigin } from './policy/key-description.ts'
export type { Grant, GrantList } from './policy/grant.ts'
export { explain } from './policy/explain.ts'
export type { ExplainOptions, Explanation, Mismatch } from './policy/explain.ts'
export { KeyPolicyError } from './policy/key-policy-error.ts'
export { KmsError, type KmsErrorCode, type KmsErrorDetails } from './error.ts'
