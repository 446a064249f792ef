import { refuseUnknownKeys } from './option.ts'

/**
 * What one image must measure to, in the shape that `@enclavejs/eif` gives and `@enclavejs/attestation` takes. It pins
 * PCR0, 1 and 2 together, or PCR8, or both, and any others beside them.
 */
export interface ReferenceValues {
  /** The name of this set in results. Needed as soon as there are several. */
  readonly label?: string
  /** PCR index (0 to 31; `0` or `PCR0`) to its 48 bytes, as bytes or as 96 hex digits. */
  readonly pcrs: Readonly<Record<number | `PCR${number}`, string | Uint8Array>>
}

/** A set after the door: lower-case hex by index, indices ascending. */
export interface ReferenceSet {
  readonly label: string
  readonly pcrs: ReadonlyMap<number, string>
}

/** A PCR that was never extended; PCR0 in debug mode. */
export const ZERO_PCR: string = '0'.repeat(96)

/**
 * Reads reference values.
 *
 * @throws {TypeError} for no set, one that pins neither PCR0, 1 and 2 together nor PCR8, a value that is not 48 bytes, a
 *   zero value without debug mode, several sets of which one lacks a label, two share one, or which name different PCRs.
 * @throws {RangeError} for an index outside 0 to 31.
 */
export function readReferenceValues(
  input: ReferenceValues | readonly ReferenceValues[],
  allowDebugMode: boolean,
): readonly ReferenceSet[] {
  const several = Array.isArray(input)
  const sets = (several ? input : [input]) as readonly ReferenceValues[]
  if (sets.length === 0) throw new TypeError('images is empty')
  const read = sets.map((set, index) =>
    readSet(set, several ? `images[${index}]` : 'images', allowDebugMode),
  )
  if (read.length > 1) refuseAmbiguous(read, sets)
  return read
}

function refuseAmbiguous(read: readonly ReferenceSet[], sets: readonly ReferenceValues[]): void {
  const labels = new Set(sets.map(({ label }) => label))
  if (labels.has(undefined) || labels.size < sets.length) {
    throw new TypeError('images: each of several sets needs its own label')
  }
  const [first] = read.map(indices)
  const other = read.find((set) => indices(set) !== first)
  if (other === undefined) return
  throw new TypeError(
    `images: ${JSON.stringify(read[0]?.label)} names PCR ${first}, ${JSON.stringify(other.label)} PCR ${indices(other)}; a Deny for a PCR needs its value for every image, so name the same PCRs in each`,
  )
}

function indices({ pcrs }: ReferenceSet): string {
  return [...pcrs.keys()].join(', ')
}

function readSet(set: ReferenceValues, name: string, allowDebugMode: boolean): ReferenceSet {
  const { label = 'image', pcrs } = refuseUnknownKeys(set, ['label', 'pcrs'], name)
  if (typeof label !== 'string' || label === '') {
    throw new TypeError(`${name}.label must be a non-empty string`)
  }
  if (typeof pcrs !== 'object' || pcrs === null) {
    throw new TypeError(`${name}.pcrs must be { 0: …, 1: …, 2: … }`)
  }
  const read = new Map<number, string>()
  for (const [key, value] of Object.entries(pcrs)) {
    const index = readIndex(key, name)
    if (read.has(index)) throw new TypeError(`${name}.pcrs names PCR${index} twice`)
    const hex = readValue(value, `${name}.pcrs[${index}]`)
    if (hex === ZERO_PCR && !allowDebugMode) {
      throw new TypeError(`${name}.pcrs[${index}] is zero, as in debug mode: see allowDebugMode`)
    }
    read.set(index, hex)
  }
  if (!read.has(8) && ![0, 1, 2].every((index) => read.has(index))) {
    throw new TypeError(
      `${name} must pin PCR0, 1 and 2 together, or PCR8: less leaves parts of the image open`,
    )
  }
  return { label, pcrs: new Map([...read].sort(([a], [b]) => a - b)) }
}

function readIndex(key: string, name: string): number {
  const digits = /^(?:PCR)?(0|[1-9]\d?)$/.exec(key)?.[1]
  if (digits === undefined) {
    throw new TypeError(`${name}.pcrs: ${JSON.stringify(key)} is no PCR index`)
  }
  const index = Number(digits)
  if (index > 31) throw new RangeError(`${name}.pcrs: PCR${index} is outside 0 to 31`)
  return index
}

function readValue(value: unknown, name: string): string {
  const hex = readPcr(value)
  if (hex === undefined) throw new TypeError(`${name} must be 48 bytes, or 96 hex digits`)
  return hex
}

/** Lower-case hex of a PCR; undefined for what is none. */
export function readPcr(value: unknown): string | undefined {
  if (typeof value === 'string') {
    return /^[0-9a-f]{96}$/i.test(value) ? value.toLowerCase() : undefined
  }
  if (!(value instanceof Uint8Array) || value.length !== 48) return undefined
  return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
