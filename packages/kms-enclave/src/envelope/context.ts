import type { EncryptionContext } from '../encryption-context.ts'
import { KmsError } from '../error.ts'

/** The most characters of encryption context that KMS takes; here in bytes, with their lengths. */
const CONTEXT_MAX_BYTES = 8192
const RESERVED_PREFIX = 'aws-crypto-'
const LONE_SURROGATE = /\p{Surrogate}/u

/** A copy, checked. `TypeError` and `RangeError` name what is wrong. */
export function copyContext(context: EncryptionContext): ReadonlyMap<string, string> {
  if (typeof context !== 'object' || context === null) {
    throw new TypeError('context must be an object of strings')
  }
  const pairs = new Map<string, string>()
  let bytes = 2
  for (const [key, value] of Object.entries(context)) {
    if (typeof value !== 'string')
      throw new TypeError(`context: the value of ${key} must be a string`)
    if (key === '') throw new TypeError('context: a key must not be empty')
    if (key.startsWith(RESERVED_PREFIX)) {
      throw new TypeError(`context: keys that begin with ${RESERVED_PREFIX} are the format's own`)
    }
    if (LONE_SURROGATE.test(key) || LONE_SURROGATE.test(value)) {
      throw new TypeError('context: keys and values must be well-formed Unicode')
    }
    pairs.set(key, value)
    bytes += 4 + Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (pairs.size === 0) {
    throw new TypeError(
      'context must name at least one thing that tells this data from other data: what it is, whose, which version',
    )
  }
  if (bytes > CONTEXT_MAX_BYTES) {
    throw new RangeError(`context must not exceed ${CONTEXT_MAX_BYTES} bytes, and has ${bytes}`)
  }
  return pairs
}

/** Key-value pairs as the message format has them: count, then lengths and UTF-8, in the order of the keys' bytes. */
export function encodeContext(pairs: ReadonlyMap<string, string>): Uint8Array {
  const entries = [...pairs]
    .map(([key, value]) => [Buffer.from(key), Buffer.from(value)] as const)
    .sort(([a], [b]) => Buffer.compare(a, b))
  return Buffer.concat([uint16(entries.length), ...entries.flat().flatMap(lengthFirst)])
}

/** The inverse, in whatever order; refuses what does not end where it should, duplicates and malformed UTF-8. */
export function decodeContext(bytes: Uint8Array): Map<string, string> {
  const pairs = new Map<string, string>()
  if (bytes.length === 0) return pairs
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let offset = 0
  const number = (): number => {
    if (offset + 2 > bytes.length) throw malformed('ends within a length')
    offset += 2
    return view.getUint16(offset - 2)
  }
  const text = (): string => {
    const length = number()
    if (offset + length > bytes.length) throw malformed('ends within a text')
    offset += length
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        bytes.subarray(offset - length, offset),
      )
    } catch {
      throw malformed('has text that is not UTF-8')
    }
  }
  const count = number()
  if (count === 0) throw malformed('has a length and no pairs')
  for (let index = 0; index < count; index++) {
    const key = text()
    if (pairs.has(key)) throw malformed('has a key twice')
    pairs.set(key, text())
  }
  if (offset !== bytes.length) throw malformed('has bytes after its last pair')
  return pairs
}

/** Whether both hold the same pairs. */
export function sameContext(
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value)
}

export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value)
}

export function lengthFirst(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  return [uint16(bytes.length), bytes]
}

function malformed(how: string): KmsError {
  return new KmsError('ERR_KMS_ENVELOPE_FORMAT', `envelope: its encryption context ${how}`)
}
