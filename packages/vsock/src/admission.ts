import type { Server, Socket } from 'node:net'
import type { VsockAddress } from './address.ts'
import type { VsockBinding } from './binding.ts'
import { adoptAccepted, type SocketAddresses } from './socket.ts'

/** What happens between accept(2) and the event `connection`. */
export interface Admission {
  /** Where the server listens, for `address()`. */
  readonly local: VsockAddress
  /** The addon, where accepted sockets write by it. */
  readonly binding?: VsockBinding | undefined
  /** The addresses of an accepted socket, now or later; undefined refuses it. */
  known(socket: Socket): SocketAddresses | undefined | Promise<SocketAddresses | undefined>
}

const admissions = new WeakMap<Server, Admission>()
const received = new WeakSet<Socket>()

/**
 * Puts an admission before the event `connection` of a server, so that nothing sees a socket that is not admitted: an
 * own `emit` of the server, because listeners of that event cannot stop each other. It is gone when the server is closed.
 * Streams that the application itself emits, which the server did not accept, are none of its business.
 */
export function admit(server: Server, admission: Admission): void {
  const first = !admissions.has(server)
  admissions.set(server, admission)
  if (!first) return
  const emit = server.emit.bind(server)
  Object.defineProperties(server, {
    emit: {
      configurable: true,
      writable: true,
      value: (event: string | symbol, ...values: unknown[]): boolean => {
        if (event === 'close') release(server)
        const [socket] = values as [Socket & { server?: unknown }]
        if (event !== 'connection' || socket.server !== server || received.has(socket)) {
          return emit(event, ...values)
        }
        received.add(socket)
        receive(server, socket, emit)
        return true
      },
    },
    address: {
      configurable: true,
      value: () => {
        const { local } = admissions.get(server) as Admission
        return server.listening ? { address: String(local.cid), family: 'VSOCK', ...local } : null
      },
    },
  })
}

function release(server: Server): void {
  admissions.delete(server)
  Reflect.deleteProperty(server, 'emit')
  Reflect.deleteProperty(server, 'address')
}

function receive(server: Server, socket: Socket, emit: Server['emit']): void {
  const admission = admissions.get(server) as Admission
  const known = admission.known(socket)
  const proceed = (addresses: SocketAddresses | undefined): void => {
    if (addresses === undefined || socket.destroyed) socket.destroy()
    else emit('connection', adoptAccepted(socket, addresses, admission.binding))
  }
  if (!(known instanceof Promise)) {
    proceed(known)
    return
  }
  // The failure of a socket that was never handed out is nobody's but its own.
  const ignore = (): void => {}
  socket.on('error', ignore)
  known.then(
    (addresses) => {
      socket.off('error', ignore)
      // Reading the line has set it going.
      if ((server as { pauseOnConnect?: boolean }).pauseOnConnect === true) socket.pause()
      proceed(addresses)
    },
    () => socket.destroy(),
  )
}
