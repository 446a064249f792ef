/** A piece of an input whose length, or count, stands in front of it; so are its own pieces. */
export interface Piece {
  /** All of it, as it stands in the input. */
  readonly raw: Uint8Array
  readonly parent: Piece | undefined
  readonly children: readonly Piece[]
  /** What stands between the head and the children, and behind them; for a piece without children all of its contents. */
  readonly before: Uint8Array
  readonly after: Uint8Array
  /** The head for contents of this many bytes with this many children. */
  head(length: number, count: number): Uint8Array
}

const NONE = new Uint8Array(0)
const MAX_PIECES = 4000

class Builder implements Piece {
  raw: Uint8Array = NONE
  readonly parent: Piece | undefined
  readonly children: Builder[] = []
  before: Uint8Array = NONE
  after: Uint8Array = NONE
  head: (length: number, count: number) => Uint8Array = () => NONE

  constructor(parent: Piece | undefined) {
    this.parent = parent
  }
}

/** All pieces of an input, outermost first; none where it is not of the format. */
export function piecesOf(input: Uint8Array, format: 'cbor' | 'der'): readonly Piece[] {
  const read = format === 'cbor' ? readCbor : readDer
  const root = read(input, 0, input.length, undefined, 0)
  if (root === undefined || root.raw.length < input.length) return []
  const pieces: Piece[] = []
  const walk = (piece: Piece): void => {
    if (pieces.length >= MAX_PIECES) return
    pieces.push(piece)
    for (const child of piece.children) walk(child)
  }
  walk(root)
  return pieces
}

/** The input with `replacement` in the place of `piece`; every head around it made right. `more` pieces than before. */
export function replacePiece(piece: Piece, replacement: Uint8Array, more = 0): Uint8Array {
  let bytes = replacement
  let delta = more
  let at = piece
  while (at.parent !== undefined) {
    const { parent } = at
    const inner = at
    const parts = parent.children.map((child) => (child === inner ? bytes : child.raw))
    const contents = join([parent.before, ...parts, parent.after])
    bytes = join([parent.head(contents.length, parent.children.length + delta), contents])
    delta = 0
    at = parent
  }
  return bytes
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

/** One DER element that begins at `offset` and ends before `limit`. */
function readDer(
  input: Uint8Array,
  offset: number,
  limit: number,
  parent: Piece | undefined,
  depth: number,
): Builder | undefined {
  const tag = input[offset]
  let length = input[offset + 1]
  if (tag === undefined || length === undefined || offset + 2 > limit || depth > 20) {
    return undefined
  }
  let start = offset + 2
  if (length > 0x80) {
    const width = length & 0x7f
    if (width > 3) return undefined
    length = 0
    for (let index = 0; index < width; index++) length = length * 256 + (input[start++] ?? 0)
  }
  const end = start + length
  if (end > limit) return undefined
  const piece = new Builder(parent)
  piece.raw = input.subarray(offset, end)
  piece.head = (size) => derHead(tag, size)
  // A constructed element, or a string that may hold elements: OCTET STRING, BIT STRING behind its first octet.
  const skip = tag === 0x03 ? 1 : 0
  const holds = (tag & 0x20) !== 0 || ((tag === 0x04 || tag === 0x03) && length > skip + 1)
  if (holds && readAll(input, start + skip, end, piece, depth)) {
    piece.before = input.subarray(start, start + skip)
  } else {
    piece.children.length = 0
    piece.before = input.subarray(start, end)
  }
  return piece
}

function readAll(
  input: Uint8Array,
  start: number,
  end: number,
  piece: Builder,
  depth: number,
): boolean {
  let offset = start
  while (offset < end) {
    const child = readDer(input, offset, end, piece, depth + 1)
    if (child === undefined) return false
    piece.children.push(child)
    offset += child.raw.length
  }
  return true
}

export function derHead(tag: number, length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(tag, length)
  if (length < 0x100) return Uint8Array.of(tag, 0x81, length)
  return Uint8Array.of(tag, 0x82, (length >> 8) & 0xff, length & 0xff)
}

/** One CBOR item that begins at `offset`. Byte strings that hold an item or a certificate are read on. */
function readCbor(
  input: Uint8Array,
  offset: number,
  limit: number,
  parent: Piece | undefined,
  depth: number,
): Builder | undefined {
  const initial = input[offset]
  if (initial === undefined || depth > 20) return undefined
  const major = initial >> 5
  const info = initial & 0x1f
  const indefinite = info === 31
  if ((info > 27 && !indefinite) || initial === 0xff) return undefined
  const width = info < 24 || indefinite ? 0 : 1 << (info - 24)
  let argument = indefinite ? 0 : info
  if (width > 0) {
    argument = 0
    for (let index = 1; index <= width; index++)
      argument = argument * 256 + (input[offset + index] ?? 0)
  }
  const start = offset + 1 + width
  const piece = new Builder(parent)
  if (major < 2 || major === 7) return filled(piece, input, offset, start, start)
  if (major < 4) {
    if (indefinite || start + argument > limit) return undefined
    const end = start + argument
    piece.head = (length) => cborHead(major, length)
    const nested =
      major === 2 && argument > 8 ? readNested(input.subarray(start, end), piece, depth) : undefined
    if (nested !== undefined) piece.children.push(nested)
    else piece.before = input.subarray(start, end)
    piece.raw = input.subarray(offset, end)
    return piece
  }
  return readCollection(piece, input, offset, start, { major, argument, indefinite }, depth)
}

function readNested(bytes: Uint8Array, parent: Piece, depth: number): Builder | undefined {
  const read = bytes[0] === 0x30 ? readDer : readCbor
  const nested = read(bytes, 0, bytes.length, parent, depth + 1)
  return nested?.raw.length === bytes.length && nested.children.length > 0 ? nested : undefined
}

function readCollection(
  piece: Builder,
  input: Uint8Array,
  offset: number,
  start: number,
  kind: { readonly major: number; readonly argument: number; readonly indefinite: boolean },
  depth: number,
): Builder | undefined {
  const { major, argument, indefinite } = kind
  const each = major === 5 ? 2 : 1
  const count = major === 6 ? 1 : argument * each
  let end = start
  while (indefinite ? input[end] !== 0xff : piece.children.length < count) {
    const child = readCbor(input, end, input.length, piece, depth + 1)
    if (child === undefined || piece.children.length > 2000) return undefined
    piece.children.push(child)
    end += child.raw.length
  }
  if (indefinite) piece.after = input.subarray(end, ++end)
  const initial = input.subarray(offset, start)
  piece.head =
    indefinite || major === 6
      ? () => initial
      : (_, items) => cborHead(major, Math.floor(items / each))
  piece.raw = input.subarray(offset, end)
  return piece
}

function filled(
  piece: Builder,
  input: Uint8Array,
  offset: number,
  start: number,
  end: number,
): Builder | undefined {
  if (end > input.length) return undefined
  piece.raw = input.subarray(offset, end)
  piece.before = NONE
  const head = input.subarray(offset, start)
  piece.head = () => head
  return piece
}

export function cborHead(major: number, argument: number): Uint8Array {
  const initial = major << 5
  if (argument < 24) return Uint8Array.of(initial | argument)
  if (argument < 0x100) return Uint8Array.of(initial | 24, argument)
  if (argument < 0x1_0000) return Uint8Array.of(initial | 25, argument >> 8, argument & 0xff)
  return Uint8Array.of(
    initial | 26,
    ...[argument >>> 24, (argument >> 16) & 0xff, (argument >> 8) & 0xff, argument & 0xff],
  )
}
