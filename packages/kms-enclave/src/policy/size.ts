import { KeyPolicyError } from './key-policy-error.ts'

/** The most characters of a key policy; all are of one byte. */
const MAX_POLICY_SIZE = 32_768

/** @throws {KeyPolicyError} `ERR_KMS_POLICY_SIZE`. */
export function refuseSize({ length }: string): void {
  if (length <= MAX_POLICY_SIZE) return
  throw new KeyPolicyError(
    'ERR_KMS_POLICY_SIZE',
    `a key policy has at most ${MAX_POLICY_SIZE} bytes, this one ${length}`,
  )
}
