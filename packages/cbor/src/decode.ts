import { CborError } from './error.ts'
import { CborSimple, CborTag, type CborKey, type CborValue } from './value.ts'

/** What a caller may allow beyond the strict default. */
export interface DecodeOptions {
  /**
   * Maps of indefinite length are read while they lie less deep than this: 0 (the default) none, 1 only the outermost
   * item, 2 also what it holds. Strings and arrays of indefinite length are always refused.
   */
  readonly indefiniteMapLevels?: number
  /** Tag numbers that are read, as {@link CborTag}. Default none: any tag is refused. */
  readonly tags?: readonly number[]
  /** How deep items may nest; the outermost item is 1 deep. Default 16. */
  readonly maxDepth?: number
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const BREAK = 0xff

class Reader {
  readonly #bytes: Uint8Array
  readonly #indefiniteMapLevels: number
  readonly #tags: readonly number[]
  readonly #maxDepth: number
  offset = 0

  constructor(bytes: Uint8Array, options: DecodeOptions) {
    this.#bytes = bytes
    this.#indefiniteMapLevels = options.indefiniteMapLevels ?? 0
    this.#tags = options.tags ?? []
    this.#maxDepth = options.maxDepth ?? 16
  }

  item(depth: number): CborValue {
    const start = this.offset
    if (depth > this.#maxDepth) {
      throw new CborError('ERR_CBOR_DEPTH', `Nested deeper than ${this.#maxDepth}`, start)
    }
    const initial = this.#byte()
    const major = initial >> 5
    const info = initial & 0x1f
    if (major === 7) return this.#simple(info, start)
    if (info === 31) {
      if (major === 5 && depth <= this.#indefiniteMapLevels) return this.#map(-1, depth)
      if (major < 2 || major === 6) throw malformed('Indefinite integer or tag', start)
      throw new CborError('ERR_CBOR_INDEFINITE', `Indefinite length (major ${major})`, start)
    }
    const argument = this.#argument(info, start)
    switch (major) {
      case 0:
        return argument
      case 1:
        if (typeof argument === 'bigint') return -1n - argument
        return argument === Number.MAX_SAFE_INTEGER ? -1n - BigInt(argument) : -1 - argument
      case 2:
        return this.#slice(argument, start)
      case 3:
        return this.#text(argument, start)
      case 4:
        return this.#array(this.#count(argument, 1, start), depth)
      case 5:
        return this.#map(this.#count(argument, 2, start), depth)
      default:
        if (typeof argument === 'bigint' || !this.#tags.includes(argument)) {
          throw new CborError('ERR_CBOR_UNSUPPORTED', `Tag ${argument}`, start)
        }
        return new CborTag(argument, this.item(depth + 1))
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.offset]
    if (byte === undefined) throw malformed('Cut short', this.offset)
    this.offset++
    return byte
  }

  /** RFC 8949 §3: the argument of the initial byte, in its shortest form. */
  #argument(info: number, start: number): number | bigint {
    if (info < 24) return info
    if (info > 27) throw malformed('Reserved', start)
    const width = 1 << (info - 24)
    let value = 0
    let high = 0
    for (let index = 0; index < width; index++) {
      if (index === 4) {
        high = value
        value = 0
      }
      value = value * 256 + this.#byte()
    }
    const whole = high * 0x1_0000_0000 + value
    if (whole < (width === 1 ? 24 : 16 ** width)) {
      throw new CborError('ERR_CBOR_NOT_SHORTEST', `${whole} not in its shortest form`, start)
    }
    return high > 0x1f_ffff ? (BigInt(high) << 32n) | BigInt(value) : whole
  }

  #slice(length: number | bigint, start: number): Uint8Array {
    const rest = this.#bytes.length - this.offset
    if (length > rest) throw malformed(`${length} bytes with ${rest} left`, start)
    const end = this.offset + Number(length)
    const slice = this.#bytes.subarray(this.offset, end)
    this.offset = end
    return slice
  }

  /** A count of items is believed only while that many could still follow. */
  #count(count: number | bigint, bytesEach: number, start: number): number {
    const rest = this.#bytes.length - this.offset
    if (count > rest / bytesEach) throw malformed(`${count} items with ${rest} bytes left`, start)
    return Number(count)
  }

  #text(length: number | bigint, start: number): string {
    const from = this.offset
    const bytes = length < 32 ? undefined : this.#slice(length, start)
    if (bytes === undefined) {
      // Keys and names are short ASCII, for which the decoder's own start takes longer than the work.
      if (length > this.#bytes.length - from) this.#slice(length, start)
      const end = from + Number(length)
      let text = ''
      while (this.offset < end && (this.#bytes[this.offset] as number) < 0x80) {
        text += String.fromCharCode(this.#bytes[this.offset++] as number)
      }
      if (this.offset === end) return text
      this.offset = end
    }
    try {
      return UTF8.decode(bytes ?? this.#bytes.subarray(from, this.offset))
    } catch {
      throw new CborError('ERR_CBOR_UTF8', 'Not UTF-8', start)
    }
  }

  #array(count: number, depth: number): CborValue[] {
    const items: CborValue[] = []
    for (let index = 0; index < count; index++) items.push(this.item(depth + 1))
    return items
  }

  /** `count` is -1 for a map that ends with a break. */
  #map(count: number, depth: number): Map<CborKey, CborValue> {
    const map = new Map<CborKey, CborValue>()
    for (let index = 0; index !== count; index++) {
      if (count === -1 && this.#bytes[this.offset] === BREAK) {
        this.offset++
        break
      }
      const start = this.offset
      const key = this.item(depth + 1)
      if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') {
        throw new CborError('ERR_CBOR_UNSUPPORTED', 'A key neither integer nor text', start)
      }
      if (map.has(key)) throw new CborError('ERR_CBOR_DUPLICATE_KEY', 'Duplicate key', start)
      map.set(key, this.item(depth + 1))
    }
    return map
  }

  #simple(info: number, start: number): CborValue {
    if (info === 20) return false
    if (info === 21) return true
    if (info === 22) return null
    if (info === 23) return undefined
    if (info < 20) return new CborSimple(info)
    if (info === 24) {
      const simple = this.#byte()
      if (simple < 32) throw malformed(`Simple value ${simple}`, start)
      return new CborSimple(simple)
    }
    if (info < 28) throw new CborError('ERR_CBOR_UNSUPPORTED', 'Floating point', start)
    throw malformed(info === 31 ? 'Break' : 'Reserved', start)
  }
}

function malformed(message: string, offset: number): CborError {
  return new CborError('ERR_CBOR_MALFORMED', message, offset)
}

/**
 * Reads exactly one CBOR item (RFC 8949) that fills `bytes`, strictly: definite lengths, shortest integers and lengths,
 * UTF-8 text, no duplicate keys at any level, no trailing bytes, bounded depth, nothing allocated on a count that the
 * bytes could not hold. Byte strings are views into `bytes`, not copies.
 *
 * @throws {CborError} for anything else, and nothing but that.
 */
export function decode(bytes: Uint8Array, options: DecodeOptions = {}): CborValue {
  const reader = new Reader(bytes, options)
  const value = reader.item(1)
  if (reader.offset !== bytes.length) {
    const rest = bytes.length - reader.offset
    throw new CborError('ERR_CBOR_TRAILING', `${rest} trailing bytes`, reader.offset)
  }
  return value
}
