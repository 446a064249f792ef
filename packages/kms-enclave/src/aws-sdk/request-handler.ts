import { readDeadlines, type Deadlines } from '../deadline.ts'
import type { HttpResponse } from '../http-exchange.ts'
import { HttpPool } from '../http-pool.ts'
import { readCount, readRoots, readTlsVersion, type KmsClientOptions } from '../client-options.ts'
import { ownMembers } from '../own-members.ts'
import { TlsDialer } from '../tls-stream.ts'

/** A request of the SDK, the part of it that is looked at. */
interface SdkRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** The way to one host, for the AWS SDK: our TLS over a `Connect`. */
export interface EnclaveHandlerOptions
  extends Deadlines, Pick<KmsClientOptions, 'connect' | 'roots' | 'minTlsVersion' | 'maxSockets'> {}

/** Looks at a request before it leaves: the header `X-Amz-Target`, and the body. */
export type RequestCheck = (target: string | undefined, body: string) => void

const decoder = new TextDecoder('utf-8', { fatal: true })

/** What the AWS SDK sends requests with, for one host alone. The SDK signs, and tries again. */
export class EnclaveRequestHandler {
  readonly #host: string
  readonly #pool: HttpPool
  readonly #requestTimeout: number
  readonly #check: RequestCheck

  /** @param check Throws at what must not leave. */
  constructor(host: string, given: EnclaveHandlerOptions, check: RequestCheck = () => undefined) {
    const options = ownMembers(given)
    const deadlines = readDeadlines(options)
    const { connect } = options
    if (typeof connect !== 'function') throw new TypeError('connect must be a function')
    const dialer = new TlsDialer({
      host,
      connect,
      roots: readRoots(options.roots, connect),
      minTlsVersion: readTlsVersion(options.minTlsVersion),
      deadlines,
    })
    this.#host = host
    this.#check = check
    this.#requestTimeout = deadlines.requestTimeout
    this.#pool = new HttpPool({
      host,
      open: (signal) => dialer.open(signal),
      maxSockets: readCount('maxSockets', options.maxSockets ?? 3, 64),
      deadlines,
    })
  }

  async handle(
    request: SdkRequest,
    options: { readonly abortSignal?: unknown } = {},
  ): Promise<{ response: SdkResponse }> {
    const { protocol, hostname, port, method, path, headers, body } = request
    if (
      protocol !== 'https:' ||
      hostname !== this.#host ||
      (port !== undefined && port !== 443) ||
      method !== 'POST' ||
      path !== '/'
    ) {
      throw new TypeError(
        `The client wants ${method} ${protocol}//${hostname}${path}, and its key is served by https://${this.#host}/: take region and endpoint out of its configuration, or make them those of the key`,
      )
    }
    const text: unknown = body ?? ''
    if (typeof text !== 'string' && !(text instanceof Uint8Array)) {
      throw new TypeError('The body of a request to KMS must be a string or a Uint8Array')
    }
    const target = Object.keys(headers).find((name) => name.toLowerCase() === 'x-amz-target')
    this.#check(
      target === undefined ? undefined : headers[target],
      typeof text === 'string' ? text : decoder.decode(text),
    )
    const signal = options.abortSignal as AbortSignal | undefined
    const response = await this.#pool.send({ headers, body: text }, this.#requestTimeout, signal)
    return { response: sdkResponse(response) }
  }

  /** Asked for by the SDK; nothing here can be changed after the beginning. */
  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {}
  }

  destroy(): void {
    void this.#pool.close().catch(() => undefined)
  }
}

/** What the SDK takes for its own class of answers. */
interface SdkResponse {
  statusCode: number
  headers: Record<string, string>
  body: Uint8Array
}

function sdkResponse({ status, headers, body }: HttpResponse): SdkResponse {
  const flat = Object.entries(headers).map(([name, value = '']) => [
    name,
    typeof value === 'string' ? value : value.join(', '),
  ])
  return { statusCode: status, headers: Object.fromEntries(flat) as Record<string, string>, body }
}
