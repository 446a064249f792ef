import type { Duplex } from 'node:stream'
import { KmsError } from './error.ts'

/**
 * Opens a byte stream to a host of the outside world: through a proxy on the parent, over vsock. Whoever carries the bytes is
 * not trusted with anything but carrying them.
 */
export interface Connect {
  (host: string, port: number, options: { readonly signal?: AbortSignal }): Promise<Duplex>
  /**
   * PEM certificates that stand in for Amazon's roots wherever this `Connect` leads; a simulator's has its own here. The `roots`
   * of the client's options go before it.
   */
  readonly roots?: readonly string[]
}

/**
 * What a `connect` gave, which in JavaScript may be anything.
 *
 * @throws {KmsError} `ERR_KMS_CONNECTION` for something else than a stream
 */
export function readStream(given: unknown): Duplex {
  const stream = given as Partial<Duplex> | null | undefined
  const isStream = ['on', 'write', 'end', 'destroy'].every(
    (name) => typeof stream?.[name as keyof Duplex] === 'function',
  )
  if (isStream && typeof stream?.readable === 'boolean') return stream as Duplex
  throw new KmsError('ERR_KMS_CONNECTION', 'connect must give a stream that reads and writes')
}
