import type { KeyArn } from '../key-arn.ts'
import { ownMembers } from '../own-members.ts'
import { KeyPolicyError } from './key-policy-error.ts'

/** Where key material comes from, as DescribeKey says it. */
export type KeyOrigin = 'AWS_KMS' | 'EXTERNAL' | 'AWS_CLOUDHSM' | 'EXTERNAL_KEY_STORE'

type Texts = Readonly<
  Partial<Record<'Arn' | 'KeyManager' | 'KeyUsage' | 'Origin', string | undefined>>
>

/** The parts of DescribeKey's `KeyMetadata` that are looked at: `Arn`, `KeyManager`, `KeyUsage`, `Origin`, `MultiRegion`. */
export interface KeyDescription extends Texts {
  readonly MultiRegion?: boolean | undefined
}

/** What a key must be. */
export interface ExpectedKey {
  readonly key: KeyArn
  readonly origin: KeyOrigin
  readonly allowMultiRegion: boolean
}

const ATTESTED_USAGES = ['ENCRYPT_DECRYPT', 'KEY_AGREEMENT']

/**
 * Compares DescribeKey's answer with what was expected.
 *
 * @throws {KeyPolicyError} `ERR_KMS_POLICY_…`: ANSWER, KEY, KEY_KIND, ORIGIN, MULTI_REGION.
 */
export function checkKeyDescription(given: KeyDescription, expected: ExpectedKey): void {
  if (typeof given !== 'object' || given === null) {
    throw answer('key must be the KeyMetadata of DescribeKey')
  }
  const description = ownMembers(given)
  const { Arn, KeyUsage, Origin, MultiRegion } = description
  for (const name of ['Arn', 'KeyManager', 'KeyUsage', 'Origin'] as const) {
    if (typeof description[name] !== 'string') throw answer(`KeyMetadata.${name} must be a text`)
  }
  if (typeof MultiRegion !== 'boolean') throw answer('KeyMetadata.MultiRegion must be a boolean')
  const { key, origin, allowMultiRegion } = expected
  if (Arn !== key.arn) {
    throw new KeyPolicyError('ERR_KMS_POLICY_KEY', `the key is ${Arn}, expected ${key.arn}`)
  }
  const owner = description.KeyManager
  if (owner !== 'CUSTOMER' || !ATTESTED_USAGES.includes(KeyUsage as string)) {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_KEY_KIND',
      `a key of the CUSTOMER for ${ATTESTED_USAGES.join(' or ')} expected; ${owner}, ${KeyUsage} seen`,
    )
  }
  if (Origin !== origin) {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_ORIGIN',
      `the key material comes from ${Origin}, expected ${origin}`,
    )
  }
  if (MultiRegion && !allowMultiRegion) {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_MULTI_REGION',
      'a multi-Region key: each replica has a policy of its own, which is not verified here',
    )
  }
}

function answer(message: string): KeyPolicyError {
  return new KeyPolicyError('ERR_KMS_POLICY_ANSWER', message)
}
