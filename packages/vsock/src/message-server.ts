import type { Server, Socket } from 'node:net'
import { integerOption } from './address.ts'
import { Deadline } from './deadline.ts'
import { DEFAULT_MAX_MESSAGE_LENGTH, LONGEST_MESSAGE } from './frame.ts'
import { MessageConnection } from './message-connection.ts'
import type { MessageHandler } from './message-handler.ts'
import { ownOptions } from './option.ts'

/** Bounds of {@link serveMessages}: integers, times in milliseconds up to 2147483647. Unknown names are refused. */
export interface MessageServerOptions {
  /** The longest request, and the longest response, in bytes: 0 to 2147483647. 1048576 (1 MiB) unless given. */
  readonly maxMessageLength?: number
  /**
   * Connections at a time; the next is answered with `BUSY` and closed. 1000 unless given. At most 100 more are open to be
   * told so, and over TLS those whose handshake is under way are among these: what comes then is cut without a word.
   */
  readonly maxConnections?: number
  /** Requests of one connection at work at a time; those behind are not read meanwhile. 32 unless given. */
  readonly maxInFlight?: number
  /** Bytes of responses of one connection that wait for the peer before nothing more is read. 262144 unless given. */
  readonly highWaterMark?: number
  /**
   * Bytes held for all connections together, in requests and responses. A connection that brings more is answered with
   * `BUSY` and closed. 134217728 (128 MiB) unless given; responses that handlers make can go above.
   */
  readonly maxHeldBytes?: number
  /** From the first byte of a request to its last, waiting for this side not counted: then `TIMEOUT`. 30000 unless given. */
  readonly readTimeout?: number
  /** Without a request, until the connection is ended. 60000 unless given. */
  readonly idleTimeout?: number
  /** For the peer to take a response, until the connection is cut. 30000 unless given. */
  readonly writeTimeout?: number
  /** For the handler, until the peer is told `TIMEOUT` and `signal` is aborted. 30000 unless given. */
  readonly handlerTimeout?: number
}

const LONGEST_TIME = 2 ** 31 - 1
const CLOSE_OPTIONS = new Set(['deadline'])
const MEBIBYTE = 2 ** 20
/** Each option with its default, its least and its most. */
const BOUNDS: Readonly<
  Record<keyof MessageServerOptions, readonly [value: number, least: number, most: number]>
> = {
  maxMessageLength: [DEFAULT_MAX_MESSAGE_LENGTH, 0, LONGEST_MESSAGE],
  maxConnections: [1000, 1, 1_000_000],
  maxInFlight: [32, 1, 1024],
  highWaterMark: [MEBIBYTE / 4, 1, LONGEST_MESSAGE],
  maxHeldBytes: [128 * MEBIBYTE, 1, Number.MAX_SAFE_INTEGER],
  readTimeout: [30_000, 1, LONGEST_TIME],
  idleTimeout: [60_000, 1, LONGEST_TIME],
  writeTimeout: [30_000, 1, LONGEST_TIME],
  handlerTimeout: [30_000, 1, LONGEST_TIME],
}
/** Connections above `maxConnections` that are told so at a time; those above are cut without a word. */
const MAX_REFUSALS = 100

function readOptions(options: MessageServerOptions): Required<MessageServerOptions> {
  const own = ownOptions(options, new Set(Object.keys(BOUNDS)), 'a message server')
  const entries = Object.entries(BOUNDS).map(([name, [value, least, most]]) => {
    const given = own[name as keyof MessageServerOptions]
    return [name, integerOption(name, given ?? value, least, most)]
  })
  return Object.fromEntries(entries) as Required<MessageServerOptions>
}

/** Whether it is a `tls.Server`, whose sockets of the event `connection` are not the decrypted ones. */
function isTls(server: Server): boolean {
  return 'setSecureContext' in server
}

/** Answers messages on the connections of a server. Made by {@link serveMessages}. */
export class MessageServer implements AsyncDisposable {
  readonly #server: Server
  readonly #connections = new Map<Socket, MessageConnection>()
  readonly #refused = new Set<Socket>()
  /** Over TLS, what carries the connections; and those that are none yet, in the handshake. */
  readonly #carriers = new Set<Socket>()
  #held = 0
  #closing: Promise<void> | undefined
  #emptied: (() => void) | undefined

