import type { Principal } from './account.ts'

/** Operations that a grant can name. */
export const GRANT_OPERATIONS: readonly string[] = [
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
  'Sign',
  'Verify',
  'GetPublicKey',
  'CreateGrant',
  'RetireGrant',
  'DescribeKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateMac',
  'VerifyMac',
  'DeriveSharedSecret',
]

/** One grant of a key. */
export interface Grant {
  readonly grantId: string
  readonly grantToken: string
  readonly name: string | undefined
  readonly granteePrincipal: string
  readonly retiringPrincipal: string | undefined
  readonly issuingAccount: string
  readonly operations: readonly string[]
  readonly constraints: GrantConstraints | undefined
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

export interface GrantConstraints {
  readonly EncryptionContextEquals?: Readonly<Record<string, string>> | undefined
  readonly EncryptionContextSubset?: Readonly<Record<string, string>> | undefined
}

/** Whether one of the grants lets the caller do this; attestation plays no part in it. */
export function grantAllows(
  grants: readonly Grant[],
  principal: Principal,
  operation: string,
  encryptionContext: Readonly<Record<string, string>> = {},
): boolean {
  const root = `arn:${principal.partition}:iam::${principal.accountId}:root`
  return grants.some(({ granteePrincipal, operations, constraints }) => {
    const named = [principal.principalArn, principal.sessionArn, root].includes(granteePrincipal)
    return named && operations.includes(operation) && constrained(constraints, encryptionContext)
  })
}

function constrained(
  constraints: GrantConstraints | undefined,
  encryptionContext: Readonly<Record<string, string>>,
): boolean {
  const holds = (wanted: Readonly<Record<string, string>>): boolean =>
    Object.entries(wanted).every(
      ([name, value]) =>
        Object.hasOwn(encryptionContext, name) && encryptionContext[name] === value,
    )
  const { EncryptionContextEquals: equals, EncryptionContextSubset: subset } = constraints ?? {}
  if (equals !== undefined) {
    const count = Object.keys(encryptionContext).length
    if (count !== Object.keys(equals).length || !holds(equals)) return false
  }
  return subset === undefined || holds(subset)
}
