import { Agent, request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { text } from 'node:stream/consumers'

/** What a web server answered, and with which certificate. */
export interface Page {
  readonly body: string
  readonly serialNumber: string
  /** Whether it came over the connection of before. */
  readonly reused: boolean
}

/** A browser's view of the enclave: one connection that is kept open, TLS to a name below a root. */
export class WebClient implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0 })
  readonly #options: {
    readonly host: string
    readonly port: number
    readonly servername: string
    readonly ca: string
  }

  constructor(port: number, servername: string, ca: string) {
    this.#options = { host: '127.0.0.1', port, servername, ca }
  }

  async get(): Promise<Page> {
    const sent = request({ ...this.#options, agent: this.#agent, timeout: 5000 })
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).once('error', reject).end()
      sent.once('timeout', () => sent.destroy(new Error('no answer within 5 seconds')))
    })
    const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate()
    return { body: await text(response), serialNumber, reused: sent.reusedSocket }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}
