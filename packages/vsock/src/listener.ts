import cluster from 'node:cluster'
import type { Server } from 'node:net'
import { addressPart, integerOption, VMADDR_CID_ANY, VMADDR_CID_HOST } from './address.ts'
import { listenAfVsock } from './af-vsock-listener.ts'
import { findBinding } from './binding.ts'
import { VsockError } from './error.ts'
import { ownOptions, pathOption } from './option.ts'
import { listenSimulated } from './simulated-listener.ts'
import { registeredSimulator } from './simulator.ts'
import type { SocketAddresses } from './socket.ts'
import { isBeginning, listenUnix } from './unix-listener.ts'

/** Where a server listens and whom it takes. */
export interface VsockListenOptions {
  /** The port: 0 to 4294967295. `VMADDR_PORT_ANY` lets the kernel pick; `address()` then tells. */
  readonly port: number
  /** A local CID. `VMADDR_CID_ANY` unless given. */
  readonly cid?: number
  /**
   * In place of a CID: the Unix socket of a virtual machine on this host (hybrid vsock). What the machine opens to
   * CID 2 and `port` arrives at the Unix socket `PATH_PORT`.
   */
  readonly path?: string
  /**
   * Connections of other CIDs are closed before anything sees them. Everyone is taken unless given: in an enclave only
   * the parent can connect, while a parent must say which enclaves it means. The hypervisor vouches for the CID.
   */
  readonly allowedCids?: readonly number[]
  /** Connections that wait to be accepted: 1 to 65535. 4,096 unless given; a full queue answers `ECONNRESET`. */
  readonly backlog?: number
  /**
   * Bytes that a peer may send before this side reads, for every accepted socket: 128 to 1 GiB. The kernel's unless given;
   * kernels since 2026 take the smaller of what both ends say.
   */
  readonly bufferSize?: number
  /** Aborting it closes the server, as for node:net. */
  readonly signal?: AbortSignal
}

const OPTIONS = new Set(['port', 'cid', 'path', 'allowedCids', 'backlog', 'bufferSize', 'signal'])
const BACKLOG = 4096

/**
 * Makes a server of node:net, node:tls, node:http or node:https listen on AF_VSOCK, or, with the simulator registered,
 * on its Unix sockets. `listening` or `error` follows. The sockets of its event `connection` are {@link VsockSocket}.
 *
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @throws {VsockError} `ERR_VSOCK_BINDING`, `ERR_VSOCK_CLUSTER`, `ERR_VSOCK_SIMULATOR_CONFLICT`,
 * `ERR_VSOCK_SIMULATOR_INVALID`
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { listenVsock } from '@enclavejs/vsock'
 *
 * const server = createServer((request, response) => response.end('from the enclave'))
 * listenVsock(server, { port: 8080 })
 * ```
 */
export function listenVsock<T extends Server>(
  server: T,
  options: VsockListenOptions,
  listeningListener?: () => void,
): T {
  const given = ownOptions(options, OPTIONS, 'a vsock listener')
  const port = addressPart('port', given.port)
  const cid = addressPart('cid', given.cid ?? VMADDR_CID_ANY)
  const backlog = integerOption('backlog', given.backlog ?? BACKLOG, 1, 65535)
  const allowed = readAllowedCids(options, given)
  const signal = given.signal === undefined ? {} : { signal: given.signal }
  const path = given.path === undefined ? undefined : pathOption(given.path)
  if (cluster.isWorker) {
    throw new VsockError(
      'ERR_VSOCK_CLUSTER',
      'node:cluster shares a listener through its primary process, which has no AF_VSOCK: listen in one process, or use worker threads',
    )
  }
  if (server.listening || isBeginning(server)) {
    const message = 'Listen method has been called more than once without closing.'
    throw Object.assign(new Error(message), { code: 'ERR_SERVER_ALREADY_LISTEN' }) // as node:net
  }
  if (path !== undefined && given.cid !== undefined) {
    throw new TypeError('cid and path: expected one of them')
  }
  if (path !== undefined && allowed !== undefined) {
    throw new TypeError('allowedCids and path: the path belongs to one virtual machine')
  }
  const bufferSize =
    given.bufferSize === undefined ? 0 : integerOption('bufferSize', given.bufferSize, 128, 2 ** 30)
  const simulator = path === undefined ? registeredSimulator() : undefined
  if (listeningListener !== undefined) server.once('listening', listeningListener)
  if (path !== undefined) {
    const known = (): SocketAddresses => ({ hybrid: true })
    const binding = findBinding()
    const admission = { local: { cid: VMADDR_CID_HOST, port }, binding, known }
    listenUnix(server, `${path}_${port}`, admission, { backlog, ...signal })
  } else if (simulator !== undefined) {
    listenSimulated(server, simulator, { cid, port }, allowed, { backlog, ...signal })
  } else {
    listenAfVsock(server, { cid, port }, bufferSize, allowed, { backlog, ...signal })
  }
  return server
}

/** A copy. What is there in any form but that of a list of CIDs is refused: left out, it lets everyone in. */
function readAllowedCids(
  options: VsockListenOptions,
  { allowedCids }: VsockListenOptions,
): readonly number[] | undefined {
  if (allowedCids === undefined) {
    if (options.allowedCids === undefined) return undefined
    throw new TypeError(
      'allowedCids: expected an own property of the options, not an inherited one',
    )
  }
  if (!Array.isArray(allowedCids)) throw new TypeError('allowedCids: expected a list of CIDs')
  return Array.from(allowedCids, (one: unknown) => addressPart('cid', one))
}
