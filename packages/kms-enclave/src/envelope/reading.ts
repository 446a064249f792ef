import { KmsError } from '../error.ts'

/**
 * Something that reads bytes in order: it yields how many it needs next and is given exactly as many. The same reading serves bytes
 * that are all there and bytes that are still to come.
 */
export type Reading<T> = Generator<number, T, Uint8Array>

/** Bytes that are all there. */
export class BytesInHand {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  read<T>(reading: Reading<T>): T {
    let step = reading.next()
    while (step.done !== true) {
      const end = this.#offset + step.value
      if (end > this.#bytes.length) throw truncated()
      const part = this.#bytes.subarray(this.#offset, end)
      this.#offset = end
      step = reading.next(part)
    }
    return step.value
  }

  end(): void {
    if (this.#offset !== this.#bytes.length) throw trailing()
  }
}

const NOTHING = new Uint8Array(0)
/** Pieces below this are joined as they come, so that a byte at a time does not cost an object a byte. */
const SMALL = 4096

/**
 * Bytes that come in pieces of any size. Holds no more than what the reading needs next and one piece; small pieces are joined in
 * blocks of 4 KiB, which take at most twice as much.
 */
export class BytesToCome {
  readonly #iterator: AsyncIterator<Uint8Array>
  #pieces: Uint8Array[] = []
  #length = 0
  /** Where small pieces are joined: what lies between the two, where there is any, is the last of `pieces`. */
  #block: Uint8Array = NOTHING
  #begin = 0
  #joined = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]()
  }

  async read<T>(reading: Reading<T>): Promise<T> {
    let step = reading.next()
    while (step.done !== true) {
      const wanted = step.value
      while (this.#length < wanted) if (!(await this.#pull())) throw truncated()
      step = reading.next(this.#take(wanted))
    }
    return step.value
  }

  async end(): Promise<void> {
    do {
      if (this.#length > 0) throw trailing()
    } while (await this.#pull())
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    await this.#iterator.return?.()
  }

  async #pull(): Promise<boolean> {
    const step = await this.#iterator.next()
    if (step.done === true) return false
    this.push(step.value)
    return true
  }

  /** A copy is kept: the source may write into its buffer again. */
  push(piece: unknown): void {
    if (!(piece instanceof Uint8Array)) throw new TypeError('a stream must give Uint8Arrays')
    if (piece.length === 0) return
    this.#length += piece.length
    if (piece.length >= SMALL) {
      this.#pieces.push(new Uint8Array(piece))
      this.#useBlock(NOTHING)
      return
    }
    if (this.#joined + piece.length > this.#block.length) this.#useBlock(new Uint8Array(SMALL))
    this.#block.set(piece, this.#joined)
    if (this.#begin < this.#joined) this.#pieces.pop()
    this.#joined += piece.length
    this.#pieces.push(this.#block.subarray(this.#begin, this.#joined))
  }

  #useBlock(block: Uint8Array): void {
    this.#block = block
    this.#begin = this.#joined = 0
  }

  #take(length: number): Uint8Array {
    const [first] = this.#pieces
    this.#length -= length
    if (first !== undefined && first.length >= length) {
      if (this.#pieces.length === 1) this.#begin += length
      if (first.length === length) this.#pieces.shift()
      else this.#pieces[0] = first.subarray(length)
      return first.subarray(0, length)
    }
    const all = Buffer.concat(this.#pieces)
    const rest = all.subarray(length)
    this.#pieces = rest.length === 0 ? [] : [rest]
    this.#useBlock(NOTHING)
    return all.subarray(0, length)
  }
}

function truncated(): KmsError {
  return new KmsError(
    'ERR_KMS_ENVELOPE_TRUNCATED',
    'envelope: it ends before its final frame; it was cut, or is not all there yet',
  )
}

function trailing(): KmsError {
  return new KmsError('ERR_KMS_ENVELOPE_FORMAT', 'envelope: there are bytes after its final frame')
}
