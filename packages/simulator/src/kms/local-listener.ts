import { connect, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Where a simulated service listens: loopback TCP, a free port unless told, or a Unix socket. */
export type ListenAddress =
  { readonly host?: string; readonly port?: number } | { readonly path: string }

/** Where it is to be reached. */
export type ServerAddress =
  { readonly host: string; readonly port: number } | { readonly path: string }

/**
 * Dials the simulated service, whatever host and port are asked for. It needs no `this`, and carries the roots of
 * the service's TLS, where it has TLS.
 */
export interface SimulatedConnect {
  (host: string, port: number, options?: { readonly signal?: AbortSignal }): Promise<Duplex>
  /** In PEM. */
  readonly roots?: readonly string[]
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/** Starts to listen, on nothing but this machine. */
export async function listen(server: Server, where: ListenAddress = {}): Promise<ServerAddress> {
  if ('path' in where) {
    await started(server, { path: where.path })
    return { path: where.path }
  }
  const { host = '127.0.0.1', port = 0 } = where
  if (!LOOPBACK.has(host)) {
    throw new TypeError(`listen.host: expected 127.0.0.1, ::1 or localhost, not ${host}`)
  }
  await started(server, { host, port })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no TCP address')
  return { host, port: address.port }
}

function started(server: Server, where: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Dials the service. */
export function dial(address: ServerAddress, signal: AbortSignal | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error)
      return
    }
    const socket = connect(address)
    const abort = (): void => void socket.destroy(signal?.reason as Error)
    signal?.addEventListener('abort', abort, { once: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      signal?.removeEventListener('abort', abort)
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
