import type { TLSSocket } from 'node:tls'
import Pool from 'undici/lib/dispatcher/pool.js'
import type { RequiredDeadlines } from './deadline.ts'
import { KmsError } from './error.ts'
import {
  answerCallback,
  BODY_MAX,
  exchange,
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

/** Sends requests, `POST /` unless told otherwise, to one host over few sockets that are kept open, one request at a time on each. */
export class HttpPool {
  readonly #pool: InstanceType<typeof Pool>
  readonly #host: string
  readonly #ended = new AbortController()

  constructor({ host, open, maxSockets, deadlines }: HttpPoolOptions) {
    this.#host = host
    this.#pool = new Pool(`https://${host}`, {
      connections: maxSockets,
      pipelining: 1,
      maxHeaderSize: HEAD_MAX,
      maxResponseSize: BODY_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Each attempt has one deadline of its own, so these only make sure that nothing is left behind.
      headersTimeout: deadlines.requestTimeout * 2,
      bodyTimeout: deadlines.requestTimeout * 2,
      useMilo: false,
      connect: (_target, callback) => {
        void answerCallback(open(this.#ended.signal), callback)
      },
    })
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
    try {
      return await exchange(this.#pool, request, timeout, signal)
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) throw error
      throw this.#failure(error)
    }
  }

  /** Ends at once: what is under way is refused with `ERR_KMS_CLOSED`. */
  async close(): Promise<void> {
    const error = closedError()
    this.#ended.abort(error)
    await this.#pool.destroy(error)
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
