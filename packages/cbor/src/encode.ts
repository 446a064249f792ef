import { CborError } from './error.ts'
import { CborSimple, CborTag, type CborValue } from './value.ts'

const UTF8 = new TextEncoder()

class Writer {
  #bytes = new Uint8Array(256)
  #length = 0

  item(value: CborValue): void {
    if (value === false) this.#byte(0xf4)
    else if (value === true) this.#byte(0xf5)
    else if (value === null) this.#byte(0xf6)
    else if (value === undefined) this.#byte(0xf7)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'bigint') this.#integer(value)
    else if (typeof value === 'string') this.#string(3, UTF8.encode(value))
    else if (value instanceof Uint8Array) this.#string(2, value)
    else if (value instanceof CborTag) {
      this.#head(6, value.tag)
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
    if (argument > 0xffff_ffff_ffff_ffffn) {
      throw new CborError('ERR_CBOR_UNSUPPORTED', 'An integer of more than 64 bits', this.#length)
    }
    this.#head(value < 0n ? 1 : 0, argument)
  }

  #map(map: ReadonlyMap<CborValue, CborValue>): void {
    this.#head(5, map.size)
    for (const [key, value] of map) {
      this.item(key)
      this.item(value)
    }
  }

  #simple(simple: number): void {
    if (!(simple >= 0 && simple <= 255) || (simple >= 20 && simple < 32)) {
      throw new CborError('ERR_CBOR_UNSUPPORTED', `No simple value ${simple}`, this.#length)
    }
    if (simple < 24) return this.#byte(0xe0 | simple)
    this.#byte(0xf8)
    this.#byte(simple)
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
 * @throws {CborError} `ERR_CBOR_UNSUPPORTED` for a number that is no safe integer, and for values CBOR has no item for.
 */
export function encode(value: CborValue): Uint8Array {
  const writer = new Writer()
  writer.item(value)
  return writer.finish()
}
