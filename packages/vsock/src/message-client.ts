import type { Duplex } from 'node:stream'
import { integerOption } from './address.ts'
import { connectUntil } from './connect-until.ts'
import { VsockError } from './error.ts'
import { DEFAULT_MAX_MESSAGE_LENGTH, encodeFrame, LONGEST_MESSAGE, messageLength } from './frame.ts'
import { connectionError, MessagePipeline } from './message-pipeline.ts'
import { ownOptions } from './option.ts'
import { PendingRequest, type MessageRequestOptions } from './pending-request.ts'

/** Options of a {@link MessageClient}. Unknown names are refused. */
export interface MessageClientOptions {
  /**
   * Opens a connection to the server, when the first request needs one and again after one has died. `signal` is aborted
   * after `connectTimeout` and when the client is closed.
   */
  readonly connect: (options: { readonly signal: AbortSignal }) => Promise<Duplex>
  /** The longest request, and the longest response, in bytes: 0 to 2147483647. 1048576 (1 MiB) unless given. */
  readonly maxMessageLength?: number
  /** Requests sent and not answered, at most: 1 to 1024. 32 unless given. */
  readonly maxInFlight?: number
  /** Requests that wait to be sent; the next is refused with `ERR_VSOCK_MESSAGE_BUSY`. 1 to 1000000. 1000 unless given. */
  readonly maxQueued?: number
  /** Milliseconds for a request, waiting and connecting included: 1 to 2147483647. 30000 unless given. */
  readonly deadline?: number
  /** Milliseconds for `connect`: 1 to 2147483647. 10000 unless given. */
  readonly connectTimeout?: number
  /** Milliseconds without a request until the connection is ended. 30000 unless given, half of the server's. */
  readonly idleTimeout?: number
}

const LONGEST_TIME = 2 ** 31 - 1
const REQUEST_OPTIONS = new Set(['signal', 'deadline'])
const CLOSE_OPTIONS = new Set(['deadline'])
const BOUNDS: Readonly<
  Record<
    Exclude<keyof MessageClientOptions, 'connect'>,
    readonly [value: number, least: number, most: number]
  >
> = {
  maxMessageLength: [DEFAULT_MAX_MESSAGE_LENGTH, 0, LONGEST_MESSAGE],
  maxInFlight: [32, 1, 1024],
  maxQueued: [1000, 1, 1_000_000],
  deadline: [30_000, 1, LONGEST_TIME],
  connectTimeout: [10_000, 1, LONGEST_TIME],
  idleTimeout: [30_000, 1, LONGEST_TIME],
}
type Limits = Readonly<Record<keyof typeof BOUNDS, number>>

function readOptions(options: MessageClientOptions): Limits {
  const own = ownOptions(options, new Set(['connect', ...Object.keys(BOUNDS)]), 'a message client')
  if (typeof own.connect !== 'function') throw new TypeError('connect: expected a function')
  const entries = Object.entries(BOUNDS).map(([name, [value, least, most]]) => {
    const given = own[name as keyof Limits]
    return [name, integerOption(name, given ?? value, least, most)]
  })
  return Object.fromEntries(entries) as Limits
}

/**
 * Sends requests to a {@link MessageServer} over one connection, several under way at a time, and gives each its response.
 * It connects when there is something to send, and again after a connection has died; it never sends a request twice.
 * Between requests its connection does not keep the process alive.
 *
 * @example
 * ```ts
 * import { connect, MessageClient } from '@enclavejs/vsock'
 *
 * await using client = new MessageClient({ connect: ({ signal }) => connect({ port: 5000, signal }) })
 * const response = await client.request(new TextEncoder().encode('question'), { deadline: 1000 })
 * console.log(new TextDecoder().decode(response))
 * ```
 */
export class MessageClient implements AsyncDisposable {
  readonly #connect: MessageClientOptions['connect']
  readonly #limits: Limits
  /** Not sent yet, and not settled. */
  readonly #queue = new Set<PendingRequest>()
  readonly #unsettled = new Set<PendingRequest>()
  #connecting: AbortController | undefined
  /** What takes requests now. */
  #pipeline: MessagePipeline | undefined
  /** All whose streams are not closed yet. */
  readonly #pipelines = new Set<MessagePipeline>()
  #closing: Promise<void> | undefined
  #closed: (() => void) | undefined

  /** @throws {TypeError | RangeError} An option is not as described, or is not known. */
  constructor(options: MessageClientOptions) {
    this.#limits = readOptions(options)
    this.#connect = options.connect
  }

