import { KmsError } from '../error.ts'

const HEX_RADIX = 16

/** A constructed element that was entered and not yet left. */
export interface OpenElement {
  readonly name: string
  readonly indefinite: boolean
  /** Where the element around this one ends. */
  readonly outerLimit: number
}

/** The one way in which bytes that do not have KMS's form are refused. The message has places and sizes, never bytes. */
export function refuse(expected: string, offset: number, seen: string): never {
  throw new KmsError(
    'ERR_KMS_CMS',
    `CiphertextForRecipient: expected ${expected} at byte ${offset}, found ${seen}; it does not come from KMS in this form, or was changed on its way`,
  )
}

/**
 * Reads BER (X.690) element by element, in the order that the caller names: constructed elements of definite or indefinite
 * length, primitive ones of definite length. Lengths are minimal and at most two octets long, tags are one octet. Each
 * element lies wholly within the one around it. There is no recursion: what is not asked for by name is refused.
 */
export class BerCursor {
  readonly #bytes: Uint8Array
  #offset = 0
  #limit: number

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#limit = bytes.length
  }

  get offset(): number {
    return this.#offset
  }

  /** The tag that comes next; undefined at the end of the element. */
  get nextTag(): number | undefined {
    return this.#offset < this.#limit ? this.#bytes[this.#offset] : undefined
  }

  /** Enters a constructed element. {@link leave} must follow. */
  enter(tag: number, name: string, form: 'definite' | 'any'): OpenElement {
    const start = this.#offset
    this.#tag(tag, name)
    const outerLimit = this.#limit
    if (this.#bytes[this.#offset] === 0x80 && this.#offset < outerLimit) {
      if (form === 'definite') refuse(`${name} of definite length`, start, 'indefinite length')
      this.#offset++
      return { name, indefinite: true, outerLimit }
    }
    this.#limit = this.#length(name)
    return { name, indefinite: false, outerLimit }
  }

  /** Whether the element that was entered last has nothing more in it. */
  atEnd(element: OpenElement): boolean {
    if (!element.indefinite) return this.#offset === this.#limit
    // A tag of zero is the end-of-contents mark and nothing else (X.690 §8.1.5).
    return this.nextTag === 0
  }

  /** Leaves the element that was entered last; refuses it when something is left in it. */
  leave(element: OpenElement): void {
    const { name, indefinite, outerLimit } = element
    if (!indefinite) {
      if (this.#offset !== this.#limit) refuse(`the end of ${name}`, this.#offset, this.#seen())
    } else {
      const at = this.#offset
      if (at + 2 > this.#limit || this.#bytes[at] !== 0 || this.#bytes[at + 1] !== 0) {
        refuse(`the end-of-contents octets of ${name}`, at, this.#seen())
      }
      this.#offset += 2
    }
    this.#limit = outerLimit
  }

  /** The contents of a primitive element, not copied. */
  primitive(tag: number, name: string): Uint8Array {
    this.#tag(tag, name)
    const end = this.#length(name)
    const contents = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return contents
  }

  /** Exactly these octets, tag and length included. */
  exactly(octets: Uint8Array, name: string): void {
    this.either([octets], name)
  }

  /** One of several spellings of the same. */
  either(spellings: readonly Uint8Array[], name: string): void {
    const found = spellings.find((octets) => this.#startsWith(octets))
    if (found === undefined) refuse(name, this.#offset, 'something else')
    this.#offset += found.length
  }

  /** The end of the whole. */
  end(): void {
    if (this.#offset !== this.#bytes.length) {
      refuse('the end', this.#offset, `${this.#bytes.length - this.#offset} more bytes`)
    }
  }

  #startsWith(octets: Uint8Array): boolean {
    if (this.#limit - this.#offset < octets.length) return false
    for (let index = 0; index < octets.length; index++) {
      if (this.#bytes[this.#offset + index] !== octets[index]) return false
    }
    return true
  }

  #tag(tag: number, name: string): void {
    if (this.nextTag !== tag) refuse(name, this.#offset, this.#seen())
    this.#offset++
  }

  /** Reads length octets; returns where the contents end. */
  #length(name: string): number {
    const start = this.#offset
    const first = this.#octet(name)
    let length = first
    if (first === 0x81) {
      length = this.#octet(name)
      if (length < 0x80) refuse(`a minimal length of ${name}`, start, 'a longer form')
    } else if (first === 0x82) {
      length = this.#octet(name) * 0x100
      length += this.#octet(name)
      if (length < 0x100) refuse(`a minimal length of ${name}`, start, 'a longer form')
    } else if (first >= 0x80) {
      refuse(
        `a definite length of ${name} in at most two octets`,
        start,
        `0x${first.toString(HEX_RADIX)}`,
      )
    }
    if (length > this.#limit - this.#offset) {
      refuse(
        `${name} of at most ${this.#limit - this.#offset} bytes, as many as are left`,
        start,
        `a length of ${length}`,
      )
    }
    return this.#offset + length
  }

  #octet(name: string): number {
    if (this.#offset >= this.#limit) refuse(`the length of ${name}`, this.#offset, this.#seen())
    return this.#bytes[this.#offset++] as number
  }

  #seen(): string {
    const tag = this.nextTag
    return tag === undefined
      ? 'the end of what is around it'
      : `tag 0x${tag.toString(HEX_RADIX).padStart(2, '0')}`
  }
}
