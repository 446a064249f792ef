import { FRAME_HEADER_LENGTH, joinBytes, tooLarge, truncated } from './frame.ts'

const NOTHING = new Uint8Array(0)
/** Pieces below this are joined as they come, so that a byte at a time does not cost an object a byte. */
const SMALL = 4096

/**
 * Splits a byte stream into its messages: a chunk goes in, `shift` gives the messages that are complete, one at a time, so
 * that the caller may stop between two of one chunk. Memory follows the bytes that are there, not what was announced: it
 * holds the chunks of the message that is not complete, small ones joined in blocks of 4 KiB.
 *
 * Every message is a copy, made once when it is complete. A view would keep its whole chunk, up to 64 KiB for a few bytes,
 * as long as somebody keeps the message.
 */
export class FrameSplitter {
  readonly #maxMessageLength: number
  #chunk: Uint8Array = NOTHING
  #offset = 0
  /** Of the message being read: how much of its header is there, what it says, and how much of the message. */
  #headerBytes = 0
  #length = 0
  #filled = 0
  #pieces: Uint8Array[] = []
  /** Where small pieces are joined: the last of `pieces` is its beginning, up to `joined`. */
  #block: Uint8Array = NOTHING
  #joined = 0

  constructor(maxMessageLength: number) {
    this.#maxMessageLength = maxMessageLength
  }

  /** Whether the beginning of a message is there, after all that are complete have been shifted. */
  get begun(): boolean {
    return this.#headerBytes > 0
  }

  /** Bytes of that message which have come, its header included. */
  get received(): number {
    return this.#headerBytes + this.#filled
  }

  /** Whether bytes wait that `shift` has not looked at. */
  get waiting(): boolean {
    return this.#offset < this.#chunk.length
  }

  /** Bytes held, apart from what the last blocks leave unused. */
  get held(): number {
    return this.#filled + this.#chunk.length
  }

  /** Takes a chunk. It is read until the messages that it belongs to are complete, and must not change. */
  push(chunk: Uint8Array): void {
    const rest = this.#chunk.subarray(this.#offset)
    this.#chunk = rest.length === 0 ? chunk : joinBytes([rest, chunk], rest.length + chunk.length)
    this.#offset = 0
  }

  /**
   * The next message, in memory of its own; undefined when more bytes are needed.
   *
   * @throws {VsockError} `ERR_VSOCK_FRAME_TOO_LARGE`, now and each time after
   */
  shift(): Uint8Array | undefined {
    if (!this.#readHeader()) return undefined
    const missing = this.#length - this.#filled
    const piece = this.#chunk.subarray(this.#offset, this.#offset + missing)
    this.#skip(piece.length)
    if (piece.length < missing) {
      this.#keep(piece)
      return undefined
    }
    this.#pieces.push(piece)
    const message = joinBytes(this.#pieces, this.#length)
    this.#pieces = []
    this.#block = NOTHING
    this.#headerBytes = this.#length = this.#filled = 0
    return message
  }

  /** @throws {VsockError} `ERR_VSOCK_FRAME_TRUNCATED`, unless the stream ends between two messages */
  end(): void {
    if (this.begun) throw truncated(this.received)
  }

  #readHeader(): boolean {
    while (this.#headerBytes < FRAME_HEADER_LENGTH) {
      const byte = this.#chunk[this.#offset]
      if (byte === undefined) return false
      this.#length = this.#length * 256 + byte
      this.#headerBytes++
      this.#skip(1)
    }
    if (this.#length > this.#maxMessageLength) throw tooLarge(this.#length, this.#maxMessageLength)
    return true
  }

  /** Goes on in the chunk, and lets go of one that has been read. */
  #skip(count: number): void {
    this.#offset += count
    if (this.waiting) return
    this.#chunk = NOTHING
    this.#offset = 0
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#filled += piece.length
    if (piece.length >= SMALL) {
      this.#pieces.push(piece)
      this.#block = NOTHING
      return
    }
    if (this.#joined + piece.length > this.#block.length) {
      this.#block = new Uint8Array(SMALL)
      this.#joined = 0
      this.#pieces.push(this.#block)
    }
    this.#block.set(piece, this.#joined)
    this.#joined += piece.length
    this.#pieces[this.#pieces.length - 1] = this.#block.subarray(0, this.#joined)
  }
}
