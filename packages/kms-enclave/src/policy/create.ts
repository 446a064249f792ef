import { readAccount, readPrincipals, type PrincipalArn } from './arn.ts'
import { readChoice, readFlag, refuseUnknownKeys } from './option.ts'
import {
  readReferenceValues,
  ZERO_PCR,
  type ReferenceSet,
  type ReferenceValues,
} from './reference-values.ts'
import { refuseSize } from './size.ts'

/** Options of {@link createKeyPolicy}. */
export interface CreateKeyPolicyOptions {
  /** Account that owns the key: 12 digits. Administrators and the partition must fit it. */
  readonly account: string
  /**
   * One set for each image that may use the key. All name the same PCRs: 0, 1 and 2 together, or 8, or both, and where
   * wanted 3 (the parent's role), 4 (the parent instance) and 16 to 31 (what the application extended and locked).
   */
  readonly images: ReferenceValues | readonly ReferenceValues[]
  /** ARNs of the roles whose credentials the enclaves use. Not an account's root: IAM would choose who. */
  readonly enclaveRoles: readonly string[]
  /**
   * ARNs of who looks after the key: disable, rotate, tag, schedule its deletion; and replace the policy, unless it is
   * `locked`. None of these yields plaintext. The account's root is a good one: a role that is deleted leaves a key
   * that nobody can delete.
   */
  readonly administrators: readonly string[]
  /** ARNs of those outside of enclaves who encrypt for them. Default none. */
  readonly encrypters?: readonly string[]
  /**
   * True: nobody replaces the policy ever again, the account's root included. A new image then needs a new key, and
   * what the old one protects must be encrypted anew by an old enclave. False: whoever
   * administers can replace the policy, and so decrypt.
   */
  readonly locked: boolean
  /** Default `ENCRYPT_DECRYPT`. `KEY_AGREEMENT` keys have DeriveSharedSecret in the place of Decrypt and data keys. */
  readonly keyUsage?: 'ENCRYPT_DECRYPT' | 'KEY_AGREEMENT'
  /** Accepts PCRs of zero: any image in debug mode, with its console open to the parent. Default false. */
  readonly allowDebugMode?: boolean
}

/** Conditions on PCRs: each condition key to one value or several. */
export type PcrCondition = Readonly<
  Record<`kms:RecipientAttestation:PCR${number}`, string | readonly string[]>
>

/** A statement of {@link KeyPolicy}. */
export interface KeyPolicyStatement {
  readonly Sid: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal: '*' | { readonly AWS: readonly string[] }
  readonly Action: readonly string[]
  readonly Resource: '*'
  readonly Condition?: Readonly<
    Partial<Record<'StringEqualsIgnoreCase' | 'StringNotEqualsIgnoreCase', PcrCondition>>
  >
}

/** A key policy in the form that KMS takes. */
export interface KeyPolicy {
  readonly Version: '2012-10-17'
  readonly Statement: readonly KeyPolicyStatement[]
}

/** What {@link createKeyPolicy} gives. */
export interface CreatedKeyPolicy {
  readonly policy: KeyPolicy
  /** `Policy` of CreateKey and PutKeyPolicy. */
  readonly json: string
  /**
   * `BypassPolicyLockoutSafetyCheck` of CreateKey and PutKeyPolicy. KMS refuses a policy that does not let the caller
   * replace it later, which is what a locked one is for.
   */
  readonly bypassPolicyLockoutSafetyCheck: boolean
}

const OPTIONS = [
  ...['account', 'images', 'enclaveRoles', 'administrators', 'encrypters', 'locked'],
  ...['keyUsage', 'allowDebugMode'],
]

/** What takes a `Recipient`. `GenerateDataKey*` covers the pairs, and the forms without plaintext. */
const HELD = ['kms:Decrypt', 'kms:DeriveSharedSecret', 'kms:GenerateDataKey*']
const WAYS_AROUND = ['kms:CreateGrant', 'kms:ReEncryptFrom', 'kms:ReplicateKey']

