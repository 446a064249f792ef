import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * A message on the diagnostics channel `enclavejs:attested-tls:served`, after each answer of a server under
 * `/.well-known/enclavejs/`. Nothing of what was sealed is in it.
 */
export interface AttestedServedEvent {
  /** A document over the TLS key; a document over the HPKE key, or a sealed request. */
  readonly resource: 'attestation' | 'sealed'
  readonly method: string
  /** Of the answer on the wire: what a sealed answer says inside is not told. */
  readonly status: number
  /** Milliseconds from the head of the request to the end of the answer, or of the connection. */
  readonly duration: number
  /** Whether the answer was sent to its end. */
  readonly complete: boolean
}

const served = channel('enclavejs:attested-tls:served')

/** Publishes what will have been answered. */
export function publishServed(
  resource: AttestedServedEvent['resource'],
  { method = '' }: IncomingMessage,
  response: ServerResponse,
): void {
  if (!served.hasSubscribers) return
  const began = performance.now()
  response.once('close', () => {
    served.publish({
      ...{ resource, method, status: response.statusCode, complete: response.writableFinished },
      duration: performance.now() - began,
    } satisfies AttestedServedEvent)
  })
}
