import type { UnverifiedAttestationDocument } from './attestation-document.ts'
import { copyBytes, equalBytes } from './bytes.ts'
import { iso } from './certification-path.ts'
import { AttestationError, type AttestationErrorCode } from './error.ts'
import { readFlag, readSeconds } from './option.ts'
import { isDebugMode, matchReferenceValues, readReferenceValues } from './reference-values.ts'
import type { ReferenceSet, ReferenceValues } from './reference-values.ts'
import { builtInAnchor, ownAnchors, type Anchor, type Partition } from './trust-anchor.ts'

/** What Evidence must satisfy to be accepted (RFC 9334 §8.5). Leaving an option out never weakens a check. */
export interface AppraisalPolicyOptions {
  /**
   * The images that are accepted: one set, or several alternatives of which the document must match one in whole.
   * Required, unless `acceptAnyImage` is true.
   */
  readonly referenceValues?: ReferenceValues | readonly ReferenceValues[]
  /**
   * Dangerous: accepts every image of every AWS account, so anyone's enclave. For tools that show who signed, and for
   * callers that compare `pcrs` of the result themselves. Default false.
   */
  readonly acceptAnyImage?: boolean
  /**
   * Dangerous: accepts enclaves in debug mode, whose memory of secrets the parent can read on their console, and lets
   * reference values be zero. Default false.
   */
  readonly allowDebugMode?: boolean
  /**
   * Greatest age of a document in seconds, by its own timestamp; positive, fractions allowed. Without it, a `nonce` must be expected in
   * every call. Even an old document ends with its certificate, 3 hours after that was issued.
   */
  readonly maxAge?: number
  /**
   * How far the verifier's clock may be behind, in seconds, 0 to 300. Default 10. It serves the document's timestamp
   * and notBefore (a certificate starts 3 s before it is issued); notAfter and `maxAge` know no tolerance.
   */
  readonly clockTolerance?: number
  /** Whose built-in root ends the path. Default `aws`, the commercial regions; `aws-us-gov` is GovCloud. */
  readonly partition?: Partition
  /**
   * Root certificates (DER) in place of the built-in one, compared byte for byte: other partitions, a simulator. Not
   * together with `partition`.
   */
  readonly trustAnchors?: readonly Uint8Array[]
}

/** What one exchange expects of the document that answers it. */
export interface ExpectedFields {
  /** The challenge the enclave was given: at least 1 byte; 16 random bytes or more, used once, prove freshness. */
  readonly nonce?: Uint8Array
  /** The `public_key` that the document must carry, byte for byte. */
  readonly publicKey?: Uint8Array
  /** The `user_data` that the document must carry, byte for byte. */
  readonly userData?: Uint8Array
}

/** A policy after the door. Times in milliseconds. */
export interface AppraisalPolicy {
  /** Undefined: any image. */
  readonly referenceSets: readonly ReferenceSet[] | undefined
  readonly allowDebugMode: boolean
  readonly maxAge: number | undefined
  readonly clockTolerance: number
  readonly anchors: readonly Anchor[]
}

export const POLICY_KEYS: readonly (keyof AppraisalPolicyOptions)[] = [
  'referenceValues',
  'acceptAnyImage',
  'allowDebugMode',
  'maxAge',
  'clockTolerance',
  'partition',
  'trustAnchors',
]
/** A hundred years: a bound, so that no age is without end. */
const MAX_AGE = 3e9
export const EXPECTED_KEYS: readonly (keyof ExpectedFields)[] = ['nonce', 'publicKey', 'userData']

/** @throws {TypeError | RangeError} naming the option that is wrong, absent or contradicts another. */
export function readAppraisalPolicy(options: AppraisalPolicyOptions): AppraisalPolicy {
  const { maxAge, clockTolerance = 10, referenceValues, partition, trustAnchors } = options
  const acceptAnyImage = readFlag(options.acceptAnyImage, 'acceptAnyImage')
  const allowDebugMode = readFlag(options.allowDebugMode, 'allowDebugMode')
  if (acceptAnyImage === (referenceValues !== undefined)) {
    throw new TypeError(
      acceptAnyImage
        ? 'acceptAnyImage and referenceValues contradict: give one'
        : 'referenceValues are required: without them any image of any account would pass (acceptAnyImage: true)',
    )
  }
  if (partition !== undefined && trustAnchors !== undefined) {
    throw new TypeError('partition and trustAnchors contradict: give one')
  }
  return {
    referenceSets:
      referenceValues === undefined
        ? undefined
        : readReferenceValues(referenceValues, allowDebugMode),
    allowDebugMode,
    maxAge: maxAge === undefined ? undefined : readSeconds(maxAge, 'maxAge', 0.001, MAX_AGE),
    clockTolerance: readSeconds(clockTolerance, 'clockTolerance', 0, 300),
    anchors:
      trustAnchors === undefined
        ? [builtInAnchor(partition === undefined ? 'aws' : partition)]
        : ownAnchors(trustAnchors),
  }
}