const ADMINISTRATION = [
  ...['kms:CancelKeyDeletion', 'kms:CreateAlias', 'kms:DeleteAlias', 'kms:DescribeKey'],
  ...['kms:DisableKey', 'kms:DisableKeyRotation', 'kms:EnableKey', 'kms:EnableKeyRotation'],
  ...['kms:GetKeyPolicy', 'kms:GetKeyRotationStatus', 'kms:GetPublicKey', 'kms:ListGrants'],
  ...['kms:ListKeyPolicies', 'kms:ListKeyRotations', 'kms:ListResourceTags', 'kms:RevokeGrant'],
  ...['kms:RotateKeyOnDemand', 'kms:ScheduleKeyDeletion', 'kms:TagResource'],
  ...['kms:UntagResource', 'kms:UpdateAlias', 'kms:UpdateKeyDescription'],
]

/**
 * Makes the policy of a key that only certain images can use.
 *
 * Each image has its own Allow with all its PCRs, since value lists would also admit PCR0 of one image with PCR1 of
 * another. Each PCR has its own Deny for everyone, since several PCRs in one negated condition would deny only what
 * differs in all of them. A negated condition also holds where the PCR is absent, so calls without an attestation document
 * are denied too. Nobody is exempt. A Deny holds against grants and IAM policies as well; what no document can be asked
 * for (CreateGrant, ReEncryptFrom, ReplicateKey, and PutKeyPolicy when `locked`) is denied without a condition.
 *
 * The enclave's role may further Encrypt, DescribeKey, GetPublicKey, GetKeyPolicy and ListGrants, from outside as well.
 * GenerateRandom has no key and needs an IAM policy. For a role of another account an IAM policy there must allow the
 * same. `GenerateDataKeyWithoutPlaintext` is denied to all: it has no `Recipient`.
 *
 * ```ts
 * import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
 *
 * export const { json, bypassPolicyLockoutSafetyCheck } = createKeyPolicy({
 *   account: '123456789012',
 *   images: { pcrs: { 0: '0f'.repeat(48), 1: '1f'.repeat(48), 2: '2f'.repeat(48) } },
 *   enclaveRoles: ['arn:aws:iam::123456789012:role/enclave'],
 *   administrators: ['arn:aws:iam::123456789012:root'],
 *   locked: true,
 * })
 * ```
 *
 * @throws {KeyPolicyError} `ERR_KMS_POLICY_SIZE` when it is more than 32 KiB: more than some 30 images.
 * @throws {TypeError | RangeError} naming the option.
 * @see AWS KMS developer guide, "Condition keys for Nitro Enclaves"; IAM user guide, "Conditions with multiple context keys or values"
 */