  /** Servers come from {@link serveMessages}. */
  constructor(server: Server, handler: MessageHandler, options: MessageServerOptions = {}) {
    if (typeof handler !== 'function') throw new TypeError('handler: expected a function')
    const limits = readOptions(options)
    const account = (change: number): boolean => {
      this.#held += change
      return change <= 0 || this.#held <= limits.maxHeldBytes
    }
    this.#server = server
    if (isTls(server)) {
      server.on('connection', (socket: Socket) => this.#carry(socket, limits.maxConnections))
    }
    server.on(isTls(server) ? 'secureConnection' : 'connection', (socket: Socket) => {
      const isFull = this.#connections.size >= limits.maxConnections
      if (this.#closing !== undefined || (isFull && this.#refused.size >= MAX_REFUSALS)) {
        socket.destroy()
        return
      }
      const connection = new MessageConnection(socket, handler, limits, account)
      socket.on('close', () => this.#forget(socket))
      if (isFull) {
        this.#refused.add(socket)
        connection.refuse('BUSY')
      } else {
        this.#connections.set(socket, connection)
      }
    })
  }

  /** Connections that are served at present. */
  get connections(): number {
    return this.#connections.size
  }

  /** Bytes held in requests and responses at present. */
  get heldBytes(): number {
    return this.#held
  }

  /**
   * Closes the server: it stops listening, finishes the requests that have begun to arrive, sends their responses, and ends
   * the connections. What is left after `deadline` is cut, and its handlers' signals are aborted. Resolves when no
   * connection of it is open. May be called any number of times; a later call may bring a shorter deadline.
   *
   * A peer whose request is not answered by then has its connection ended without an answer to it.
   *
   * @param options.deadline - milliseconds, 0 to 2147483647. 10000 unless given.
   * @throws {TypeError | RangeError} `deadline` is no such number, or an option is not known.
   */
  close(options: { readonly deadline?: number } = {}): Promise<void> {
    const given = ownOptions(options, CLOSE_OPTIONS, 'close').deadline
    const deadline = integerOption('deadline', given ?? 10_000, 0, LONGEST_TIME)
    const cut = new Deadline(() => {
      for (const socket of [...this.#connections.keys(), ...this.#refused]) socket.destroy()
      this.#cutCarriers()
    })
    this.#closing ??= this.#close()
    cut.start(deadline)
    return this.#closing.finally(() => cut.stop())
  }

  /** {@link MessageServer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #close(): Promise<void> {
    if (this.#server.listening) this.#server.close()
    for (const connection of this.#connections.values()) connection.close()
    return new Promise((resolve) => {
      this.#emptied = resolve
      this.#notice()
    })
  }

  #carry(socket: Socket, maxConnections: number): void {
    const isFull = this.#carriers.size >= maxConnections + MAX_REFUSALS
    if (this.#closing !== undefined || isFull || socket.destroyed) {
      socket.destroy()
      return
    }
    this.#carriers.add(socket)
    socket.on('close', () => this.#forget(socket))
  }

  #cutCarriers(): void {
    for (const socket of this.#carriers) socket.destroy()
  }

  #forget(socket: Socket): void {
    this.#connections.delete(socket)
    this.#refused.delete(socket)
    this.#carriers.delete(socket)
    this.#notice()
  }

  #notice(): void {
    if (this.#emptied === undefined || this.#connections.size + this.#refused.size > 0) return
    this.#cutCarriers() // no request has begun in a handshake
    if (this.#carriers.size === 0) this.#emptied()
  }
}

/**
 * Answers the messages that arrive on a server's connections: requests and responses with the 4-byte big-endian length
 * before each, in order, several under way at a time. Give it the server before it listens: of `@enclavejs/vsock`,
 * `node:net` or `node:tls`.
 *
 * On the wire a request is a frame that holds the message. A response is a frame whose first byte is 0, before the
 * message, or 1, before a code in ASCII: `INTERNAL` (the handler failed), `TIMEOUT`, `TOO_LARGE`, `TRUNCATED`, `BUSY`, or one
 * that the handler chose with a {@link MessageError}. Nothing else of an error is sent. After `TOO_LARGE`, `TRUNCATED`,
 * `BUSY` and the `TIMEOUT` of a request that does not arrive whole, the connection ends.
 *
 * The diagnostics channel `enclavejs:vsock:message` has a {@link VsockMessageEvent} for each request.
 *
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { createServer, serveMessages } from '@enclavejs/vsock'
 *
 * const server = createServer()
 * const messages = serveMessages(server, (message) => message.toReversed(), { maxMessageLength: 65_536 })
 * server.listen({ port: 5000 })
 * process.once('SIGTERM', () => void messages.close({ deadline: 5000 }))
 * ```
 */
export function serveMessages(
  server: Server,
  handler: MessageHandler,
  options: MessageServerOptions = {},
): MessageServer {
  return new MessageServer(server, handler, options)
}
