import type { Server, ServerOpts, Socket } from 'node:net'
import type { Worker } from 'node:worker_threads'
import type { ConnectOptions } from './transport.ts'

/** Writes one line of what is seen. Two transports behave alike when the lines of both ends are the same. */
export type Log = (line: string) => void

/** Keys for TLS, made anew for each run. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** What the listening end of a case has. */
export interface ServeContext {
  readonly log: Log
  readonly certificate: Certificate
  createServer(options: ServerOpts, listener: (socket: Socket) => void): Server
}

/** How a program of its own ended. */
export interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** What the connecting end of a case has. */
export interface CallContext {
  readonly log: Log
  readonly certificate: Certificate
  /** As net.createConnection, to the listening end of the case. */
  connect(options?: ConnectOptions): Socket
  /** The same as a promise. */
  connected(options?: ConnectOptions): Promise<Socket>
  /** To a port where nobody listens. */
  nowhere(options?: ConnectOptions): Socket
  /** The listening end. Only for cases whose ends are together. */
  readonly server: Server
  /** Makes a further server listen, on a port of its own or on that of the case. */
  listen(server: Server, where: 'elsewhere' | 'same', signal?: AbortSignal): void
  /** A connection to a server of {@link CallContext.listen}. */
  connectTo(server: Server, options?: ConnectOptions): Socket
  /** Runs an action of program.ts in a process of its own, or in a thread; it can connect to the listening end. */
  spawn(action: string): Promise<Ended>
  worker(action: string): Worker
  /** As {@link CallContext.connect}, to a port that a thread told. */
  connectToPort(port: number): Socket
}

/** One thing that is tried, with both of its ends. */
export interface Case {
  readonly name: string
  /** The listening end; one that echoes, with half-open connections, unless given. It is made to listen by the suite. */
  readonly serve?: (context: ServeContext) => Server
  /** The connecting end. When it returns, the listening one is closed and its open connections are counted. */
  readonly call: (context: CallContext) => Promise<void>
  /** Both ends must be in one process. */
  readonly together?: true
}

/** What was seen of a case. */
export interface Outcome {
  readonly call: readonly string[]
  readonly serve: readonly string[]
}