/** A private copy of what is expected. @throws {TypeError} for a value that is no Uint8Array, or an empty nonce. */
export function readExpectedFields(fields: ExpectedFields): ExpectedFields {
  const expected: { nonce?: Uint8Array; publicKey?: Uint8Array; userData?: Uint8Array } = {}
  for (const key of EXPECTED_KEYS) {
    const value = fields[key]
    if (value !== undefined) expected[key] = copyBytes(value, key)
  }
  if (expected.nonce?.length === 0) throw new TypeError('nonce is empty: it would prove nothing')
  return expected
}

/**
 * Whether the document was made at a time that fits `currentDate` (milliseconds) and its own certificate.
 *
 * @throws {AttestationError} `ERR_ATTESTATION_TIMESTAMP_FUTURE`, `_TIMESTAMP_VALIDITY`, `_TOO_OLD`.
 */
export function appraiseTimestamp(
  document: UnverifiedAttestationDocument,
  target: { readonly notBefore: number; readonly notAfter: number },
  policy: AppraisalPolicy,
  currentDate: number,
): void {
  const timestamp = document.timestamp.getTime()
  if (timestamp > currentDate + policy.clockTolerance) {
    throw new AttestationError(
      'ERR_ATTESTATION_TIMESTAMP_FUTURE',
      `timestamp: at most ${iso(currentDate)} expected, ${iso(timestamp)} seen`,
    )
  }
  if (timestamp < target.notBefore - policy.clockTolerance || timestamp > target.notAfter) {
    throw new AttestationError(
      'ERR_ATTESTATION_TIMESTAMP_VALIDITY',
      `timestamp: ${iso(target.notBefore)} to ${iso(target.notAfter)} expected, as the certificate is valid, ${iso(timestamp)} seen`,
    )
  }
  if (policy.maxAge !== undefined && currentDate - timestamp > policy.maxAge) {
    throw new AttestationError(
      'ERR_ATTESTATION_TOO_OLD',
      `timestamp: at most ${policy.maxAge / 1000} s before ${iso(currentDate)} expected (maxAge), ${iso(timestamp)} seen`,
    )
  }
}

/**
 * Whether authentic Evidence is what the Relying Party wants.
 *
 * @returns the label of the reference values that matched, and whether it is debug mode.
 * @throws {AttestationError} `ERR_ATTESTATION_DEBUG_MODE`, `_PCR`, `_PCR_ABSENT`, `_NONCE`, `_PUBLIC_KEY`, `_USER_DATA`.
 */
export function appraise(
  document: UnverifiedAttestationDocument,
  policy: AppraisalPolicy,
  expected: ExpectedFields,
): { readonly label: string | undefined; readonly debugMode: boolean } {
  const debugMode = isDebugMode(document)
  if (debugMode && !policy.allowDebugMode) {
    throw new AttestationError(
      'ERR_ATTESTATION_DEBUG_MODE',
      'PCR0, 1 or 2 is zero, as in debug mode: start the enclave without --debug-mode',
    )
  }
  const label = policy.referenceSets && matchReferenceValues(document, policy.referenceSets).label
  requireField(document.nonce, expected.nonce, 'nonce', 'ERR_ATTESTATION_NONCE')
  requireField(document.publicKey, expected.publicKey, 'public_key', 'ERR_ATTESTATION_PUBLIC_KEY')
  requireField(document.userData, expected.userData, 'user_data', 'ERR_ATTESTATION_USER_DATA')
  return { label, debugMode }
}

function requireField(
  actual: Uint8Array | null,
  expected: Uint8Array | undefined,
  field: string,
  code: AttestationErrorCode,
): void {
  if (expected === undefined || (actual !== null && equalBytes(actual, expected))) return
  const seen = actual === null ? 'none' : `another value of ${actual.length} bytes`
  throw new AttestationError(
    code,
    `${field}: a given value of ${expected.length} bytes expected, ${seen} seen`,
  )
}
