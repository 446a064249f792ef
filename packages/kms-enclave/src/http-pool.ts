import type { TLSSocket } from 'node:tls'
import type { buildConnector, Dispatcher } from 'undici'
import Client from 'undici/lib/dispatcher/client.js'
import type { RequiredDeadlines } from './deadline.ts'
import { KmsError } from './error.ts'
import {
  answerCallback,
  BODY_MAX,
  exchange,
  type Exchange,
  HEAD_MAX,
  sizeError,
  type HttpResponse,
} from './http-exchange.ts'
import { reasonOf, tlsFailure } from './tls-stream.ts'

/** After this long without a request a socket is closed: shorter than what the far end is likely to allow. */
const KEEP_ALIVE_MS = 20_000

export interface HttpRequest {
  /** Default `POST`. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT'
  /** As it goes into the request line. Default `/`. */
  readonly path?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export interface HttpPoolOptions {
  readonly host: string
  /** Gives a stream to speak HTTP/1.1 on. It must end when `signal` says so. */
  readonly open: (signal: AbortSignal) => Promise<TLSSocket>
  readonly maxSockets: number
  readonly deadlines: RequiredDeadlines
}

/** A client of undici has one socket, and opens a new one when it has none. */
type OneSocket = InstanceType<typeof Client>

/**
 * Sends requests, `POST /` unless told otherwise, to one host over few sockets that are kept open, one request at a time on each.
 *
 * undici's own pool hands the next request to a socket only after the one before it was forgotten there; undici then takes the
 * socket for one that was idle, and waits for two rounds of the event loop.
 */
export class HttpPool {
  readonly #host: string
  readonly #ended = new AbortController()
  readonly #make: () => OneSocket
  readonly #maxSockets: number
  readonly #clients: OneSocket[] = []
  /** The one used last comes last, and is taken first. */
  readonly #free: OneSocket[] = []
  /** In the order in which they came. */
  readonly #waiting: Map<Exchange, Dispatcher.DispatchOptions> = new Map()

  constructor({ host, open, maxSockets, deadlines }: HttpPoolOptions) {
    this.#host = host
    this.#maxSockets = maxSockets
    const options = {
      pipelining: 1,
      maxHeaderSize: HEAD_MAX,
      maxResponseSize: BODY_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Each attempt has one deadline of its own, so these only make sure that nothing is left behind.
      headersTimeout: deadlines.requestTimeout * 2,
      bodyTimeout: deadlines.requestTimeout * 2,
      useMilo: false,
      connect: (_target: unknown, callback: buildConnector.Callback) => {
        void answerCallback(open(this.#ended.signal), callback)
      },
    }
    this.#make = () => new Client(`https://${host}`, options)
  }

  /**
   * One attempt.
   *
   * @throws {KmsError} `ERR_KMS_CONNECTION`, `ERR_KMS_TLS`, `ERR_KMS_DEADLINE`, `ERR_KMS_RESPONSE_SIZE`, `ERR_KMS_RESPONSE`,
   * `ERR_KMS_CLOSED`; the reason of `signal`
   */
  async send(
    { method = 'POST', path = '/', headers, body }: HttpRequest,
    timeout: number,
    signal?: AbortSignal,
  ): Promise<HttpResponse> {
    const hasBody = method === 'POST' || method === 'PUT'
    const request = { path, method, headers, body: hasBody ? body : null }
    let waiting: Exchange | undefined
    const begin = (one: Exchange): void => {
      if (!this.#begin(one, request)) waiting = one
    }
    try {
      return await exchange(begin, timeout, signal)
    } catch (error) {
      if (waiting !== undefined) this.#waiting.delete(waiting)
      if (signal?.aborted === true && error === signal.reason) throw error
      throw this.#failure(error)
    }
  }

  /** Ends at once: what is under way is refused with `ERR_KMS_CLOSED`. */
  async close(): Promise<void> {
    const error = closedError()
    this.#ended.abort(error)
    for (const one of this.#waiting.keys()) one.fail(error)
    await Promise.all(this.#clients.map((client) => client.destroy(error)))
  }

  /** Whether there was a socket for it; otherwise it waits for one. */
  #begin(one: Exchange, request: Dispatcher.DispatchOptions): boolean {
    if (this.#ended.signal.aborted) throw closedError()
    const client = this.#free.pop() ?? this.#another()
    if (client === undefined) this.#waiting.set(one, request)
    else this.#dispatch(client, one, request)
    return client !== undefined
  }

  /** A socket more, where there may be one. */
  #another(): OneSocket | undefined {
    if (this.#clients.length >= this.#maxSockets) return undefined
    const client = this.#make()
    this.#clients.push(client)
    return client
  }

  #dispatch(client: OneSocket, one: Exchange, request: Dispatcher.DispatchOptions): void {
    one.left = (answered) => {
      if (answered) this.#next(client)
      // undici is not yet ready for another when it reports a failure.
      else queueMicrotask(() => this.#next(client))
    }
    client.dispatch(request, one)
  }

  #next(client: OneSocket): void {
    for (const [one, request] of this.#waiting) {
      this.#waiting.delete(one)
      // One that was given up a moment ago is not sent.
      if (!one.done) return this.#dispatch(client, one, request)
    }
    this.#free.push(client)
  }

  #failure(error: unknown): Error {
    if (error instanceof KmsError) return error
    const { code = '', name } = error as NodeJS.ErrnoException
    if (code === 'UND_ERR_HEADERS_OVERFLOW') {
      return sizeError('head', HEAD_MAX)
    }
    if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return sizeError('body', BODY_MAX)
    if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') return closedError()
    if (name === 'HTTPParserError' || code.startsWith('HPE_')) {
      return new KmsError('ERR_KMS_RESPONSE', `What ${this.#host} answered is no HTTP/1.1: ${code}`)
    }
    if (code.startsWith('UND_ERR_') || code === '') {
      return new KmsError(
        'ERR_KMS_CONNECTION',
        `The stream to ${this.#host} broke: ${reasonOf(error)}`,
        {
          cause: error,
        },
      )
    }
    return tlsFailure(error)
  }
}

function closedError(): KmsError {
  return new KmsError('ERR_KMS_CLOSED', 'The client was closed')
}
