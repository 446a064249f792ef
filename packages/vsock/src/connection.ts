import type { SocketConstructorOpts } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { addressPart, integerOption, NITRO_PARENT_CID } from './address.ts'
import { AfVsockSocket } from './af-vsock-socket.ts'
import { HybridSocket } from './hybrid-socket.ts'
import { ownOptions, pathOption } from './option.ts'
import { SimulatedSocket } from './simulated-socket.ts'
import { registeredSimulator } from './simulator.ts'
import type { VsockSocket } from './socket.ts'

/** Where a connection goes and how. All of node:net's options for sockets apply too. */
export interface VsockConnectionOptions extends Pick<
  SocketConstructorOpts,
  'allowHalfOpen' | 'onread' | 'signal'
> {
  /** The port: 0 to 4294967295. */
  readonly port: number
  /**
   * The CID of the other machine. Left out, it is the parent of a Nitro Enclave, {@link NITRO_PARENT_CID} (3); in other
   * virtual machines the host is `VMADDR_CID_HOST` (2).
   */
  readonly cid?: number
  /**
   * In place of a CID: the Unix socket of a virtual machine on this host (hybrid vsock of Firecracker, Cloud Hypervisor,
   * vhost-device-vsock). The connection goes to a port of that machine.
   */
  readonly path?: string
  /** Milliseconds until `ETIMEDOUT`: 1 to 3,600,000. 2,000 unless given, as in the kernel. */
  readonly connectTimeout?: number
  /**
   * Bytes that the other side may send before this one reads: 128 to 1 GiB. The kernel's (262,144) unless given. Kernels
   * since 2026 take the smaller of what both ends say, so that more than theirs needs both.
   */
  readonly bufferSize?: number
  /**
   * VMADDR_FLAG_TO_HOST (Linux 5.11): on a parent that has `vhost_vsock` loaded, a CID above 2 is a local virtual machine
   * unless this is true, and an enclave is reached with it only. False unless given.
   */
  readonly toHost?: boolean
  /** Milliseconds without traffic until the event `timeout`, as for node:net. None unless given. */
  readonly timeout?: number
  /** As for streams. */
  readonly highWaterMark?: number
}

const OPTIONS = new Set([
  ...['port', 'cid', 'path', 'connectTimeout', 'bufferSize', 'toHost', 'timeout'],
  ...['highWaterMark', 'allowHalfOpen', 'onread', 'signal'],
])
const HOUR = 3_600_000
const KERNEL_CONNECT_TIMEOUT = 2000

/**
 * Opens a connection, as `net.createConnection` does: it returns at once, and `connect` or `error` follows. What is
 * written before waits. With the simulator registered the same call goes over its Unix sockets.
 *
 * Nothing is known about the other side by then but its CID: on a parent instance every program can answer.
 *
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @throws {VsockError} `ERR_VSOCK_BINDING`, `ERR_VSOCK_SIMULATOR_CONFLICT`, `ERR_VSOCK_SIMULATOR_INVALID`
 *
 * Failed system calls arrive as the event `error`: a {@link VsockSystemError} with `code` (`ECONNRESET` where nobody
 * listens, `ETIMEDOUT`, `ENODEV`), `cid` and `port`.
 *
 * @see vsock(7)
 * @example
 * ```ts
 * import { createConnection } from '@enclavejs/vsock'
 *
 * const socket = createConnection({ cid: 3, port: 5000 }, () => socket.end('hello'))
 * socket.on('error', (error) => console.error(error.message))
 * ```
 */
export function createConnection(
  options: VsockConnectionOptions,
  connectListener?: () => void,
): VsockSocket {
  const given = ownOptions(options, OPTIONS, 'a vsock connection')
  const { timeout, highWaterMark, allowHalfOpen, onread, signal } = given
  // All of it is judged before anything is open: what throws later would leave it so.
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError('signal: expected an AbortSignal')
  }
  if (connectListener !== undefined && typeof connectListener !== 'function') {
    throw new TypeError('connectListener: expected a function')
  }
  if (timeout !== undefined) integerOption('timeout', timeout, 0, 2 ** 31 - 1)
  if (highWaterMark !== undefined) integerOption('highWaterMark', highWaterMark, 0, 2 ** 31 - 1)
  const socketOptions: SocketConstructorOpts = {
    ...(allowHalfOpen === undefined ? {} : { allowHalfOpen }),
    ...(onread === undefined ? {} : { onread: readOnread(onread) }),
    ...(highWaterMark === undefined ? {} : { highWaterMark }),
  }
  const socket = open(given, socketOptions)
  // Not by the constructor: an aborted signal would destroy the socket before its handle is made, and leave that open.
  if (signal !== undefined) addAbortSignal(signal, socket)
  if (timeout !== undefined) socket.setTimeout(timeout)
  if (connectListener !== undefined) socket.once('connect', connectListener)
  return socket
}

type Onread = NonNullable<SocketConstructorOpts['onread']>

/** A copy, taken and its first buffer made before anything is open: either may run the caller's code, and throw. */
function readOnread(onread: Onread): Onread {
  if (typeof onread !== 'object' || onread === null) return onread // of which node:net takes no notice
  const { buffer, callback } = onread as {
    readonly buffer: Uint8Array | (() => Uint8Array)
    readonly callback: (this: void, length: number, bytes: Uint8Array) => boolean
  }
  if (typeof buffer !== 'function') return { buffer, callback }
  let first: Uint8Array | undefined = buffer()
  return {
    buffer: () => {
      const next = first ?? buffer()
      first = undefined
      return next
    },
    callback,
  }
}

function open(options: VsockConnectionOptions, socketOptions: SocketConstructorOpts): VsockSocket {
  const port = addressPart('port', options.port)
  const connectTimeout = integerOption(
    'connectTimeout',
    options.connectTimeout ?? KERNEL_CONNECT_TIMEOUT,
    1,
    HOUR,
  )
  const bufferSize =
    options.bufferSize === undefined
      ? 0
      : integerOption('bufferSize', options.bufferSize, 128, 2 ** 30)
  if (options.toHost !== undefined && typeof options.toHost !== 'boolean') {
    throw new TypeError('toHost: expected true or false')
  }
  if (options.path !== undefined) {
    if (options.toHost === true) throw new TypeError('toHost and path: expected one of them')
    if (options.cid !== undefined) throw new TypeError('cid and path: expected one of them')
    const path = pathOption(options.path)
    return new HybridSocket({ path, port, connectTimeout }, socketOptions)
  }
  const cid = addressPart('cid', options.cid ?? NITRO_PARENT_CID)
  const simulator = registeredSimulator()
  if (simulator !== undefined) return new SimulatedSocket(simulator, { cid, port }, socketOptions)
  const toHost = options.toHost === true
  return new AfVsockSocket({ cid, port, toHost, bufferSize, connectTimeout }, socketOptions)
}

/**
 * Opens a connection and waits until it is made. Aborting `signal` destroys it, before and after.
 *
 * @throws As {@link createConnection}; what arrives there as `error` before `connect` rejects here.
 * @example
 * ```ts
 * import { connect } from '@enclavejs/vsock'
 *
 * await using socket = await connect({ port: 5000, signal: AbortSignal.timeout(5000) })
 * socket.write('hello')
 * ```
 */
export function connect(options: VsockConnectionOptions): Promise<VsockSocket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(options)
    const failed = (error: Error): void => reject(error)
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      resolve(socket)
    })
  })
}
