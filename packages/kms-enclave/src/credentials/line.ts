import type { Duplex } from 'node:stream'
import { within } from '../deadline.ts'

/** How one line is read. */
export interface LineLimits {
  /** The most bytes before the end of the line. */
  readonly most: number
  readonly timeout: number
  /** The beginning of the message when the time is over. */
  readonly what: string
  readonly signal?: AbortSignal
}

/**
 * Reads one line of UTF-8, without its end. Whatever follows is not looked at: each connection of the protocol has one line each
 * way. Rejects when there are more bytes than allowed, or when the stream ends or breaks before the end of the line.
 */
export function readLine(stream: Duplex, limits: LineLimits): Promise<string> {
  let stop = (): void => undefined
  const line = new Promise<string>((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let size = 0
    const data = (chunk: Uint8Array): void => {
      const end = chunk.indexOf(0x0a)
      const part = end < 0 ? chunk : chunk.subarray(0, end)
      size += part.length
      chunks.push(part)
      if (size > limits.most) reject(new Error(`a line of more than ${limits.most} bytes`))
      else if (end >= 0) resolve(Buffer.concat(chunks).toString('utf8'))
    }
    const ended = (): void => reject(new Error('the stream ended before a whole line'))
    const failed = (error: Error): void => reject(error)
    stream.on('data', data).once('end', ended).once('close', ended).once('error', failed)
    stop = () =>
      void stream.off('data', data).off('end', ended).off('close', ended).off('error', failed)
  })
  return within(line, limits.timeout, limits.what, limits.signal).finally(() => stop())
}
