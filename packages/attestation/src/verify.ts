import type { Certificate } from '@enclavejs/der'
import {
  appraise,
  appraiseTimestamp,
  EXPECTED_KEYS,
  POLICY_KEYS,
  readAppraisalPolicy,
  readExpectedFields,
} from './appraisal-policy.ts'
import type { AppraisalPolicy, AppraisalPolicyOptions, ExpectedFields } from './appraisal-policy.ts'
import { decodePayload, type UnverifiedAttestationDocument } from './attestation-document.ts'
import { checkPath, decodeAt, DEFAULT_ALGORITHMS } from './certification-path.ts'
import { decodeCoseSign1, sigStructure, type CoseSign1 } from './cose-sign1.ts'
import { AttestationError } from './error.ts'
import { readOptions } from './option.ts'
import { verifyPathSignatures, type SignatureCheck } from './path-signatures.ts'
import { ECDSA_P384_SHA384, type Subtle, type SubtleKey } from './signature.ts'
import { describeAnchor, findAnchor, type TrustAnchor } from './trust-anchor.ts'
import { VerifiedLinks } from './verified-links.ts'

/** What was verified, and only that. */
export interface AttestationResult extends UnverifiedAttestationDocument {
  /** The root that ended the path, and the partition it stands for. */
  readonly trustAnchor: TrustAnchor
  /** The label of the reference values that matched; undefined where the one set has none, or with `acceptAnyImage`. */
  readonly referenceLabel: string | undefined
  /** True only with `allowDebugMode`: nothing such an enclave holds is secret. */
  readonly debugMode: boolean
  /** Until when the certificate that signed the document is valid. */
  readonly notAfter: Date
}

/** What an old document was, at a time that the caller chose. It says nothing of today: the enclave may be gone. */
export interface ArchivedAttestationResult {
  /** The time that the path and the document were judged at. */
  readonly appraisedAt: Date
  readonly archived: AttestationResult
}

/** Options of {@link verifyAttestation}: a policy, and what this exchange expects. */
export interface VerifyAttestationOptions extends AppraisalPolicyOptions, ExpectedFields {
  /** The time to judge at. Default: the clock, read once. For the past there is {@link verifyArchivedAttestation}. */
  readonly currentDate?: Date
  /** Default `globalThis.crypto.subtle`. See {@link Subtle}. */
  readonly subtle?: Subtle
}

/** Options of {@link verifyArchivedAttestation}. */
export interface VerifyArchivedAttestationOptions extends AppraisalPolicyOptions, ExpectedFields {
  /** The time to judge at, or `document`: the document's own timestamp. */
  readonly at: Date | 'document'
  /** Default `globalThis.crypto.subtle`. See {@link Subtle}. */
  readonly subtle?: Subtle
}

/** Options of {@link createVerifier}. */
export interface VerifierOptions extends AppraisalPolicyOptions {
  /** How many certificates are remembered, 1 to 100,000; about 4 KB each. Default 1,000. */
  readonly cacheSize?: number
  /** The clock, read once per call. Default the system's. */
  readonly now?: () => Date
  /** Default `globalThis.crypto.subtle`. See {@link Subtle}. */
  readonly subtle?: Subtle
}

/** A policy with a memory, for servers that see the same fleet all day. */
export interface Verifier {
  /** As {@link verifyAttestation}, under this verifier's policy. */
  verify(bytes: Uint8Array, expected?: ExpectedFields): Promise<AttestationResult>
}

const SHARED_KEYS = [...POLICY_KEYS, ...EXPECTED_KEYS, 'subtle'] as const
const VERIFY_KEYS = [...SHARED_KEYS, 'currentDate'] as const
const ARCHIVED_KEYS = [...SHARED_KEYS, 'at'] as const
const VERIFIER_KEYS = [...POLICY_KEYS, 'subtle', 'cacheSize', 'now'] as const

/**
 * Verifies an attestation document of the Nitro Secure Module and appraises it. When it resolves, an enclave of the
 * partition whose root ended the path made this document; its image is one of `referenceValues`; it is fresh as `nonce`
 * or `maxAge` ask; and the fields in the result are those that were signed.
 *
 * It does not prove who sent the document: a parent can relay one. Bind your channel to it, by a key in `publicKey` or a
 * hash in `userData` that you compare with the peer's.
 *
 * ```ts
 * import { verifyAttestation } from '@enclavejs/attestation'
 *
 * export async function keyOf(
 *   document: Uint8Array,
 *   nonce: Uint8Array,
 *   pcrs: { 0: string; 1: string; 2: string },
 * ): Promise<Uint8Array | null> {
 *   const result = await verifyAttestation(document, { referenceValues: { pcrs }, nonce })
 *   return result.publicKey
 * }
 * ```
 *
 * @param bytes COSE_Sign1, untagged or tagged 18, at most 16 KiB. It is copied before the first await.
 * @throws {AttestationError} when the Evidence is refused; its `code` says by which rule.
 * @throws {TypeError | RangeError} when the options are unsafe, contradictory or unknown.
 * @see RFC 9052 §4.4, RFC 5280 §6.1, AWS "attestation process" §3.2
 */
export async function verifyAttestation(
  bytes: Uint8Array,
  options: VerifyAttestationOptions,
): Promise<AttestationResult> {
  const own = readOptions(options, VERIFY_KEYS, 'options')
  const policy = readAppraisalPolicy(own)
  const expected = readFreshness(policy, own)
  const currentDate = readDate(own.currentDate ?? new Date(), 'currentDate')
  return verify(bytes, policy, expected, () => currentDate, own.subtle ?? platformSubtle())
}

