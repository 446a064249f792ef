import { Server, type AddressInfo, type ServerOpts } from 'node:net'
import { listenVsock, type VsockListenOptions } from './listener.ts'
import type { VsockSocket } from './socket.ts'

/** Where a server listens. `address` is the CID as text, so that it has the form of node:net's. */
export interface VsockServerAddress extends AddressInfo {
  family: 'VSOCK'
  cid: number
}

/** A `net.Server` that listens on AF_VSOCK. Made by {@link createServer}. */
export class VsockServer extends Server {
  /** As {@link listenVsock}. Other forms of node:net's `listen` are a `TypeError`: they would open another door. */
  override listen(options: VsockListenOptions, listeningListener?: () => void): this
  override listen(...values: readonly unknown[]): this
  override listen(options: unknown, ...rest: readonly unknown[]): this {
    if (typeof options !== 'object' || options === null) {
      throw new TypeError('listen: expected { port, … }: this server listens on vsock')
    }
    return listenVsock(this, options as VsockListenOptions, rest[0] as (() => void) | undefined)
  }

  /** Null until it listens. */
  override address(): VsockServerAddress | null {
    return null
  }
}

/**
 * Makes a server, as `net.createServer` does. The sockets of its event `connection` are {@link VsockSocket}.
 *
 * @throws {TypeError} `options` has `allowedCids`, which is for {@link VsockServer.listen}.
 * @example
 * ```ts
 * import { createServer } from '@enclavejs/vsock'
 *
 * const server = createServer((socket) => socket.pipe(socket))
 * server.listen({ port: 5000 })
 * ```
 */
export function createServer(
  options: ServerOpts | ((socket: VsockSocket) => void) = {},
  connectionListener?: (socket: VsockSocket) => void,
): VsockServer {
  const listener = typeof options === 'function' ? options : connectionListener
  // node:net takes any name and says nothing, and this one would be missed.
  if ('allowedCids' in (Object(options) as object)) {
    throw new TypeError('allowedCids: an option of listen, not of createServer')
  }
  const server = new VsockServer(typeof options === 'function' ? {} : options)
  if (listener !== undefined) server.on('connection', (socket) => listener(socket as VsockSocket))
  return server
}
