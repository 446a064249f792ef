import { refuseDoubtful, type EifDescription, type EifPcrs } from './describe.ts'
import { refuseUnknownKeys } from './option.ts'

/**
 * What one image must measure to, in the shape that `verifyAttestation` of `@enclavejs/attestation` takes. PCR0, 1 and 2
 * stand together: bytes can move between ramdisks without PCR0 changing.
 */
export interface EifReferenceValues {
  readonly label: string
  readonly pcrs: EifPcrs
}

/** Options of {@link referenceValues}. */
export interface ReferenceValuesOptions {
  /** The name of the set in results and errors; a version, for example. */
  readonly label: string
  /** Takes an image that the inspector warned about. Default false. */
  readonly allowDoubtful?: boolean
}

/**
 * Reference values (RFC 9334 §8.3) of a described image.
 *
 * ```ts
 * import { referenceValues, type EifDescription } from '@enclavejs/eif'
 *
 * export function rollout(blue: EifDescription, green: EifDescription) {
 *   return [
 *     referenceValues(blue, { label: '1.4.0' }),
 *     referenceValues(green, { label: '1.5.0' }),
 *   ]
 * }
 * ```
 *
 * @throws {EifError} `ERR_EIF_DOUBTFUL` when the inspector warned about the image, without `allowDoubtful`.
 * @throws {TypeError} when the label is empty.
 */
export function referenceValues(
  description: EifDescription,
  options: ReferenceValuesOptions,
): EifReferenceValues {
  refuseUnknownKeys(options, ['label', 'allowDoubtful'], 'options')
  const { label, allowDoubtful = false } = options
  if (typeof label !== 'string' || label === '') {
    throw new TypeError('label must be a non-empty string')
  }
  if (typeof allowDoubtful !== 'boolean') throw new TypeError('allowDoubtful must be true or false')
  if (!allowDoubtful) refuseDoubtful(description)
  return { label, pcrs: { ...description.pcrs } }
}

/** How two images differ in what a verifier sees. */
export interface ReferenceValuesDiff {
  /** PCRs that both have with the same value. */
  readonly same: readonly PcrValue[]
  /** PCRs that differ, or that one image lacks (PCR8 of an unsigned one). */
  readonly changed: readonly PcrChange[]
  /** Sets that a verifier must admit while old and new enclaves run side by side. */
  readonly duringRollout: readonly EifReferenceValues[]
  /** Sets that remain once no old enclave runs any more. */
  readonly afterRollout: readonly EifReferenceValues[]
}

/** One PCR and its value in hex. */
export interface PcrValue {
  readonly pcr: number
  readonly value: string
}

/** One PCR before and after; undefined where the image has none. */
export interface PcrChange {
  readonly pcr: number
  readonly before: string | undefined
  readonly after: string | undefined
}

const INDICES = [0, 1, 2, 8] as const

/**
 * What changes for a verifier between two images: which sets it must admit during a rollout, and which after it. Images
 * that measure the same need no change, and one set.
 *
 * @throws {TypeError} when two sets that differ have the same label.
 */
export function diffReferenceValues(
  before: EifReferenceValues,
  after: EifReferenceValues,
): ReferenceValuesDiff {
  const same: PcrValue[] = []
  const changed: PcrChange[] = []
  for (const pcr of INDICES) {
    const old = before.pcrs[pcr]
    const value = after.pcrs[pcr]
    if (old === value) {
      if (value !== undefined) same.push({ pcr, value })
    } else changed.push({ pcr, before: old, after: value })
  }
  if (changed.length > 0 && before.label === after.label) {
    throw new TypeError('Two sets that differ need two labels')
  }
  return {
    same,
    changed,
    duringRollout: changed.length === 0 ? [after] : [before, after],
    afterRollout: [after],
  }
}
