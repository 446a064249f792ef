import type { Random } from './random.ts'
import { join, piecesOf, replacePiece, type Piece } from './structure.ts'
import type { FuzzTarget } from './target.ts'

const INTERESTING = [
  0, 1, 2, 3, 4, 5, 6, 12, 16, 23, 24, 31, 32, 47, 48, 49, 64, 96, 127, 128, 129, 255,
]
const NONE = new Uint8Array(0)

/** Makes new inputs from known ones. */
export class Mutator {
  readonly #random: Random
  readonly #target: FuzzTarget
  readonly #dictionary: readonly Uint8Array[]
  readonly #pieces = new WeakMap<Uint8Array, readonly Piece[]>()

  constructor(target: FuzzTarget, literals: ReadonlySet<string | number>, random: Random) {
    this.#target = target
    this.#random = random
    this.#dictionary = [...target.dictionary, ...[...literals].map(tokenOf)]
  }

  /** `input` changed in one to six places; `other` is a known input to take parts from. Both are of the corpus. */
  mutate(input: Uint8Array, other: Uint8Array): Uint8Array {
    const random = this.#random
    // Pieces are kept for inputs of the corpus alone; a second change of structure reads the changed bytes anew.
    let bytes = random.once(4) ? input : this.#changeStructure(this.#piecesOf(input), input, other)
    const again = random.once(6) ? 1 + random.below(2) : 0
    for (let change = 0; change < again; change++) {
      const { format } = this.#target
      const pieces = format === undefined ? [] : piecesOf(bytes, format)
      bytes = this.#changeStructure(pieces, bytes, other)
    }
    if (bytes === input || random.once(3)) {
      for (let change = random.below(3); change >= 0; change--) {
        bytes = this.#changeBytes(bytes, other)
      }
    }
    const { maxLength } = this.#target
    return bytes.length > maxLength ? bytes.slice(0, maxLength) : bytes
  }

  #piecesOf(input: Uint8Array): readonly Piece[] {
    const { format } = this.#target
    if (format === undefined) return []
    let pieces = this.#pieces.get(input)
    if (pieces === undefined) {
      pieces = piecesOf(input, format)
      this.#pieces.set(input, pieces)
    }
    return pieces
  }

  /** A change that leaves lengths and counts around it right. */
  #changeStructure(pieces: readonly Piece[], input: Uint8Array, other: Uint8Array): Uint8Array {
    const random = this.#random
    if (pieces.length < 2) return this.#changeBytes(input, other)
    const piece = random.pick(pieces)
    switch (random.below(9)) {
      case 0:
        return replacePiece(piece, NONE, -1)
      case 1:
        return replacePiece(piece, join([piece.raw, piece.raw]), 1)
      case 2:
        return replacePiece(piece, random.pick(pieces).raw)
      case 3: {
        const others = this.#piecesOf(other)
        return replacePiece(piece, others.length === 0 ? other : random.pick(others).raw)
      }
      case 4:
        return replacePiece(piece, join([random.pick(this.#dictionary), piece.raw]), 1)
      case 5:
        return replacePiece(piece, random.pick(this.#dictionary))
      case 6: {
        // A key and its value, or two elements: the piece and the one behind it.
        const siblings = piece.parent?.children ?? []
        const next = siblings[siblings.indexOf(piece) + 1]
        if (piece.parent === undefined || next === undefined) return input
        const swapped = siblings.map((one) => (one === piece ? next : one === next ? piece : one))
        const { before, after } = piece.parent
        const contents = join([before, ...swapped.map((one) => one.raw), after])
        const head = piece.parent.head(contents.length, siblings.length)
        return replacePiece(piece.parent, join([head, contents]))
      }
      case 7: {
        // The contents of one piece with its bytes changed, under a head that fits.
        const contents = this.#changeBytes(piece.before, NONE)
        const parts = [contents, ...piece.children.map((one) => one.raw), piece.after]
        const whole = join(parts)
        return replacePiece(piece, join([piece.head(whole.length, piece.children.length), whole]))
      }
      default: {
        // The head of one piece changed.
        const bytes = piece.raw.slice()
        const at = random.below(Math.min(4, bytes.length))
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
        return replacePiece(piece, bytes)
      }
    }
  }

  #changeBytes(input: Uint8Array, other: Uint8Array): Uint8Array {
    const random = this.#random
    if (input.length === 0) return random.bytes(1 + random.below(8))
    const at = random.below(input.length)
    const bytes = input.slice()
    switch (random.below(10)) {
      case 0:
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
        return bytes
      case 1:
        bytes[at] = random.pick(INTERESTING)
        return bytes
      case 2:
        bytes[at] = random.next() & 0xff
        return bytes
      case 3:
        return addBigEndian(bytes, at, 1 << random.below(3), random.below(71) - 35)
      case 4: {
        const token = random.pick(this.#dictionary)
        bytes.set(token.subarray(0, bytes.length - at), at)
        return bytes
      }
      case 5:
        return join([bytes.subarray(0, at), random.pick(this.#dictionary), bytes.subarray(at)])
      case 6: {
        const end = at + 1 + random.below(Math.min(32, input.length))
        return join([bytes.subarray(0, at), bytes.subarray(end)])
      }
      case 7: {
        const from = random.below(input.length)
        const part = bytes.subarray(from, from + 1 + random.below(64))
        return join([bytes.subarray(0, at), part, bytes.subarray(at)])
      }
      case 8:
        return join([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))])
      default:
        return random.once(4)
          ? bytes.slice(0, at)
          : join([bytes.subarray(0, at), random.bytes(1 + random.below(4)), bytes.subarray(at)])
    }
  }
}

/** A number that stands in the bytes with its most significant octet first, changed by a little. */
function addBigEndian(bytes: Uint8Array, at: number, width: number, amount: number): Uint8Array {
  if (at + width > bytes.length) return bytes
  let carry = amount
  for (let index = at + width - 1; index >= at; index--) {
    const sum = (bytes[index] as number) + carry
    bytes[index] = sum & 0xff
    carry = sum >> 8
  }
  return bytes
}

function tokenOf(literal: string | number): Uint8Array {
  if (typeof literal === 'string') return new TextEncoder().encode(literal)
  if (literal < 0 || literal > 0xffff_ffff) return Uint8Array.of(0xff)
  if (literal < 0x100) return Uint8Array.of(literal)
  if (literal < 0x1_0000) return Uint8Array.of(literal >> 8, literal & 0xff)
  return Uint8Array.of(
    literal >>> 24,
    (literal >> 16) & 0xff,
    (literal >> 8) & 0xff,
    literal & 0xff,
  )
}
