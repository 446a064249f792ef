import { Socket, type SocketConstructorOpts } from 'node:net'
import type { VsockAddress } from './address.ts'
import { explain } from './system-error.ts'

/** The addresses of both ends, as far as they are known. */
export interface SocketAddresses {
  readonly local?: VsockAddress
  readonly remote?: Partial<VsockAddress>
  /** Bytes of the simulator's own, which are not counted. */
  readonly bytesRead?: number
  readonly bytesWritten?: number
}

const addresses = new WeakMap<Socket, SocketAddresses>()

/**
 * A `net.Socket` whose other end has an AF_VSOCK address. Everything that works on `net.Socket` works on it, except
 * `resetAndDestroy()`, `setKeepAlive()` and `setNoDelay()`, which AF_VSOCK does not have: the first throws as it does for
 * Unix sockets, the others do nothing.
 *
 * A reset by the other side after the connection is made arrives as an end, not as `ECONNRESET` (the kernel's choice):
 * an end proves nothing. Where a cut must be told from an end, use messages with a length (`FrameDecoder`, HTTP).
 * node:tls does not tell either: without the other side's close_notify it emits `end` all the same.
 *
 * `remoteCid` comes from the hypervisor; it tells the machine, never which process of it, and the parent of an enclave
 * can be any program there.
 */
export class VsockSocket extends Socket {
  /** The CID of the other end; undefined until connected, and over a hybrid path. */
  get remoteCid(): number | undefined {
    return addresses.get(this)?.remote?.cid
  }

  /** The CID of this end; undefined until connected. */
  get localCid(): number | undefined {
    return addresses.get(this)?.local?.cid
  }

  /** node:net's `connect` would open TCP: a connection over vsock is made by `createConnection`, and once. */
  override connect(...values: readonly unknown[]): this
  override connect(): this {
    throw new TypeError('connect: this socket is over vsock, and connected by createConnection')
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    super._destroy(
      error === null ? null : explain(error, addresses.get(this)?.remote ?? {}),
      callback,
    )
  }
}

// In place of node:net's, which know IP only.
for (const [name, end] of [
  ['remotePort', 'remote'],
  ['localPort', 'local'],
] as const) {
  Object.defineProperty(VsockSocket.prototype, name, {
    configurable: true,
    get(this: Socket): number | undefined {
      return addresses.get(this)?.[end]?.port
    },
  })
}

for (const name of ['bytesRead', 'bytesWritten'] as const) {
  const counted = Object.getOwnPropertyDescriptor(Socket.prototype, name)
  Object.defineProperty(VsockSocket.prototype, name, {
    configurable: true,
    get(this: Socket): number {
      return (counted?.get?.call(this) as number) - (addresses.get(this)?.[name] ?? 0)
    },
  })
}

export function setAddresses(socket: Socket, known: SocketAddresses): void {
  addresses.set(socket, known)
}

/** Makes a socket that node:net accepted one of this package. It has no state of its own, so that nothing is missing. */
export function adoptAccepted(socket: Socket, known: SocketAddresses): VsockSocket {
  setAddresses(socket, known)
  return Object.setPrototypeOf(socket, VsockSocket.prototype) as VsockSocket
}

/** node:net's own flag: while it is set, its `_read`, `_write` and `_final` wait for the event `connect`. */
export function setConnecting(socket: Socket, connecting: boolean): void {
  Object.assign(socket, { connecting })
}

/** node:net makes a handle for the descriptor, and is not to read from it yet: the placeholder of decision 008. */
export function placeholderOptions(
  fd: number,
  options: SocketConstructorOpts,
): SocketConstructorOpts {
  return { ...options, fd, readable: true, writable: true, ...{ manualStart: true } }
}

/** A failure of the call that opens a socket arrives as its event, as every later one does. */
export function failLater(socket: Socket, error: Error): void {
  process.nextTick(() => socket.destroy(error))
}
