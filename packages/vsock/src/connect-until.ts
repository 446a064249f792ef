import type { Duplex } from 'node:stream'

/**
 * What `connect` gives, or the reason of `signal` if that is aborted before. A connection that comes too late is destroyed,
 * whether or not `connect` heeds the signal.
 */
export async function connectUntil<Stream extends Duplex>(
  signal: AbortSignal,
  connect: () => Promise<Stream>,
): Promise<Stream> {
  let abort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
  })
  const opened = (async () => await connect())()
  try {
    return await Promise.race([opened, aborted])
  } catch (error) {
    opened.then(
      (late) => late.on('error', () => {}).destroy(),
      () => {}, // it is the error thrown here, or of no interest any more
    )
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
