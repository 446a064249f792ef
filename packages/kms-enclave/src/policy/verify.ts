import { kindOf } from './action.ts'
import { admissionOf, compareWithImages, type Admission, type Combination } from './admission.ts'
import type { KeyArn } from '../key-arn.ts'
import { readKeyArn, readPrincipals } from './arn.ts'
import { checkGrants, type GrantList } from './grant.ts'
import { checkKeyDescription, type KeyDescription, type KeyOrigin } from './key-description.ts'
import { KeyPolicyError } from './key-policy-error.ts'
import { readChoice, readFlag, refuseUnknownKeys } from './option.ts'
import {
  readReferenceValues,
  ZERO_PCR,
  type ReferenceSet,
  type ReferenceValues,
} from './reference-values.ts'
import { readStatements, type Statement } from './statement.ts'

/** What a key's policy must amount to, whatever its text. */
export interface ExpectedKeyPolicy {
  /** The key's full ARN. */
  readonly keyArn: string
  /** The images that may use the key; the policy may admit fewer, and no other. */
  readonly images: ReferenceValues | readonly ReferenceValues[]
  /** ARNs of the roles that may use the key with a document of such an image. */
  readonly enclaveRoles: readonly string[]
  /** ARNs of who may administer the key. */
  readonly administrators: readonly string[]
  /** ARNs of who else may encrypt and read about the key. Default none. */
  readonly encrypters?: readonly string[]
  /** True: nobody may be able to replace the policy. False: administrators may, and the result holds for its moment. */
  readonly locked: boolean
  /** Where the key material comes from. Default `AWS_KMS`: nobody outside of KMS ever had it. */
  readonly origin?: KeyOrigin
  /** Accepts a multi-Region key; the policies of its replicas are then not verified. Default false. */
  readonly allowMultiRegion?: boolean
  /** Accepts PCRs of zero in `images`, and a policy that admits debug mode. Default false. */
  readonly allowDebugMode?: boolean
}

/** Options of {@link verifyKeyPolicy}. */
export interface VerifyKeyPolicyOptions {
  /** `Policy` of GetKeyPolicy, the text as it came. */
  readonly policy: string
  /** The answer of ListGrants; all of them in order where there were several pages. */
  readonly grants: GrantList | readonly GrantList[]
  /** `KeyMetadata` of DescribeKey. */
  readonly key: KeyDescription
  readonly expected: ExpectedKeyPolicy
  /** The moment before the first of the three was asked for. Default: now. */
  readonly currentDate?: Date
}

/** An action that yields plaintext, and who can have it. */
export interface AttestedAccess {
  /** `Decrypt`, `GenerateDataKey`, `GenerateDataKeyPair` or `DeriveSharedSecret`. */
  readonly action: string
  /** Labels of the images, `image` for one without. */
  readonly images: readonly string[]
  readonly principals: readonly string[]
}

/** What was verified. */
export interface VerifiedKeyPolicy {
  readonly keyArn: string
  /** When it was true. With `locked` it stays true; without, the next moment can differ. */
  readonly at: Date
  readonly locked: boolean
  /** Who gets plaintext; no other can. Empty when the policy admits nobody. */
  readonly access: readonly AttestedAccess[]
  /** Grants there are, none of which gives anything secret. */
  readonly grants: number
}

const OPTIONS = ['policy', 'grants', 'key', 'expected', 'currentDate']
const EXPECTED = [
  ...['keyArn', 'images', 'enclaveRoles', 'administrators', 'encrypters', 'locked'],
  ...['origin', 'allowMultiRegion', 'allowDebugMode'],
]
const ORIGINS: readonly KeyOrigin[] = ['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE']

/**
 * Verifies that a key gives plaintext to the expected images alone, from what KMS says about it.
 *
 * It judges what the policy amounts to, not its text; but it must understand all of it. `NotAction`, `NotPrincipal`,
 * unknown actions, wildcards in an Allow, `IfExists`, `ForAnyValue`, other operators and condition keys are refused, in a
 * Deny as well.
 *
 * The three answers are only worth what the connection was that they came over: ask from inside the enclave, over its own
 * TLS. Ask for the policy first and for the grants last: under a locked policy nobody can add a grant any more, so what is
 * listed after it is all there will ever be. KMS is eventually consistent: a policy or a grant of the last minutes may
 * not show yet.
 *
 * Not proven: what IAM policies say (the key's policy bounds them), that the key is enabled, who calls `Encrypt`.
 *
 * ```ts
 * import { verifyKeyPolicy, type GrantList, type KeyDescription } from '@enclavejs/kms-enclave/policy'
 *
 * export function check(policy: string, key: KeyDescription, grants: GrantList, pcr: string[]) {
 *   const [pcr0 = '', pcr1 = '', pcr2 = ''] = pcr
 *   return verifyKeyPolicy({
 *     policy,
 *     key,
 *     grants,
 *     expected: {
 *       keyArn: 'arn:aws:kms:eu-west-1:123456789012:key/0d990263-018e-4e65-a703-eff731de951e',
 *       images: { pcrs: { 0: pcr0, 1: pcr1, 2: pcr2 } },
 *       enclaveRoles: ['arn:aws:iam::123456789012:role/enclave'],
 *       administrators: ['arn:aws:iam::123456789012:root'],
 *       locked: true,
 *     },
 *   })
 * }
 * ```
 *
 * @throws {KeyPolicyError} `ERR_KMS_POLICY_…`, with the statement at fault.
 * @throws {TypeError | RangeError} naming the option.
 */
