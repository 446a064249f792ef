import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { VsockSocket } from '../socket.ts'
import type { Counters, ListenerCounters } from './counters.ts'
import type { RefusedReason } from './event.ts'
import type { LimitOptions } from './options.ts'
import { abort, Relay } from './relay.ts'

const MAX_CONNECTIONS = 1000
const CONNECT_TIMEOUT = 10_000
const IDLE_TIMEOUT = 300_000
/** As many as the kernel's queue holds (`backlog`): a listener that closes takes no more than those. */
const QUEUE_MOST = 4096
/** For how long connections that were cut off may take to close, in milliseconds. */
const CUT_TIME = 500

/** The other end of a connection, connected. */
export interface Reached {
  readonly socket: Socket
  readonly destination: string
  readonly address?: string
  readonly stale?: boolean
}

/** What one kind of listener does with a connection. */
export interface DoorKind {
  /** Takes the server to its port. `listening` or `error` follows. */
  listen(server: Server): void
  /** The other end for a client; undefined when the client was refused, which was told. */
  reach(client: Socket, door: Door): Promise<Reached | undefined>
  /** What is called when {@link reach} fails, and when there are too many connections. The default cuts the client off. */
  fail?(client: Socket, error: unknown, destination: string): void
  full?(client: Socket): void
  /** Of a vsock listener: whom it takes. */
  readonly allowedCids?: readonly number[]
}

/** A failure while a client's destination was reached, with the name of the destination. */
export class ReachError extends Error {
  readonly destination: string

  constructor(destination: string, cause: unknown) {
    super(`${destination} was not reached`, { cause })
    this.name = 'ReachError'
    this.destination = destination
  }
}

let lastId = 0

/**
 * One listener: accepts connections up to its limit, reaches the other end for each and joins the two. Every connection
 * that it accepted ends in exactly one event: `refused`, `failed` or `close`.
 */
export class Door {
  readonly name: string
  readonly connectTimeout: number
  readonly #idleTimeout: number
  readonly #kind: DoorKind
  readonly #counters: Counters
  readonly #own: ListenerCounters
  readonly #server: Server
  #accepted = 0
  /** The connections that are served, with what cuts them off, and those that were cut off. */
  readonly #serving = new Map<Promise<void>, () => void>()
  readonly #cut = new Set<Promise<void>>()