  /**
   * Sends a message and gives the response, in memory of its own. The message is copied before this returns.
   *
   * A request that meets its deadline or is aborted gives up its response, not its place: those behind it are answered as
   * if nothing had happened. Whether the server acted on it is not known, as with every error but `ERR_VSOCK_MESSAGE_BUSY`
   * and `ERR_VSOCK_MESSAGE_REMOTE`.
   *
   * @throws {VsockError} `ERR_VSOCK_MESSAGE_REMOTE` with `remoteCode` when the server answers with a code,
   * `ERR_VSOCK_MESSAGE_DEADLINE`, `ERR_VSOCK_MESSAGE_CONNECTION` with its `cause` (no connection, or it ended before the
   * response, or what came was no response), `ERR_VSOCK_MESSAGE_BUSY`, `ERR_VSOCK_MESSAGE_CLOSED`
   * @throws The reason of `signal` when it is aborted
   * @throws {TypeError | RangeError} `message` is no Uint8Array or longer than `maxMessageLength`, or an option is not as
   * described, or is not known.
   */
  async request(message: Uint8Array, options: MessageRequestOptions = {}): Promise<Uint8Array> {
    const { maxMessageLength, maxQueued } = this.#limits
    const length = messageLength(message)
    if (length > maxMessageLength) {
      throw new RangeError(
        `message: expected at most ${maxMessageLength} bytes (maxMessageLength), got ${length}`,
      )
    }
    const given = ownOptions(options, REQUEST_OPTIONS, 'a request')
    const { signal, deadline = this.#limits.deadline } = given
    integerOption('deadline', deadline, 1, LONGEST_TIME)
    signal?.throwIfAborted()
    if (this.#closing !== undefined) throw closedError()
    if (this.#queue.size >= maxQueued) {
      throw new VsockError(
        'ERR_VSOCK_MESSAGE_BUSY',
        `${maxQueued} requests wait to be sent (maxQueued); this one was not taken`,
      )
    }
    const pending = new PendingRequest(encodeFrame(message), deadline, signal)
    this.#unsettled.add(pending)
    this.#queue.add(pending)
    this.#pump()
    try {
      return await pending.response
    } catch (error) {
      this.#queue.delete(pending)
      this.#pipeline?.giveUp()
      throw error
    } finally {
      this.#unsettled.delete(pending)
      this.#finishClosing()
    }
  }

  /**
   * Takes no more requests, waits for those under way, and ends the connection. After `deadline` the rest is rejected with
   * `ERR_VSOCK_MESSAGE_CLOSED`. Never rejects; may be called any number of times.
   *
   * @param options.deadline - milliseconds, 0 to 2147483647. 10000 unless given.
   * @throws {TypeError | RangeError} `deadline` is no such number, or an option is not known.
   */
  close(options: { readonly deadline?: number } = {}): Promise<void> {
    const given = ownOptions(options, CLOSE_OPTIONS, 'close').deadline
    const deadline = integerOption('deadline', given ?? 10_000, 0, LONGEST_TIME)
    this.#closing ??= new Promise((resolve) => {
      this.#closed = resolve
    })
    const timer = setTimeout(() => this.#cut(), deadline)
    this.#finishClosing()
    return this.#closing.finally(() => clearTimeout(timer))
  }

  /** {@link MessageClient.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Sends what may be sent, and connects if there is something to send. */
  #pump(): void {
    if (this.#pipeline === undefined) {
      if (this.#queue.size > 0 && this.#connecting === undefined) void this.#open()
      return
    }
    for (const pending of this.#queue) {
      if (!this.#pipeline.hasRoom) return
      this.#queue.delete(pending)
      if (!pending.settled) this.#pipeline.send(pending)
    }
  }

  /** Connects. It never rejects. */
  async #open(): Promise<void> {
    const connecting = new AbortController()
    const { signal } = connecting
    this.#connecting = connecting
    const timer = setTimeout(() => {
      connecting.abort(new DOMException('connectTimeout has passed', 'TimeoutError'))
    }, this.#limits.connectTimeout)
    try {
      const stream = await connectUntil(signal, () => this.#connect({ signal }))
      this.#use(stream)
    } catch (cause) {
      for (const pending of this.#queue) {
        pending.reject(connectionError('there is no connection to the server', cause))
      }
      this.#queue.clear()
    } finally {
      clearTimeout(timer)
      this.#connecting = undefined
    }
    this.#pump()
    this.#finishClosing()
  }

  #use(stream: Duplex): void {
    if (stream.destroyed) throw new Error('connect gave a connection that is closed')
    const pipeline = new MessagePipeline(stream, this.#limits, {
      room: () => this.#pump(),
      lost: () => {
        if (this.#pipeline === pipeline) this.#pipeline = undefined
        this.#pump()
      },
      closed: () => {
        this.#pipelines.delete(pipeline)
        this.#finishClosing()
      },
    })
    this.#pipelines.add(pipeline)
    this.#pipeline = pipeline
  }

  #finishClosing(): void {
    if (this.#closing === undefined || this.#unsettled.size > 0) return
    this.#connecting?.abort(closedError())
    this.#pipeline?.end()
    if (this.#connecting === undefined && this.#pipelines.size === 0) this.#closed?.()
  }

  #cut(): void {
    for (const pending of this.#unsettled) pending.reject(closedError())
    this.#connecting?.abort(closedError())
    for (const pipeline of this.#pipelines) pipeline.destroy()
  }
}

function closedError(): VsockError {
  return new VsockError('ERR_VSOCK_MESSAGE_CLOSED', 'the message client is closed')
}
