import { kindOf } from './action.ts'
import type { KeyArn } from '../key-arn.ts'
import { ownMembers } from '../own-members.ts'
import { KeyPolicyError } from './key-policy-error.ts'

/** The parts of a grant that are looked at. */
export interface Grant {
  readonly KeyId?: string | undefined
  readonly GranteePrincipal?: string | undefined
  readonly Operations?: readonly string[] | undefined
}

/** An answer of ListGrants. */
export interface GrantList {
  readonly Grants?: readonly Grant[] | undefined
  /** Must be there: an answer that does not say whether it is the last is refused. */
  readonly Truncated?: boolean | undefined
  /** Stands in an answer that is not the last, and in no other. */
  readonly NextMarker?: string | undefined
}

/**
 * Checks all grants of a key. A grant is taken when it gives a known principal nothing but what yields nothing secret.
 *
 * @returns how many there are.
 * @throws {KeyPolicyError} `ERR_KMS_POLICY_…`: ANSWER, GRANTS_TRUNCATED, KEY, GRANT.
 */
export function checkGrants(
  lists: readonly GrantList[],
  key: KeyArn,
  known: ReadonlySet<string>,
): number {
  if (lists.length === 0) throw answer('grants must be what ListGrants answered')
  let count = 0
  for (const [page, list] of lists.entries()) {
    const { Grants, Truncated, NextMarker } = ownMembers(list)
    if (!Array.isArray(Grants)) throw answer('ListGrants: Grants must be a list')
    if (typeof Truncated !== 'boolean') {
      throw answer(
        'ListGrants: Truncated must be true or false, as in the API (the AWS CLI reads all pages and leaves it out: --no-paginate)',
      )
    }
    if (!Truncated && NextMarker !== undefined && NextMarker !== null) {
      throw answer('ListGrants: a NextMarker, although Truncated is false')
    }
    if (Truncated !== page < lists.length - 1) {
      throw new KeyPolicyError(
        'ERR_KMS_POLICY_GRANTS_TRUNCATED',
        'ListGrants must be repeated with NextMarker until Truncated is false, and every answer given, in order',
      )
    }
    for (const grant of Grants as readonly Grant[]) checkGrant(grant, count++, key, known)
  }
  return count
}

function checkGrant(grant: Grant, index: number, key: KeyArn, known: ReadonlySet<string>): void {
  const name = `Grants[${index}]`
  if (typeof grant !== 'object' || grant === null) throw answer('must be an object', name)
  const { KeyId, GranteePrincipal, Operations } = ownMembers(grant)
  if (KeyId !== key.arn && KeyId !== key.resourceId) {
    throw new KeyPolicyError('ERR_KMS_POLICY_KEY', `is for ${KeyId}, expected ${key.arn}`, name)
  }
  if (typeof GranteePrincipal !== 'string' || !known.has(GranteePrincipal)) {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_GRANT',
      `is for ${JSON.stringify(GranteePrincipal)}, who was not named`,
      name,
    )
  }
  if (!Array.isArray(Operations)) throw answer('Operations must be a list', name)
  for (const operation of Operations as readonly string[]) {
    if (operation === 'RetireGrant' || kindOf(operation) === 'open') continue
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_GRANT',
      `allows ${operation} to ${GranteePrincipal}; a grant cannot ask for an attestation document`,
      name,
    )
  }
}

function answer(message: string, name?: string): KeyPolicyError {
  return new KeyPolicyError('ERR_KMS_POLICY_ANSWER', message, name)
}
