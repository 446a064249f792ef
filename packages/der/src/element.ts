import { DerError } from './error.ts'

/** Universal tags with their constructed bit, as they stand in the bytes (X.690 §8.1.2). */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const

/** One element: its tag octet, the whole of its bytes, and its contents. Views, not copies. */
export interface DerElement {
  readonly tag: number
  readonly offset: number
  readonly bytes: Uint8Array
  readonly contents: Uint8Array
}

/** Reads the elements of one DER value in order. Lengths are definite, minimal and inside the value (X.690 §10.1). */
export class DerReader {
  readonly #bytes: Uint8Array
  readonly #base: number
  #offset = 0

  /** `base` is where `bytes` begin in the input of the first reader; errors count from there. */
  constructor(bytes: Uint8Array, base = 0) {
    this.#bytes = bytes
    this.#base = base
  }

  /** The reader of an element's contents. */
  static inside(element: DerElement): DerReader {
    const header = element.bytes.length - element.contents.length
    return new DerReader(element.contents, element.offset + header)
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  /** Whether the next element has this tag. */
  sees(tag: number): boolean {
    return this.#bytes[this.#offset] === tag
  }

  /** The next element, which must have this tag. */
  read(tag: number, what: string): DerElement {
    const element = this.any(what)
    if (element.tag !== tag) {
      throw new DerError(
        `${what}: tag ${hex(tag)} expected, ${hex(element.tag)} seen`,
        element.offset,
      )
    }
    return element
  }

  /** A reader of the next element's contents. */
  enter(tag: number, what: string): DerReader {
    return DerReader.inside(this.read(tag, what))
  }

  any(what: string): DerElement {
    const start = this.#offset
    const tag = this.#octet(start, what)
    if ((tag & 0x1f) === 0x1f) throw this.#error(`${what}: a tag of several octets`, start)
    let length = this.#octet(start + 1, what)
    let contents = start + 2
    if (length >= 0x80) {
      const count = length & 0x7f
      if (count === 0 || count > 3) throw this.#error(`${what}: a length of ${count} octets`, start)
      length = 0
      for (let index = 0; index < count; index++)
        length = length * 256 + this.#octet(contents++, what)
      if (length < 0x80 || length < 256 ** (count - 1)) {
        throw this.#error(`${what}: a length that is not minimal`, start)
      }
    }
    const end = contents + length
    if (end > this.#bytes.length) {
      const rest = this.#bytes.length - contents
      throw this.#error(`${what}: ${length} bytes announced, ${rest} left`, start)
    }
    this.#offset = end
    return {
      tag,
      offset: this.#base + start,
      bytes: this.#bytes.subarray(start, end),
      contents: this.#bytes.subarray(contents, end),
    }
  }

  end(what: string): void {
    if (!this.atEnd) throw this.#error(`${what}: bytes follow its last element`, this.#offset)
  }

  #octet(offset: number, what: string): number {
    const octet = this.#bytes[offset]
    if (octet === undefined) throw this.#error(`${what}: the bytes end inside it`, offset)
    return octet
  }

  #error(message: string, offset: number): DerError {
    return new DerError(message, this.#base + offset)
  }
}

function hex(tag: number): string {
  return `0x${tag.toString(16).padStart(2, '0')}`
}
