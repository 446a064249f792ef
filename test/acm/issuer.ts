import { once } from 'node:events'
import type { Server } from 'node:net'
import type { SimulatedAcm } from '@enclavejs/simulator/acm'
import { serveMessages, type MessageServer } from '@enclavejs/vsock'

const DAY = 86_400_000

/**
 * A CA behind a vsock port of the parent, for examples/acm-web-server: the first certificate ends in ten days, so that a second is asked
 * for at once; that one is given when `renew` is called.
 */
export class Issuer {
  readonly #messages: MessageServer
  #renewal = new AbortController()
  #count = 0

  /** @param server - of vsock; it listens, or will */
  constructor(acm: SimulatedAcm, server: Server) {
    const answer = async (message: Uint8Array): Promise<Uint8Array> => {
      const isFirst = this.#count++ === 0
      const { signal } = this.#renewal
      if (!isFirst && !signal.aborted) await once(signal, 'abort')
      const request = new TextDecoder().decode(message)
      const days = isFirst ? { notAfter: new Date(Date.now() + 10 * DAY) } : {}
      const { certificate, certificateChain } = await acm.answerRequest(request, days)
      return new TextEncoder().encode(certificate + certificateChain)
    }
    this.#messages = serveMessages(server, answer, { handlerTimeout: 120_000 })
  }

  /** Requests so far. */
  get count(): number {
    return this.#count
  }

  /** Answers the second request. */
  renew(): void {
    this.#renewal.abort()
  }

  /** As new, for another enclave. */
  reset(): void {
    this.#renewal = new AbortController()
    this.#count = 0
  }

  async close(): Promise<void> {
    this.renew()
    await this.#messages.close({ deadline: 0 })
  }
}
