import type { UnverifiedAttestationDocument } from './attestation-document.ts'
import { equalBytes, fromHex, isZero, toHex } from './bytes.ts'
import { PcrError } from './error.ts'
import { readOptions } from './option.ts'

/**
 * What one image must measure to (RFC 9334 §8.3). It pins PCR0, 1 and 2 together, or PCR8, or both, and any others
 * beside them: the image as a whole, or whoever signed it.
 */
export interface ReferenceValues {
  /** The name of this set in results and errors. Needed as soon as there are several. */
  readonly label?: string
  /**
   * PCR index (0 to 31; `0` or `PCR0`, as `nitro-cli` prints it) to its 48 bytes, as bytes or as 96 hex digits. Zero
   * bytes stand for debug mode and are refused without `allowDebugMode`.
   */
  readonly pcrs: Readonly<Record<number | `PCR${number}`, string | Uint8Array>>
}

/** A set after the door. */
export interface ReferenceSet {
  readonly label: string | undefined
  readonly pcrs: ReadonlyMap<number, Uint8Array>
}

/**
 * Reads reference values.
 *
 * @throws {TypeError} for no set, an empty one, one that pins neither PCR0, 1 and 2 together nor PCR8, a value that is
 *   not 48 bytes, a zero value without debug mode, several sets of which one lacks a label or two share one.
 * @throws {RangeError} for an index outside 0 to 31.
 */
export function readReferenceValues(
  input: ReferenceValues | readonly ReferenceValues[],
  allowDebugMode: boolean,
): readonly ReferenceSet[] {
  const several = Array.isArray(input)
  const sets = (several ? input : [input]) as readonly ReferenceValues[]
  if (sets.length === 0) throw new TypeError('referenceValues is empty')
  const read = Array.from(sets, (set, index) =>
    readSet(set, several ? `referenceValues[${index}]` : 'referenceValues', allowDebugMode),
  )
  if (read.length > 1) {
    const labels = new Set(read.map(({ label }) => label))
    if (labels.has(undefined) || labels.size < read.length) {
      throw new TypeError('referenceValues: each of several sets needs its own label')
    }
  }
  return read
}

function readSet(set: ReferenceValues, name: string, allowDebugMode: boolean): ReferenceSet {
  const { label, pcrs: given } = readOptions(set, ['label', 'pcrs'], name)
  // Of another object some pins could be inherited, and be left out here.
  if (typeof given !== 'object' || given === null || !isPlain(given)) {
    throw new TypeError(`${name}.pcrs must be { 0: …, 1: …, 2: … }`)
  }
  if (label !== undefined && (typeof label !== 'string' || label === '')) {
    throw new TypeError(`${name}.label must be a non-empty string`)
  }
  const pcrs = new Map<number, Uint8Array>()
  for (const [key, value] of Object.entries(given)) {
    const index = readIndex(key, name)
    const where = `${name}.pcrs[${index}]`
    if (pcrs.has(index)) throw new TypeError(`${where} stands twice`)
    const bytes = readValue(value)
    if (bytes?.length !== 48) throw new TypeError(`${where} must be 48 bytes, or 96 hex digits`)
    if (isZero(bytes) && !allowDebugMode) {
      throw new TypeError(`${where} is zero, as in debug mode: see allowDebugMode`)
    }
    pcrs.set(index, bytes)
  }
  if (!pcrs.has(8) && ![0, 1, 2].every((index) => pcrs.has(index))) {
    throw new TypeError(
      `${name} must pin PCR0, 1 and 2 together, or PCR8: less leaves parts of the image open`,
    )
  }
  return { label, pcrs }
}

/** Whether nothing but an Object.prototype stands behind it. */
function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object) as object | null
  return !prototype || !Object.getPrototypeOf(prototype)
}

function readIndex(key: string, name: string): number {
  const digits = /^(?:PCR)?(0|[1-9]\d?)$/.exec(key)?.[1]
  if (!digits) throw new TypeError(`${name}.pcrs: ${JSON.stringify(key)} is no PCR index`)
  if (+digits > 31) throw new RangeError(`${name}.pcrs: PCR${digits} is outside 0 to 31`)
  return +digits
}

function readValue(value: unknown): Uint8Array | undefined {
  if (typeof value === 'string') return fromHex(value)
  return value instanceof Uint8Array ? new Uint8Array(value) : undefined
}

/**
 * The set that the document matches in every PCR it names. PCRs of two sets are never mixed.
 *
 * @throws {PcrError} naming the first PCR that differs from the set which came closest.
 */
export function matchReferenceValues(
  document: UnverifiedAttestationDocument,
  sets: readonly ReferenceSet[],
): ReferenceSet {
  let closest: { set: ReferenceSet; pcr: number; matches: number } | undefined
  for (const set of sets) {
    let matches = 0
    let pcr: number | undefined
    set.pcrs.forEach((expected, index) => {
      const actual = document.pcrs.get(index)
      if (actual !== undefined && equalBytes(actual, expected)) matches++
      else pcr ??= index
    })
    if (pcr === undefined) return set
    if (closest === undefined || matches > closest.matches) closest = { set, pcr, matches }
  }
  const { set, pcr, matches } = closest as { set: ReferenceSet; pcr: number; matches: number }
  const expected = toHex(set.pcrs.get(pcr) as Uint8Array)
  const value = document.pcrs.get(pcr)
  const actual = value && toHex(value)
  const which =
    sets.length === 1
      ? ''
      : ` by ${JSON.stringify(set.label)}, the closest of ${sets.length} sets (${matches} match)`
  throw new PcrError(
    actual === undefined ? 'ERR_ATTESTATION_PCR_ABSENT' : 'ERR_ATTESTATION_PCR',
    `PCR${pcr}: ${expected} expected${which}, ${actual ?? 'none, it was not locked,'} seen`,
    { pcr, expected, actual, label: set.label },
  )
}

/**
 * Whether the enclave runs in debug mode: PCR0, 1 and 2 are zero there, PCR3 and 4 are real. One of the three that is
 * zero alone is no measurement of an image either, and counts as debug mode.
 *
 * @throws {PcrError} `ERR_ATTESTATION_PCR_ABSENT` when one of the three is not in the document.
 */
export function isDebugMode(document: UnverifiedAttestationDocument): boolean {
  let zero = false
  for (const pcr of [0, 1, 2]) {
    const value = document.pcrs.get(pcr)
    if (value && isZero(value)) zero = true
    if (value !== undefined) continue
    const message = `PCR${pcr} is not in the document`
    throw new PcrError('ERR_ATTESTATION_PCR_ABSENT', message, { pcr })
  }
  return zero
}