export function createKeyPolicy(given: CreateKeyPolicyOptions): CreatedKeyPolicy {
  const options = refuseUnknownKeys(given, OPTIONS, 'options')
  const account = readAccount(options.account, 'account')
  const { keyUsage = 'ENCRYPT_DECRYPT' } = options
  if (keyUsage !== 'ENCRYPT_DECRYPT' && keyUsage !== 'KEY_AGREEMENT') {
    throw new TypeError('keyUsage must be ENCRYPT_DECRYPT or KEY_AGREEMENT')
  }
  const locked = readChoice(options.locked, 'locked')
  const allowDebugMode = readFlag(options.allowDebugMode, 'allowDebugMode')
  const images = readReferenceValues(options.images, allowDebugMode)
  const enclaveRoles = readPrincipals(options.enclaveRoles, 'enclaveRoles', ['role'])
  const administrators = readPrincipals(options.administrators, 'administrators', [
    'root',
    'role',
    'user',
  ])
  const encrypters = readPrincipals(options.encrypters ?? [], 'encrypters', [
    'root',
    'role',
    'user',
  ])
  if (enclaveRoles.length === 0) throw new TypeError('enclaveRoles is empty')
  if (administrators.length === 0) throw new TypeError('administrators is empty')
  refuseMisplaced([...enclaveRoles, ...administrators, ...encrypters], administrators, account)

  const symmetric = keyUsage === 'ENCRYPT_DECRYPT'
  const open = [...(symmetric ? ['kms:Encrypt'] : []), 'kms:DescribeKey', 'kms:GetPublicKey']
  const use = symmetric
    ? ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyPair']
    : ['kms:DeriveSharedSecret']
  const policy: KeyPolicy = {
    Version: '2012-10-17',
    Statement: [
      ...images.map(({ pcrs }, index) =>
        allow(`AllowImage${index + 1}`, enclaveRoles, use, equalTo(pcrs)),
      ),
      allow('AllowEnclaveRole', enclaveRoles, [...open, 'kms:GetKeyPolicy', 'kms:ListGrants']),
      ...(encrypters.length === 0 ? [] : [allow('AllowEncryption', encrypters, open)]),
      allow('AllowAdministration', administrators, [
        ...ADMINISTRATION,
        ...(locked ? [] : ['kms:PutKeyPolicy']),
      ]),
      ...denyOthers(images, allowDebugMode),
      deny('DenyWaysAround', [...WAYS_AROUND, ...(locked ? ['kms:PutKeyPolicy'] : [])]),
    ],
  }
  const json = JSON.stringify(policy)
  refuseSize(json)
  return { policy, json, bypassPolicyLockoutSafetyCheck: locked }
}

/** KMS refuses principals of another partition, and an administrator of another account cannot call these actions. */
function refuseMisplaced(
  principals: readonly PrincipalArn[],
  administrators: readonly PrincipalArn[],
  account: string,
): void {
  const partition = principals[0]?.partition
  const foreign = principals.find((one) => one.partition !== partition)
  if (foreign !== undefined) {
    throw new TypeError(`${foreign.arn} is not in the partition ${partition} of the others`)
  }
  const stranger = administrators.find((one) => one.account !== account)
  if (stranger !== undefined) {
    throw new TypeError(`administrators: ${stranger.arn} is not in the account ${account}`)
  }
}

function denyOthers(
  images: readonly ReferenceSet[],
  allowDebugMode: boolean,
): readonly KeyPolicyStatement[] {
  const [first] = images
  const statements = [...(first?.pcrs.keys() ?? [])].map((pcr) => {
    const values = [...new Set(images.map(({ pcrs }) => pcrs.get(pcr) as string))]
    return deny(`DenyOtherPcr${pcr}`, HELD, {
      StringNotEqualsIgnoreCase: { [keyOf(pcr)]: values },
    })
  })
  if (allowDebugMode || first?.pcrs.has(0) === true) return statements
  const debug = deny('DenyDebugMode', HELD, { StringEqualsIgnoreCase: { [keyOf(0)]: ZERO_PCR } })
  return [...statements, debug]
}

type Conditions = NonNullable<KeyPolicyStatement['Condition']>

function equalTo(pcrs: ReadonlyMap<number, string>): Conditions {
  const entries = [...pcrs].map(([pcr, value]) => [keyOf(pcr), value] as const)
  return { StringEqualsIgnoreCase: Object.fromEntries(entries) }
}

function keyOf(pcr: number): `kms:RecipientAttestation:PCR${number}` {
  return `kms:RecipientAttestation:PCR${pcr}`
}

function allow(
  Sid: string,
  principals: readonly PrincipalArn[],
  Action: readonly string[],
  Condition?: Conditions,
): KeyPolicyStatement {
  const Principal = { AWS: principals.map(({ arn }) => arn) }
  const statement = { Sid, Effect: 'Allow', Principal, Action, Resource: '*' } as const
  return Condition === undefined ? statement : { ...statement, Condition }
}

function deny(Sid: string, Action: readonly string[], Condition?: Conditions): KeyPolicyStatement {
  const statement = { Sid, Effect: 'Deny', Principal: '*', Action, Resource: '*' } as const
  return Condition === undefined ? statement : { ...statement, Condition }
}
