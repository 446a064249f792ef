import { Transform, type TransformCallback } from 'node:stream'
import {
  encodeFrame,
  messageLength,
  readMaxMessageLength,
  tooLarge,
  type FrameOptions,
} from './frame.ts'

/** Messages that wait to be encoded. */
const WAITING = 4
/** Frames of one tick are joined up to here. */
const JOINED = 16_384

/**
 * Messages in, bytes out: puts the 4-byte big-endian length before each. A header and its message are one chunk, and so
 * are the small messages that are written in one tick, up to 16 KiB: vsock counts packets, and many small ones fill the
 * credit of a receiver before its bytes do.
 *
 * Messages are copied when the stream takes them; as for any stream, leave one alone until its `write` has called back.
 *
 * The stream fails with a {@link VsockError} `ERR_VSOCK_FRAME_TOO_LARGE` for a message above `maxMessageLength`, and with a
 * `TypeError` for one that is no `Uint8Array`. Nothing of that message is sent then.
 *
 * @example
 * ```ts
 * import { pipeline } from 'node:stream/promises'
 * import { connect, FrameEncoder } from '@enclavejs/vsock'
 *
 * const messages = [new TextEncoder().encode('one'), new TextEncoder().encode('two')]
 * await pipeline(messages, new FrameEncoder(), await connect({ port: 5000 }))
 * ```
 */
export class FrameEncoder extends Transform {
  readonly #maxMessageLength: number
  #frames: Uint8Array[] = []
  #size = 0
  #scheduled = false
  /** Whether the reader has enough for now: what is written then waits here, up to `JOINED`. */
  #full = false

  /** @throws {TypeError | RangeError} An option is not as described, or is not known. */
  constructor(options: FrameOptions = {}) {
    const maxMessageLength = readMaxMessageLength(options, 'FrameEncoder')
    super({ writableObjectMode: true, writableHighWaterMark: WAITING })
    this.#maxMessageLength = maxMessageLength
  }

  /** @internal */
  override _transform(message: unknown, _encoding: string, callback: TransformCallback): void {
    if (!(message instanceof Uint8Array)) {
      callback(new TypeError('message: expected a Uint8Array'))
      return
    }
    const length = messageLength(message)
    if (length > this.#maxMessageLength) {
      callback(tooLarge(length, this.#maxMessageLength))
      return
    }
    const frame = encodeFrame(message)
    this.#frames.push(frame)
    this.#size += frame.length
    if (this.#size >= JOINED)
      this.#give() // a Transform keeps the callback of one that gave more than is wanted
    else this.#schedule()
    callback()
  }

  /** @internal */
  override _flush(callback: TransformCallback): void {
    this.#give()
    callback()
  }

  /** @internal */
  override _read(size: number): void {
    this.#full = false
    this.#give()
    super._read(size)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    process.nextTick(() => {
      this.#scheduled = false
      if (!this.#full && !this.destroyed) this.#give()
    })
  }

  #give(): void {
    const [first, ...more] = this.#frames
    if (first === undefined) return
    const bytes = more.length === 0 ? first : Buffer.concat(this.#frames, this.#size)
    this.#frames = []
    this.#size = 0
    this.#full = !this.push(bytes)
  }
}
