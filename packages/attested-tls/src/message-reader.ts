import { concatBytes } from './bytes.ts'
import { AttestedTlsError } from './error.ts'

/** Reads what RFC 9292 writes: integers of RFC 9000 §16, and bytes with their length before them. Nothing is copied but bytes. */
export class MessageReader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  integer(): number {
    const first = this.#byte()
    let value = first & 0x3f
    // At most 2^53: no length and no status needs more.
    for (let left = 2 ** (first >> 6) - 1; left > 0; left--) {
      value = value * 256 + this.#byte()
    }
    if (!Number.isSafeInteger(value)) throw truncated()
    return value
  }

  bytes(): Uint8Array {
    const length = this.integer()
    if (length > this.#bytes.length - this.#offset) throw truncated()
    this.#offset += length
    return this.#bytes.slice(this.#offset - length, this.#offset)
  }

  /** Bytes as ISO 8859-1, as HTTP has them. */
  text(): string {
    const bytes = this.bytes()
    let text = ''
    for (const byte of bytes) text += String.fromCharCode(byte)
    return text
  }

  restIsZero(): boolean {
    return this.#bytes.subarray(this.#offset).every((byte) => byte === 0)
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset]
    if (byte === undefined) throw truncated()
    this.#offset++
    return byte
  }
}

/** In as few bytes as it takes. */
export function integer(value: number): Uint8Array {
  if (value < 0x40) return Uint8Array.of(value)
  if (value < 0x4000) return Uint8Array.of(0x40 | (value >> 8), value)
  if (value >= 0x4000_0000) throw new RangeError('a length below 1 GiB was expected')
  return Uint8Array.of(0x80 | (value >>> 24), value >>> 16, value >>> 8, value)
}

export function lengthPrefixed(bytes: Uint8Array): Uint8Array {
  return concatBytes(integer(bytes.length), bytes)
}

function truncated(): AttestedTlsError {
  return new AttestedTlsError(
    'ERR_ATTESTED_TLS_BINARY_HTTP',
    'Binary HTTP: it ends before it is complete',
  )
}
