import { Transform, type TransformCallback } from 'node:stream'
import { readMaxMessageLength, type FrameOptions } from './frame.ts'
import { FrameSplitter } from './frame-splitter.ts'

/** Messages that wait for their reader. */
const WAITING = 4

/**
 * Bytes in, messages out: takes the 4-byte big-endian lengths off. Each message is a `Uint8Array` with memory of its
 * own; empty ones count. At most 4 messages wait for a reader, then the source is made to wait.
 *
 * A length above `maxMessageLength` is refused when it is read. Memory grows with the bytes that have come, not with what
 * was announced. The messages that came before a fault are read before the stream fails with it.
 *
 * The stream fails with a {@link VsockError}: `ERR_VSOCK_FRAME_TOO_LARGE`, or `ERR_VSOCK_FRAME_TRUNCATED` when the bytes end
 * inside a message. That they end between two messages proves nothing about the peer: on vsock one that dies looks the same.
 *
 * @example
 * ```ts
 * import { pipeline } from 'node:stream/promises'
 * import { connect, FrameDecoder } from '@enclavejs/vsock'
 *
 * const socket = await connect({ port: 5000 })
 * await pipeline(socket, new FrameDecoder(), async (messages: AsyncIterable<Uint8Array>) => {
 *   for await (const message of messages) console.log(message.length)
 * })
 * ```
 */
export class FrameDecoder extends Transform {
  readonly #splitter: FrameSplitter
  /** Called when the chunk at hand has been read. */
  #taken: TransformCallback | undefined
  #giving = false
  /** Fails the stream, once the messages that came before have been read. */
  #fault: (() => void) | undefined

  /** @throws {TypeError | RangeError} An option is not as described, or is not known. */
  constructor(options: FrameOptions = {}) {
    const maxMessageLength = readMaxMessageLength(options, 'FrameDecoder')
    super({ readableObjectMode: true, readableHighWaterMark: WAITING, decodeStrings: true })
    this.#splitter = new FrameSplitter(maxMessageLength)
  }

  /** @internal */
  override _transform(chunk: Uint8Array, _encoding: string, callback: TransformCallback): void {
    this.#taken = callback
    this.#splitter.push(chunk)
    this.#give()
  }

  /** @internal */
  override _flush(callback: TransformCallback): void {
    try {
      this.#splitter.end()
      callback()
    } catch (error) {
      this.#fail(error as Error, callback)
    }
  }

  /** @internal */
  override _read(size: number): void {
    this.#give()
    super._read(size)
  }

  /** As for any stream. */
  override read(size?: number): ReturnType<Transform['read']> {
    const message: unknown = super.read(size)
    if (this.readableLength === 0) this.#endWithFault()
    return message
  }

  /** Hands on messages until the reader has enough or the chunk is read. A reader may call `read` from within `push`. */
  #give(): void {
    if (this.#taken === undefined || this.#fault !== undefined || this.#giving) return
    const taken = this.#taken
    this.#giving = true
    try {
      for (;;) {
        const message = this.#splitter.shift()
        if (message === undefined) break
        if (!this.push(message)) return
      }
    } catch (error) {
      this.#taken = undefined
      this.#fail(error as Error, taken)
      return
    } finally {
      this.#giving = false
    }
    this.#taken = undefined
    taken()
  }

  #fail(fault: Error, callback: TransformCallback): void {
    this.#fault = () => callback(fault)
    if (this.readableLength === 0) this.#endWithFault()
  }

  #endWithFault(): void {
    const fault = this.#fault
    this.#fault = undefined
    fault?.()
  }
}