export function verifyKeyPolicy(given: VerifyKeyPolicyOptions): VerifiedKeyPolicy {
  const options = refuseUnknownKeys(given, OPTIONS, 'options')
  const expected = readExpected(options.expected)
  const at = new Date(options.currentDate ?? Date.now())
  if (Number.isNaN(at.getTime())) throw new TypeError('currentDate must be a valid Date')
  if (typeof options.policy !== 'string') throw new TypeError('policy must be a text')
  const grants = (Array.isArray(options.grants) ? options.grants : [options.grants]) as GrantList[]

  checkKeyDescription(options.key, expected)
  const statements = readStatements(options.policy, expected.key)
  const denies = statements.filter(({ effect }) => effect === 'Deny')
  const access = new Map<string, { images: Set<string>; principals: Set<string> }>()
  for (const allow of statements.filter(({ effect }) => effect === 'Allow')) {
    for (const action of allow.actions) {
      const admission = admissionOf(allow, action, denies)
      if (admission === undefined) continue
      const labels = checkAction(allow, action, admission, expected)
      if (labels.length === 0) continue
      const entry = access.get(action) ?? { images: new Set(), principals: new Set() }
      for (const label of labels) entry.images.add(label)
      for (const arn of allow.principals ?? []) entry.principals.add(arn)
      access.set(action, entry)
    }
  }
  return {
    keyArn: expected.key.arn,
    at,
    locked: expected.locked,
    access: [...access].map(([action, { images, principals }]) => ({
      action,
      images: [...images],
      principals: [...principals],
    })),
    grants: checkGrants(grants, expected.key, expected.known),
  }
}

interface Expectation {
  readonly key: KeyArn
  readonly images: readonly ReferenceSet[]
  readonly enclaveRoles: ReadonlySet<string>
  readonly administrators: ReadonlySet<string>
  /** All that were named. */
  readonly known: ReadonlySet<string>
  readonly locked: boolean
  readonly origin: KeyOrigin
  readonly allowMultiRegion: boolean
  readonly allowDebugMode: boolean
}

function readExpected(given: ExpectedKeyPolicy): Expectation {
  const expected = refuseUnknownKeys(given, EXPECTED, 'expected')
  const anyone = ['root', 'role', 'user'] as const
  const arns = (list: unknown, name: string, kinds: Parameters<typeof readPrincipals>[2]) =>
    new Set(readPrincipals(list, `expected.${name}`, kinds).map(({ arn }) => arn))
  const enclaveRoles = arns(expected.enclaveRoles, 'enclaveRoles', ['role'])
  const administrators = arns(expected.administrators, 'administrators', anyone)
  const encrypters = arns(expected.encrypters ?? [], 'encrypters', anyone)
  const { origin = 'AWS_KMS' } = expected
  if (!ORIGINS.includes(origin)) {
    throw new TypeError(`expected.origin must be one of ${ORIGINS.join(', ')}`)
  }
  const allowDebugMode = readFlag(expected.allowDebugMode, 'expected.allowDebugMode')
  return {
    key: readKeyArn(expected.keyArn, 'expected.keyArn'),
    images: readReferenceValues(expected.images, allowDebugMode),
    enclaveRoles,
    administrators,
    known: new Set([...enclaveRoles, ...administrators, ...encrypters]),
    locked: readChoice(expected.locked, 'expected.locked'),
    origin,
    allowMultiRegion: readFlag(expected.allowMultiRegion, 'expected.allowMultiRegion'),
    allowDebugMode,
  }
}

/** @returns the labels of the images that get plaintext by this. */
function checkAction(
  allow: Statement,
  action: string,
  admission: Admission,
  expected: Expectation,
): readonly string[] {
  const kind = kindOf(action)
  if (kind === 'escape') {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_ESCAPE',
      `allows ${action}, which leads around the attestation document`,
      allow.name,
    )
  }
  if (kind === 'policy' && expected.locked) {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_NOT_LOCKED',
      `allows ${action}: the policy can be replaced`,
      allow.name,
    )
  }
  const permitted = {
    attested: expected.enclaveRoles,
    open: expected.known,
    administrative: expected.administrators,
    policy: expected.administrators,
  }[kind]
  const stranger = allow.principals?.find((arn) => !permitted.has(arn))
  if (stranger !== undefined) {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_STRANGER',
      `allows ${action} to ${stranger}, who was not expected to have it`,
      allow.name,
    )
  }
  return kind === 'attested' ? checkImages(allow, action, admission, expected) : []
}

function checkImages(
  allow: Statement,
  action: string,
  admission: Admission,
  { images, allowDebugMode }: Expectation,
): readonly string[] {
  const { images: admitted, stranger } = compareWithImages(admission, images)
  if (stranger !== undefined) {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_PCR',
      `allows ${action} ${describe(stranger, images)}`,
      allow.name,
    )
  }
  const { equal, unequal } = admission
  const debug = equal.get(0)?.has(ZERO_PCR) ?? unequal.get(0)?.has(ZERO_PCR) !== true
  if (debug && !allowDebugMode) {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_DEBUG_MODE',
      `allows ${action} to images in debug mode: PCR0 is neither pinned nor denied when zero`,
      allow.name,
    )
  }
  return admitted.map(({ label }) => label)
}

function describe(stranger: Combination | 'too many', images: readonly ReferenceSet[]): string {
  if (stranger === 'too many') return 'with too many combinations of PCRs to verify'
  if (stranger.size === 0) return 'without an attestation document'
  const [first] = images
  const free = [...(first?.pcrs.keys() ?? [])].filter((pcr) => !stranger.has(pcr))
  const fixed = [...stranger].map(([pcr, value]) => `PCR${pcr} ${value}`)
  const open = free.length === 0 ? '' : ` and any PCR${free.join(', PCR')}`
  return `with ${fixed.join(', ')}${open}, which is no expected image`
}
