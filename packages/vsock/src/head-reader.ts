import type { Duplex } from 'node:stream'

/** Why no head was read: too late, too long, or the other side closed before its end. */
export type HeadFailure = 'late' | 'long' | 'closed'

/** Bounds of {@link readHead}. */
export interface HeadLimits {
  /** The longest head, in bytes. */
  readonly limit: number
  /** Milliseconds for all of it. */
  readonly timeout: number
  /** Makes the error of a failure. */
  readonly error: (failure: HeadFailure, cause?: unknown) => Error
}

/**
 * Reads the first bytes of a stream, up to what `measure` says is their length, and leaves the rest in it: whoever reads
 * next finds it, and the end of the stream, as if nobody had read before. `measure` is asked again with more bytes while
 * it says undefined; what it throws is thrown. After a failure the stream is open still, and what was read is gone.
 */
export async function readHead(
  stream: Duplex,
  { limit, timeout, error }: HeadLimits,
  measure: (bytes: Buffer) => number | undefined,
): Promise<Buffer> {
  if (stream.readableEncoding !== null) throw new TypeError('stream: expected one without encoding')
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      let held: Buffer = Buffer.alloc(0)
      const stop = (): void => {
        clearTimeout(timer)
        stream.off('readable', look).off('end', ended).off('close', ended).off('error', failed)
      }
      const fail = (failure: Error): void => {
        stop()
        reject(failure)
      }
      const ended = (): void => fail(error('closed', stream.errored ?? undefined))
      const failed = (cause: Error): void => fail(error('closed', cause))
      const look = (): void => {
        while (stream.readableLength > 0) {
          // Not read() without a size: at the end of the stream it would announce the end before anybody else listens.
          held = Buffer.concat([held, stream.read(stream.readableLength) as Uint8Array])
          let length: number | undefined
          try {
            length = measure(held.subarray(0, limit))
          } catch (refusal) {
            return fail(refusal as Error)
          }
          if (length !== undefined) {
            stop()
            if (held.length > length) stream.unshift(held.subarray(length))
            return resolve(held.subarray(0, length))
          }
          if (held.length >= limit) return fail(error('long'))
        }
        // Asks for more. Where nothing is left but the end, this announces it.
        stream.read(0)
      }
      const timer = setTimeout(() => fail(error('late')), timeout)
      if (stream.destroyed || stream.readableEnded) return ended()
      stream.on('end', ended).on('close', ended).on('error', failed).on('readable', look)
      look()
    })
  } finally {
    // Without listeners of 'readable' the stream takes until the next tick to be as it was.
    await new Promise<void>((resolve) => process.nextTick(resolve))
  }
}
