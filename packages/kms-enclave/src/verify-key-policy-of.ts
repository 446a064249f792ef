import type { KmsClient } from './client.ts'
import type { CallOptions } from './input.ts'
import { verifyKeyPolicy, type ExpectedKeyPolicy, type VerifiedKeyPolicy } from './policy/verify.ts'

/** What the policy of the client's own key must amount to. */
export type ExpectedOwnKeyPolicy = Omit<ExpectedKeyPolicy, 'keyArn'>

/**
 * Asks KMS for the policy, the grants and the description of the client's key, over the client's own TLS, and verifies them with
 * `verifyKeyPolicy` of `@enclavejs/kms-enclave/policy`. For the start of an application, before it entrusts anything to the key.
 *
 * What it says was true when the first question was asked; with `locked` it stays true.
 *
 * @throws {KmsError} what the three calls throw, and `ERR_KMS_POLICY_…` of `verifyKeyPolicy`
 * @example
 * ```ts
 * import { verifyKeyPolicyOf, type KmsClient } from '@enclavejs/kms-enclave'
 *
 * declare const kms: KmsClient
 * const { at, access } = await verifyKeyPolicyOf(kms, {
 *   images: { pcrs: { PCR0: 'a0'.repeat(48), PCR1: 'a1'.repeat(48), PCR2: 'a2'.repeat(48) } },
 *   enclaveRoles: ['arn:aws:iam::111122223333:role/enclave'],
 *   administrators: ['arn:aws:iam::111122223333:root'],
 *   locked: true,
 * })
 * console.log(at, access)
 * ```
 */
export async function verifyKeyPolicyOf(
  client: KmsClient,
  expected: ExpectedOwnKeyPolicy,
  options: CallOptions = {},
): Promise<VerifiedKeyPolicy> {
  const currentDate = new Date()
  const { KeyMetadata: key } = await client.describeKey(options)
  const { Policy: policy } = await client.getKeyPolicy(options)
  const grants = await client.listGrants(options)
  const { keyArn } = client
  return verifyKeyPolicy({ policy, grants, key, expected: { ...expected, keyArn }, currentDate })
}
