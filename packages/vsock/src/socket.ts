import { Socket, type SocketConstructorOpts } from 'node:net'
import { Duplex } from 'node:stream'
import type { VsockAddress } from './address.ts'
import type { VsockBinding } from './binding.ts'
import { descriptorOf } from './descriptor.ts'
import { emptyHybrid } from './hybrid-end.ts'
import { Reader, readAccepted } from './reader.ts'
import { explain } from './system-error.ts'

/** The addresses of both ends, as far as they are known. */
export interface SocketAddresses {
  readonly local?: VsockAddress
  readonly remote?: Partial<VsockAddress>
  /** Over a Unix socket of hybrid vsock, which ends as {@link emptyHybrid} says. */
  readonly hybrid?: true
  /** Bytes of the simulator's own, which are not counted. */
  readonly bytesRead?: number
  readonly bytesWritten?: number
}

const addresses = new WeakMap<Socket, SocketAddresses>()

// Not private fields: a socket that node:net accepted has not been through the constructor.
const READS = Symbol('reads')
const BINDING = Symbol('binding')
const SENT = Symbol('sent')

interface Kept {
  /** Whether a {@link Reader} of this package reads for the socket. */
  [READS]?: boolean
  /** The addon, where what is written may go to the descriptor at once. */
  [BINDING]?: VsockBinding
  /** Bytes that went so, which the handle has not counted. */
  [SENT]?: number
}

function kept(socket: Socket): Kept {
  return socket as Kept
}

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
  constructor(options: SocketConstructorOpts = {}) {
    const reader = options.onread === undefined ? new Reader() : undefined
    super(reader === undefined ? options : { ...options, onread: reader.option })
    reader?.attach(this)
    kept(this)[READS] = reader !== undefined
  }

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
    const known = addresses.get(this)
    if (known?.hybrid === true) emptyHybrid(this)
    super._destroy(error === null ? null : explain(error, known?.remote ?? {}), callback)
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

// With its option `onread` node:net stops and starts the handle in these, because it keeps nothing for a reader then. Here
// chunks are kept as ever, and `push` says when to stop.
for (const name of ['pause', 'resume', 'read'] as const) {
  method(name, function (this: VsockSocket, ...values: unknown[]): unknown {
    const { prototype } = kept(this)[READS] === true ? Duplex : Socket
    return (prototype[name] as Method).apply(this, values)
  })
}

method('write', function (this: VsockSocket, chunk: unknown, ...how: unknown[]): unknown {
  const rest = how.length === 0 ? sendNow(this, chunk) : chunk
  return rest === undefined || (Socket.prototype.write as Method).call(this, rest, ...how)
})

type Method = (...values: unknown[]) => unknown

/** An own method, whose type stays node:net's. */
function method(name: string, value: (this: VsockSocket, ...values: never[]) => unknown): void {
  Object.defineProperty(VsockSocket.prototype, name, { configurable: true, writable: true, value })
}

for (const name of ['bytesRead', 'bytesWritten'] as const) {
  const counted = Object.getOwnPropertyDescriptor(Socket.prototype, name)
  Object.defineProperty(VsockSocket.prototype, name, {
    configurable: true,
    get(this: Socket): number {
      const sent = name === 'bytesWritten' ? (kept(this)[SENT] ?? 0) : 0
      return (counted?.get?.call(this) as number) + sent - (addresses.get(this)?.[name] ?? 0)
    },
  })
}

/**
 * Hands a small chunk to the kernel when nothing waits before it: no request of libuv is made for it, and no callback comes
 * in the next tick. Returns what is left to write: undefined when all of it went, the chunk itself when it is not for this
 * way or the kernel did not take it, whatever the reason; the stream then meets the same reason and says it.
 */
function sendNow(socket: VsockSocket, chunk: unknown): unknown {
  const state = kept(socket)
  const binding = state[BINDING]
  if (
    binding === undefined ||
    !(chunk instanceof Uint8Array) ||
    chunk.length === 0 ||
    chunk.length >= socket.writableHighWaterMark ||
    socket.writableLength !== 0 ||
    !socket.writable ||
    socket.connecting ||
    socket.writableCorked !== 0 ||
    // The stream's way puts the timeout off.
    (socket.timeout !== undefined && socket.timeout > 0)
  ) {
    return chunk
  }
  // Asked for each time, so that it is never a number that another socket has by now.
  const fd = descriptorOf(socket)
  const sent = fd === undefined ? 0 : binding.send(fd, chunk)
  if (sent <= 0) return chunk
  state[SENT] = (state[SENT] ?? 0) + sent
  return sent === chunk.length ? undefined : chunk.subarray(sent)
}

export function setAddresses(socket: Socket, known: SocketAddresses): void {
  addresses.set(socket, known)
}

/** Makes a socket that node:net accepted one of this package. `binding` as for {@link writeAtOnce}. */
export function adoptAccepted(
  socket: Socket,
  known: SocketAddresses,
  binding: VsockBinding | undefined,
): VsockSocket {
  setAddresses(socket, known)
  const adopted = Object.setPrototypeOf(socket, VsockSocket.prototype) as VsockSocket
  kept(adopted)[READS] = readAccepted(adopted)
  if (binding !== undefined) writeAtOnce(adopted, binding)
  return adopted
}

/** From now on small chunks go to the kernel at once, by the addon. */
export function writeAtOnce(socket: VsockSocket, binding: VsockBinding): void {
  kept(socket)[BINDING] = binding
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
