import type { Duplex } from 'node:stream'
import { AcmError } from '../error.ts'
import { RpcConnection, type ConnectionTimes } from './rpc-server.ts'
import type { TokenStore } from './token-store.ts'

/** What has connections: a `Server` of node:net, a `VsockServer`. */
export interface ConnectionSource {
  on(event: 'connection', listener: (stream: Duplex) => void): unknown
  off(event: 'connection', listener: (stream: Duplex) => void): unknown
}

const TIMES: ConnectionTimes = { handshake: 10_000, transfer: 30_000 }

/** The connections of one token. */
export class TokenDoor {
  readonly #store: TokenStore
  readonly #maxConnections: number
  readonly #times: ConnectionTimes
  readonly #connections = new Set<RpcConnection>()
  readonly #sources = new Set<ConnectionSource>()
  readonly #accept = (stream: Duplex): void => this.serve(stream)
  #closed = false

  constructor(store: TokenStore, maxConnections: number, times: ConnectionTimes = TIMES) {
    this.#store = store
    this.#maxConnections = maxConnections
    this.#times = times
    store.relieve = () => this.#relieve()
  }

  get connections(): number {
    return this.#connections.size
  }

  /** Whether a connection is open that has begun to sign with a key. */
  isUsed(handle: number): boolean {
    return [...this.#connections].some((connection) => connection.hasUsed(handle))
  }

  checkOpen(): void {
    if (this.#closed) throw new AcmError('ERR_ACM_TOKEN_CLOSED', 'The token was closed.')
  }

  serve(stream: Duplex): void {
    if (this.#closed || this.#connections.size >= this.#maxConnections) {
      stream.on('error', () => {})
      stream.destroy()
      return
    }
    const connection = new RpcConnection(this.#store, stream, this.#times)
    this.#connections.add(connection)
    stream.once('close', () => this.#connections.delete(connection))
  }

  /** Ends the connection that has the most sessions, of those that have not logged in: the oldest of several. */
  #relieve(): boolean {
    let most = 0
    let found: RpcConnection | undefined
    for (const connection of this.#connections) {
      const sessions = connection.strangerSessions ?? 0
      if (sessions > most) [most, found] = [sessions, connection]
    }
    found?.close()
    return found !== undefined
  }

  listen(source: ConnectionSource): void {
    this.checkOpen()
    this.#sources.add(source)
    source.on('connection', this.#accept)
  }

  close(): void {
    this.#closed = true
    for (const source of this.#sources) source.off('connection', this.#accept)
    this.#sources.clear()
    for (const connection of this.#connections) connection.close()
  }
}
