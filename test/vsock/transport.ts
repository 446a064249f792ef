import {
  createConnection,
  createServer,
  type ListenOptions,
  type Server,
  type ServerOpts,
  type Socket,
  type SocketConstructorOpts,
} from 'node:net'
import * as vsock from '@enclavejs/vsock'
import { listenMuxer } from './muxer.ts'

/** Options of a socket that both node:net and the package have. */
export interface ConnectOptions extends Pick<
  SocketConstructorOpts,
  'allowHalfOpen' | 'onread' | 'signal'
> {
  readonly highWaterMark?: number
  readonly timeout?: number
}

/** A way for two ends to meet; addresses are ports. */
export interface Transport {
  /** From which another process or thread makes the same one. */
  readonly spec: string
  /** A port where nobody listens. */
  readonly nowhere: number
  createServer(options: ServerOpts, listener: (socket: Socket) => void): Server
  /** `listening` or `error` follows. */
  listen(server: Server, port: number | undefined, options: Pick<ListenOptions, 'signal'>): void
  connect(port: number, options: ConnectOptions): Socket
  connected(port: number, options: ConnectOptions): Promise<Socket>
  /** The port where a server listens. */
  portOf(server: Server): number
  close(): Promise<void>
}

/** node:net over TCP loopback: what the others are measured by. */
const tcp: Transport = {
  spec: 'tcp',
  nowhere: 1,
  createServer,
  listen: (server, port, options) => {
    server.listen({ ...options, port: port ?? 0, host: '127.0.0.1' })
  },
  connect: (port, options) => createConnection({ ...options, port, host: '127.0.0.1' }),
  connected: (port, options) =>
    new Promise((resolve, reject) => {
      const socket = tcp.connect(port, options)
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(socket)
      })
    }),
  portOf: (server) => (server.address() as { port: number }).port,
  close: async () => {},
}

let next = 10_000

/**
 * The package. `to` is where its connections go, `at` what its servers listen on. The time to connect is beyond what a busy
 * machine takes.
 */
function vsockTransport(
  spec: string,
  to: { readonly cid: number } | { readonly path: string },
  at: { readonly path?: string },
  close: () => Promise<void> = async () => {},
  connectTimeout = 20_000,
): Transport {
  return {
    spec,
    nowhere: 4_294_900_000,
    createServer: (options, listener) => vsock.createServer(options, listener),
    listen: (server, port, options) => {
      const free = at.path === undefined ? vsock.VMADDR_PORT_ANY : next++
      vsock.listenVsock(server, {
        ...at,
        ...options,
        port: port ?? free,
      } as vsock.VsockListenOptions)
    },
    connect: (port, options) => vsock.createConnection({ ...options, ...to, port, connectTimeout }),
    connected: (port, options) => vsock.connect({ ...options, ...to, port, connectTimeout }),
    portOf: (server) => (server.address() as { port: number }).port,
    close,
  }
}

/**
 * - `tcp`
 * - `vsock`: AF_VSOCK by loopback, or the simulator that is registered
 * - `simulator:DIRECTORY`: registers a simulated vsock first, both ends at CID 16
 * - `hybrid:PATH`: both doors of hybrid vsock, with what stands between them
 * - `host:PATH`: the host's end of a virtual machine
 * - `guest:CID`: the virtual machine's end, with its host at CID
 */
export async function openTransport(spec: string): Promise<Transport> {
  const [kind, rest = ''] = spec.split(/:(.*)/s)
  switch (kind) {
    case 'tcp':
      return tcp
    case 'vsock':
      return vsockTransport(spec, { cid: vsock.VMADDR_CID_LOCAL }, {})
    case 'simulator': {
      const both = { localCid: 16, parentCid: 3 }
      Object.defineProperty(globalThis, Symbol.for('enclavejs.simulator'), {
        configurable: true,
        value: { version: 1, vsock: { directory: rest, ...both } },
      })
      return vsockTransport(spec, { cid: vsock.VMADDR_CID_LOCAL }, {})
    }
    case 'hybrid': {
      const close = await listenMuxer(rest)
      return vsockTransport(spec, { path: rest }, { path: rest }, close)
    }
    case 'host':
      return vsockTransport(spec, { path: rest }, { path: rest })
    case 'guest':
      // Where nobody listens there, nobody answers (differences.ts).
      return vsockTransport(spec, { cid: Number(rest) }, {}, undefined, 4000)
    default:
      throw new Error(`${spec}: no such transport`)
  }
}
