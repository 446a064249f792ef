import { CborError } from './error.ts'
import { CborSimple, CborTag, type CborValue } from './value.ts'

const MAX_ARGUMENT = 0xffff_ffff_ffff_ffffn
const UTF8 = /* @__PURE__ */ new TextEncoder()

class Writer {
  // V8 keeps up to 64 bytes in its own heap, where most requests fit and cost nothing to make.
  #bytes = new Uint8Array(64)
  #length = 0

  item(value: CborValue): void {
    if (value === false) this.#byte(0xf4)
    else if (value === true) this.#byte(0xf5)
    else if (value === null) this.#byte(0xf6)
    else if (value === undefined) this.#byte(0xf7)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'bigint') this.#integer(value)
    else if (typeof value === 'string') this.#text(value)
    else if (value instanceof Uint8Array) this.#string(2, value)
    else if (value instanceof CborTag) {
      this.#tag(value.tag)
      this.item(value.value)
    } else if (value instanceof CborSimple) this.#simple(value.simple)
    else if (value instanceof Map) this.#map(value)
    else if (Array.isArray(value)) {
      this.#head(4, value.length)
      for (const item of value as readonly CborValue[]) this.item(item)
    } else
      throw new CborError('ERR_CBOR_UNSUPPORTED', 'A value that CBOR has no item for', this.#length)
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      throw new CborError('ERR_CBOR_UNSUPPORTED', 'A number that is no safe integer', this.#length)
    }
    if (value < 0) this.#head(1, -1 - value)
    else this.#head(0, value)
  }

  #integer(value: bigint): void {
    const argument = value < 0n ? -1n - value : value
    if (argument > MAX_ARGUMENT) {
      throw new CborError('ERR_CBOR_UNSUPPORTED', 'An integer of more than 64 bits', this.#length)
    }
    this.#head(value < 0n ? 1 : 0, argument)
  }

  #map(map: ReadonlyMap<CborValue, CborValue>): void {
    this.#head(5, map.size)
    for (const [key, value] of map) {
      if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') {
        throw new CborError(
          'ERR_CBOR_UNSUPPORTED',
          'A map key that is neither integer nor text',
          this.#length,
        )
      }
      // 1 and 1n are two keys of a Map and one of CBOR.
      if (typeof key === 'bigint' && map.has(Number(key)) && BigInt(Number(key)) === key) {
        throw new CborError('ERR_CBOR_DUPLICATE_KEY', 'A map key stands twice', this.#length)
      }
      this.item(key)
      this.item(value)
    }
  }

  #tag(tag: number | bigint): void {
    if (
      typeof tag === 'bigint'
        ? tag < 0n || tag > MAX_ARGUMENT
        : !Number.isSafeInteger(tag) || tag < 0
    ) {
      throw new CborError(
        'ERR_CBOR_UNSUPPORTED',
        'A tag that is no integer of 64 bits',
        this.#length,
      )
    }
    this.#head(6, tag)
  }

  #simple(simple: number): void {
    const known = Number.isInteger(simple) && simple >= 0 && simple <= 255
    if (!known || (simple >= 20 && simple < 32)) {
      throw new CborError('ERR_CBOR_UNSUPPORTED', `No simple value ${simple}`, this.#length)
    }
    if (simple < 24) return this.#byte(0xe0 | simple)
    this.#byte(0xf8)
    this.#byte(simple)
  }

  #text(text: string): void {
    const start = this.#length
    this.#head(3, text.length)
    this.#reserve(text.length)
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f) {
        this.#length = start
        return this.#wideText(text)
      }
      this.#bytes[this.#length++] = unit
    }
  }

  /** Text beyond ASCII, for which the encoder's start is worth its time. */
  #wideText(text: string): void {
    if (/\p{Surrogate}/u.test(text)) {
      throw new CborError('ERR_CBOR_UNSUPPORTED', 'A text with half a surrogate pair', this.#length)
    }
    this.#string(3, UTF8.encode(text))
  }

  #string(major: number, bytes: Uint8Array): void {
    this.#head(major, bytes.length)
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #head(major: number, argument: number | bigint): void {
    const initial = major << 5
    if (argument < 24) return this.#byte(initial | Number(argument))
    const width = argument <= 0xff ? 1 : argument <= 0xffff ? 2 : argument <= 0xffff_ffff ? 4 : 8
    this.#byte(initial | (24 + Math.log2(width)))
    for (let shift = BigInt(8 * (width - 1)); shift >= 0n; shift -= 8n) {
      this.#byte(Number((BigInt(argument) >> shift) & 0xffn))
    }
  }

  #byte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = byte
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/**
 * Writes one CBOR item with definite lengths and shortest forms (RFC 8949 §4.1). Maps keep their order.
 *
 * @throws {CborError} `ERR_CBOR_UNSUPPORTED` for a number that is no safe integer, and for values CBOR has no item for;
 *   `ERR_CBOR_DUPLICATE_KEY` for a map with the keys `1` and `1n`.
 */
export function encode(value: CborValue): Uint8Array {
  const writer = new Writer()
  writer.item(value)
  return writer.finish()
}