/**
 * Appraises a document at a time of the past: `at`, or its own timestamp. Whoever kept the document chose that time, so
 * the result proves that the enclave **was**, not that it is: it has another type, and needs neither nonce nor `maxAge`.
 *
 * @throws {AttestationError} and {TypeError | RangeError} as {@link verifyAttestation}.
 */
export async function verifyArchivedAttestation(
  bytes: Uint8Array,
  options: VerifyArchivedAttestationOptions,
): Promise<ArchivedAttestationResult> {
  const own = readOptions(options, ARCHIVED_KEYS, 'options')
  const policy = readAppraisalPolicy(own)
  const expected = readExpectedFields(own)
  const { at } = own
  const fixed = at === 'document' ? undefined : readDate(at, 'at')
  let appraisedAt = fixed
  const clock = (document: UnverifiedAttestationDocument): number =>
    (appraisedAt ??= document.timestamp.getTime())
  const archived = await verify(bytes, policy, expected, clock, own.subtle ?? platformSubtle())
  return { appraisedAt: new Date(appraisedAt as number), archived }
}

/**
 * A verifier that remembers which certificates carry a valid signature under which key, and nothing else: an accepted
 * fleet costs one signature a document instead of five. Names, dates, path length, usage and anchor are judged anew on
 * every call; a refused document leaves no trace.
 *
 * ```ts
 * import { createVerifier } from '@enclavejs/attestation'
 *
 * const verifier = createVerifier({
 *   referenceValues: { pcrs: { PCR8: 'ab'.repeat(48) } },
 *   maxAge: 60,
 * })
 * export const verify = (document: Uint8Array) => verifier.verify(document)
 * ```
 *
 * @throws {TypeError | RangeError} when the options are unsafe, contradictory or unknown.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const own = readOptions(options, VERIFIER_KEYS, 'options')
  const policy = readAppraisalPolicy(own)
  const { cacheSize = 1000, now = () => new Date(), subtle = platformSubtle() } = own
  if (!Number.isInteger(cacheSize) || cacheSize < 1 || cacheSize > 100_000) {
    throw new RangeError('cacheSize must be 1 to 100000')
  }
  if (typeof now !== 'function') throw new TypeError('now must be a function')
  const links = new VerifiedLinks(cacheSize)
  return {
    async verify(bytes, expected = {}) {
      const fields = readFreshness(policy, readOptions(expected, EXPECTED_KEYS, 'expected'))
      const currentDate = readDate(now(), 'now()')
      return verify(bytes, policy, fields, () => currentDate, subtle, links)
    },
  }
}

async function verify(
  bytes: Uint8Array,
  policy: AppraisalPolicy,
  expected: ExpectedFields,
  clock: (document: UnverifiedAttestationDocument) => number,
  subtle: Subtle,
  links?: VerifiedLinks,
): Promise<AttestationResult> {
  const message = decodeCoseSign1(bytes)
  const document = decodePayload(message.payload)
  const currentDate = clock(document)
  const anchor = await findAnchor(document.cabundle[0] as Uint8Array, policy.anchors, subtle)
  const read = (bytes: Uint8Array, where: string): Certificate =>
    links?.read(bytes) ?? decodeAt(bytes, where)
  const path = document.cabundle.map((bytes, index) =>
    index === 0 ? anchor.certificate : read(bytes, `cabundle[${index}]`),
  )
  const target = read(document.certificate, 'certificate')
  path.push(target)
  checkPath(path, { currentDate, clockTolerance: policy.clockTolerance })

  const remember = await verifyPathSignatures(
    path,
    DEFAULT_ALGORITHMS,
    subtle,
    links,
    (targetKey) => verifyMessage(message, targetKey, subtle),
  )
  // From here on the document is authentic; what follows asks whether it is wanted.
  appraiseTimestamp(document, target, policy, currentDate)
  const { label, debugMode } = appraise(document, policy, expected)
  const trustAnchor = await describeAnchor(anchor, subtle)
  remember()
  return {
    ...document,
    trustAnchor,
    referenceLabel: label,
    debugMode,
    notAfter: new Date(target.notAfter),
  }
}

/** RFC 9052 §4.4. */
async function verifyMessage(
  message: CoseSign1,
  targetKey: SubtleKey,
  subtle: Subtle,
): SignatureCheck {
  const signature = message.signature as Uint8Array<ArrayBuffer>
  const { verifyParameters } = ECDSA_P384_SHA384
  let cause: unknown
  try {
    const good = await subtle.verify(verifyParameters, targetKey, signature, sigStructure(message))
    if (good === true) return undefined
  } catch (error) {
    cause = error
  }
  return new AttestationError(
    'ERR_ATTESTATION_SIGNATURE',
    'The signature does not verify under the key of certificate',
    cause === undefined ? undefined : { cause },
  )
}

function readFreshness(policy: AppraisalPolicy, fields: ExpectedFields): ExpectedFields {
  const expected = readExpectedFields(fields)
  if (expected.nonce === undefined && policy.maxAge === undefined) {
    throw new TypeError(
      'nonce or maxAge is required: without them a document of hours ago would pass',
    )
  }
  return expected
}

function readDate(date: Date, name: string): number {
  // The time itself: a subclass could say something else for it.
  const time = date instanceof Date ? Date.prototype.getTime.call(date) : Number.NaN
  if (Number.isNaN(time)) throw new TypeError(`${name} must be a valid Date`)
  return time
}

function platformSubtle(): Subtle {
  const subtle = globalThis.crypto?.subtle as Subtle | undefined
  if (subtle === undefined) {
    throw new TypeError('No crypto.subtle here (a page needs https): give the option subtle')
  }
  return subtle
}
