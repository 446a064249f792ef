import { KmsError, type KmsErrorCode } from '../error.ts'

/** A key policy, a grant or a key was refused: codes `ERR_KMS_POLICY_…`. Nothing of it may be relied on. */
export class KeyPolicyError extends KmsError {
  /** The statement's Sid, `Statement[n]` without one, `Grants[n]` for a grant; undefined where none is at fault. */
  readonly statement: string | undefined

  constructor(code: KmsErrorCode, message: string, statement?: string, cause?: unknown) {
    super(code, statement === undefined ? message : `${statement}: ${message}`, { cause })
    this.name = 'KeyPolicyError'
    this.statement = statement
  }
}
