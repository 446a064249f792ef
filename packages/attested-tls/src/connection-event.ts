import { channel } from 'node:diagnostics_channel'
import type { AttestedPeer } from './client-options.ts'

/** A message on the diagnostics channel `enclavejs:attested-tls:connection`, after each connection of a client was attested or refused. */
export interface AttestedConnectionEvent extends AttestedPeer {
  /** Milliseconds from dialing to the end of the attestation. */
  readonly duration: number
  /** The code of the refusal; absent where the connection was attested. */
  readonly code?: string
}

const connections = channel('enclavejs:attested-tls:connection')

/** Publishes what an attempt came to, and gives it on. */
export async function publishConnection<T>(peer: AttestedPeer, attempt: Promise<T>): Promise<T> {
  if (!connections.hasSubscribers) return attempt
  const began = performance.now()
  const publish = (failure?: { readonly code?: unknown }): void =>
    connections.publish({
      ...{ host: peer.host, port: peer.port, duration: performance.now() - began },
      ...(failure && { code: typeof failure.code === 'string' ? failure.code : 'unknown' }),
    } satisfies AttestedConnectionEvent)
  try {
    const outcome = await attempt
    publish()
    return outcome
  } catch (error) {
    publish(error as { code?: unknown })
    throw error
  }
}
