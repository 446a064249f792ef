import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

const LIMIT = 20_000

/** One connection of a client to a port of 127.0.0.1, kept open. */
export class Visitor implements Disposable {
  readonly #socket: TLSSocket
  readonly #hostName: string

  private constructor(socket: TLSSocket, hostName: string) {
    this.#socket = socket
    this.#hostName = hostName
    // What ends a connection is thrown by the next question.
    socket.on('error', () => undefined)
  }

  /** Connects, and checks the certificate below a root. */
  static async open(hostName: string, port: number, ca: string): Promise<Visitor> {
    const raw = connect(port, '127.0.0.1')
    const socket = connectTls({ socket: raw, servername: hostName, ca })
    try {
      await once(socket, 'secureConnect', { signal: AbortSignal.timeout(LIMIT) })
      return new Visitor(socket, hostName)
    } catch (error) {
      raw.destroy()
      socket.destroy()
      throw error
    }
  }

  get serialNumber(): string {
    return this.#socket.getPeerCertificate().serialNumber
  }

  /** Its greeting, asked for over the connection that is open. */
  async ask(): Promise<string> {
    if (this.#socket.destroyed) throw new Error('the connection has ended')
    const ended = new AbortController()
    const end = (): void => ended.abort(new Error('the connection ended'))
    this.#socket.once('close', end)
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(LIMIT)])
    try {
      this.#socket.write(`GET / HTTP/1.1\r\nHost: ${this.#hostName}\r\n\r\n`)
      let text = ''
      while (!/\r\n\r\n.*\n/.test(text)) {
        const [chunk] = (await once(this.#socket, 'data', { signal })) as [Buffer]
        text += chunk.toString()
      }
      return /hello \S+/.exec(text)?.[0] ?? text
    } finally {
      this.#socket.off('close', end)
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}
