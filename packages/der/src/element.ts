import { DerError } from './error.ts'

/** One element: its tag octet, the whole of its bytes, and its contents. Views, made when asked for, not copies. */
export class DerElement {
  readonly source: Uint8Array
  readonly offset: number
  readonly start: number
  readonly end: number

  /** Contents are `source` from `start` to `end`; the element begins at `offset`. */
  constructor(source: Uint8Array, offset: number, start: number, end: number) {
    this.source = source
    this.offset = offset
    this.start = start
    this.end = end
  }

  get tag(): number {
    return this.source[this.offset] as number
  }

  get length(): number {
    return this.end - this.start
  }

  get bytes(): Uint8Array {
    return this.source.subarray(this.offset, this.end)
  }

  get contents(): Uint8Array {
    return this.source.subarray(this.start, this.end)
  }

  /** The octet of the contents at `index`, which must be below `length`. */
  octet(index: number): number {
    return this.source[this.start + index] as number
  }
}

/** Reads the elements of one DER value in order. Lengths are definite, minimal and inside the value (X.690 §10.1). */
export class DerReader {
  readonly source: Uint8Array
  /** Where the next element begins. Only this reader moves it. */
  offset: number
  #end: number
  /** Where the elements end that lie around the one that is open. */
  readonly #outer: number[] = []

  constructor(source: Uint8Array, start = 0, end: number = source.length) {
    this.source = source
    this.offset = start
    this.#end = end
  }

  /** The reader of an element's contents. */
  static inside(element: DerElement): DerReader {
    return new DerReader(element.source, element.start, element.end)
  }

  get atEnd(): boolean {
    return this.offset === this.#end
  }

  /** Whether the next element has this tag. */
  sees(tag: number): boolean {
    return this.offset < this.#end && this.source[this.offset] === tag
  }

  /** The next element, which must have this tag if one is given. */
  read(tag?: number): DerElement {
    const { offset } = this
    const start = this.pass(tag)
    return new DerElement(this.source, offset, start, this.offset)
  }

  /** A reader of the next element's contents. */
  enter(tag: number): DerReader {
    const start = this.pass(tag)
    return new DerReader(this.source, start, this.offset)
  }

  /** Goes into the next element, which must have this tag: its contents are what is read until `close`. */
  open(tag: number): void {
    this.#outer.push(this.#end)
    const start = this.pass(tag)
    this.#end = this.offset
    this.offset = start
  }

  /** Goes on behind the element that was opened last, of which nothing may be left. */
  close(): void {
    this.end()
    this.#end = this.#outer.pop() as number
  }

  /**
   * Goes past the next element, which must have this tag if one is given, and makes no object of it.
   *
   * @returns where its contents start; they end at `offset`, where the reader then stands.
   */
  pass(expected?: number): number {
    const offset = this.offset
    const tag = this.#octet(offset)
    if ((tag & 0x1f) === 0x1f) throw new DerError('A tag of several octets', offset)
    let length = this.#octet(offset + 1)
    let start = offset + 2
    if (length >= 0x80) {
      const count = length & 0x7f
      if (count === 0 || count > 3) throw new DerError(`${count} octets of length`, offset)
      length = 0
      for (let index = 0; index < count; index++) length = length * 256 + this.#octet(start++)
      if (length < 0x80 || length < 1 << (8 * (count - 1))) {
        throw new DerError('Length not minimal', offset)
      }
    }
    const end = start + length
    if (end > this.#end) {
      throw new DerError(`${length} bytes expected, ${this.#end - start} left`, offset)
    }
    if (expected !== undefined && tag !== expected) {
      throw new DerError(`Tag ${expected} expected, ${tag} seen`, offset)
    }
    this.offset = end
    return start
  }

  /** The bytes from `start` to where the reader stands, as a view. */
  since(start: number): Uint8Array {
    return this.source.subarray(start, this.offset)
  }

  end(): void {
    if (!this.atEnd) throw new DerError('Trailing bytes', this.offset)
  }

  #octet(offset: number): number {
    if (offset >= this.#end) throw new DerError('Cut short', offset)
    return this.source[offset] as number
  }
}