  constructor(name: string, limits: LimitOptions, kind: DoorKind, counters: Counters) {
    this.name = name
    this.connectTimeout = limits.connectTimeout ?? CONNECT_TIMEOUT
    this.#idleTimeout = limits.idleTimeout ?? IDLE_TIMEOUT
    this.#kind = kind
    this.#counters = counters
    this.#own = counters.add(name, limits.maxConnections ?? MAX_CONNECTIONS)
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true })
    this.#server.on('connection', (client) => this.#accept(client))
  }

  /** The port that it listens on, once it does. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** @throws A system error as Node makes it: `EADDRINUSE`, `EACCES`. */
  async listen(): Promise<void> {
    const listening = once(this.#server, 'listening')
    this.#kind.listen(this.#server)
    await listening
    // Accepting failed, mostly for want of descriptors. The listener lives, and so does what is connected.
    this.#server.on('error', () => this.refused('accept'))
    this.#counters.tell({ type: 'listening', listener: this.name, port: this.port })
  }

  /** Counts a client that is not served. */
  refused(reason: RefusedReason, status?: number): void {
    const code = status === undefined ? {} : { status }
    this.#counters.tell({ type: 'refused', listener: this.name, reason, ...code })
  }

  /**
   * Takes no more connections but those that the kernel has taken already, waits until all have ended, and cuts off what
   * is left after so many milliseconds. Gives the number of those, by earlier calls included.
   */
  async close(deadline: number): Promise<number> {
    const end = performance.now() + deadline
    await this.#emptyQueue(end)
    this.#server.close()
    if (!(await this.#ended(Math.max(0, end - performance.now())))) {
      for (const [served, cut] of this.#serving) {
        if (!this.#cut.has(served)) cut()
        this.#cut.add(served)
      }
      // What is being connected to just now is closed as soon as it answers; nobody waits for that.
      await this.#ended(CUT_TIME)
    }
    return this.#cut.size
  }

  /**
   * Until a turn of the event loop brings no connection (libuv accepts one of a listener's at a turn), or as many have come
   * as were in the kernel's queue at most, so that those who go on connecting do not keep it open. On a busy machine that
   * takes its time: who was in the queue has connected, and is served.
   */
  async #emptyQueue(end: number): Promise<void> {
    const most = this.#accepted + QUEUE_MOST
    let seen: number
    do {
      seen = this.#accepted
      // The poll of this turn may be over: the next one's is what counts.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
    } while (seen !== this.#accepted && this.#accepted < most && performance.now() < end)
  }

  /** Whether all connections have ended within so many milliseconds. */
  async #ended(milliseconds: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), milliseconds)
    })
    const ended = Promise.all(this.#serving.keys()).then(() => true)
    try {
      return await Promise.race([ended, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #accept(client: Socket): void {
    this.#accepted++
    // What goes wrong before the two ends are joined shows in `destroyed`.
    client.on('error', () => undefined)
    const { allowedCids } = this.#kind
    if (allowedCids !== undefined && !isAllowed(client as VsockSocket, allowedCids)) {
      client.destroy()
      this.refused('cid')
      return
    }
    if (this.#own.open >= this.#own.limit) {
      if (this.#kind.full === undefined) abort(client)
      else this.#kind.full(client)
      this.refused('cap', this.#kind.full && 503)
      return
    }
    this.#own.open++
    let cut = (): void => abort(client)
    const served = this.#serve(client, (end) => (cut = end)).finally(() => {
      this.#own.open--
      this.#serving.delete(served)
    })
    this.#serving.set(served, () => cut())
  }

  /** Never rejects. */
  async #serve(client: Socket, cuttable: (cut: () => void) => void): Promise<void> {
    const began = performance.now()
    const listener = this.name
    const passed = (): number => performance.now() - began
    let reached: Reached | undefined
    try {
      reached = await this.#kind.reach(client, this)
    } catch (error) {
      const { destination, cause } =
        error instanceof ReachError ? error : { destination: '', cause: error }
      const { code, message } = describe(cause)
      this.#counters.tell({
        ...{ type: 'failed', listener, destination, code, message, duration: passed() },
      })
      if (this.#kind.fail === undefined) abort(client)
      else this.#kind.fail(client, cause, destination)
      return
    }
    if (reached === undefined) return
    const { socket, ...told } = reached
    const id = ++lastId
    this.#counters.tell({ type: 'open', listener, id, ...told, duration: passed() })
    let [bytesUp, bytesDown] = [0, 0]
    const relay = new Relay(client, socket, {
      idleTimeout: this.#idleTimeout,
      up: (bytes) => {
        bytesUp += bytes
        this.#own.bytesUp += bytes
      },
      down: (bytes) => {
        bytesDown += bytes
        this.#own.bytesDown += bytes
      },
    })
    cuttable(() => relay.cut('drain'))
    const { reason, code } = await relay.ended
    this.#counters.tell({
      ...{ type: 'close', listener, id, reason, ...codeField(code) },
      ...{ bytesUp, bytesDown, duration: passed() },
    })
  }
}

function isAllowed({ remoteCid }: VsockSocket, allowedCids: readonly number[]): boolean {
  return remoteCid !== undefined && allowedCids.includes(remoteCid)
}

function codeField(code: string | undefined): { code?: string } {
  return code === undefined ? {} : { code }
}

function describe(error: unknown): { readonly code: string; readonly message: string } {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return {
    code: typeof code === 'string' ? code : 'ERR_VSOCK_PROXY_CONNECT',
    message: typeof message === 'string' ? message : '',
  }
}
