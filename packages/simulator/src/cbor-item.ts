/**
 * A tolerant CBOR reader, for what an enclave's program sends. It takes what serde_cbor 0.11 takes:
 * integers of any width, chunked strings, maps and arrays of either length, tags (which it skips).
 * It keeps what a decoder to plain values would lose: text apart from bytes, integers apart from
 * floats, duplicate keys, and the order.
 */
export type CborItem =
  | { readonly kind: 'unsigned'; readonly value: bigint }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'text'; readonly value: string; readonly bytes: Uint8Array }
  | { readonly kind: 'array'; readonly items: readonly CborItem[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [CborItem, CborItem])[] }
  | { readonly kind: 'null' }
  | { readonly kind: 'undefined' }
  /** Negative integers, floats and booleans: no request has a place for them. */
  | { readonly kind: 'other' }

/** The bytes are not one whole well-formed CBOR item. */
class MalformedCbor extends Error {
  override readonly name = 'MalformedCbor'
}

const MAX_DEPTH = 127
const BREAK = 0xff
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads one item that fills `bytes`; throws `MalformedCbor` on anything else. */
export function readItem(bytes: Uint8Array): CborItem {
  const reader = new Reader(bytes)
  const item = reader.item(MAX_DEPTH)
  reader.end()
  return item
}

class Reader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  end(): void {
    if (this.#offset !== this.#bytes.length) throw new MalformedCbor('bytes after the item')
  }

  item(depth: number): CborItem {
    const initial = this.#byte()
    const major = initial >> 5
    const indefinite = (initial & 0x1f) === 0x1f
    switch (major) {
      case 0:
        return { kind: 'unsigned', value: this.#argument(initial) }
      case 1:
        this.#argument(initial)
        return { kind: 'other' }
      case 2:
        return { kind: 'bytes', value: this.#string(initial) }
      case 3: {
        const bytes = this.#string(initial)
        try {
          return { kind: 'text', value: decoder.decode(bytes), bytes }
        } catch (cause) {
          throw new MalformedCbor('text that is not UTF-8', { cause })
        }
      }
      case 4: {
        const items: CborItem[] = []
        this.#repeat(indefinite ? undefined : this.#argument(initial), depth, (below) => {
          items.push(this.item(below))
        })
        return { kind: 'array', items }
      }
      case 5: {
        const entries: [CborItem, CborItem][] = []
        this.#repeat(indefinite ? undefined : this.#argument(initial), depth, (below) => {
          entries.push([this.item(below), this.item(below)])
        })
        return { kind: 'map', entries }
      }
      case 6:
        this.#argument(initial)
        return this.#deeper(depth, (below) => this.item(below))
      default:
        return this.#simple(initial)
    }
  }

  #simple(initial: number): CborItem {
    switch (initial) {
      case 0xf4:
      case 0xf5:
        return { kind: 'other' }
      case 0xf6:
        return { kind: 'null' }
      case 0xf7:
        return { kind: 'undefined' }
      case 0xf9:
      case 0xfa:
      case 0xfb:
        this.#take(2 ** (initial - 0xf8))
        return { kind: 'other' }
      default:
        throw new MalformedCbor('a simple value without meaning')
    }
  }

  #repeat(count: bigint | undefined, depth: number, read: (below: number) => void): void {
    this.#deeper(depth, (below) => {
      if (count === undefined) {
        while (this.#bytes[this.#offset] !== BREAK) read(below)
        this.#offset += 1
      } else {
        for (let index = 0n; index < count; index += 1n) read(below)
      }
    })
  }

  #deeper<T>(depth: number, read: (below: number) => T): T {
    if (depth === 0) throw new MalformedCbor('nested too deep')
    return read(depth - 1)
  }

  #string(initial: number): Uint8Array {
    if ((initial & 0x1f) !== 0x1f) return this.#take(this.#argument(initial))
    const chunks: Uint8Array[] = []
    for (let head = this.#byte(); head !== BREAK; head = this.#byte()) {
      if (head >> 5 !== initial >> 5) throw new MalformedCbor('a chunk of another type')
      chunks.push(this.#take(this.#argument(head)))
    }
    return new Uint8Array(Buffer.concat(chunks))
  }

  #argument(initial: number): bigint {
    const info = initial & 0x1f
    if (info < 24) return BigInt(info)
    if (info > 27) throw new MalformedCbor('a length without meaning')
    let value = 0n
    for (const byte of this.#take(2 ** (info - 24))) value = (value << 8n) | BigInt(byte)
    return value
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset]
    if (byte === undefined) throw new MalformedCbor('the bytes end early')
    this.#offset += 1
    return byte
  }

  #take(length: number | bigint): Uint8Array {
    if (length > this.#bytes.length - this.#offset) throw new MalformedCbor('the bytes end early')
    const start = this.#offset
    this.#offset += Number(length)
    return this.#bytes.slice(start, this.#offset)
  }
}
