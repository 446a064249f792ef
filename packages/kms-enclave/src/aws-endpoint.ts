import { setTimeout as sleep } from 'node:timers/promises'
import { readCount, readRoots, readTlsVersion, type KmsClientOptions } from './client-options.ts'
import { ClockSkew } from './clock-skew.ts'
import { CredentialsCache } from './credentials/cache.ts'
import { deadlineError, readDeadlines, within, type Deadlines } from './deadline.ts'
import type { HttpResponse } from './http-exchange.ts'
import { HttpPool } from './http-pool.ts'
import { ownMembers } from './own-members.ts'
import { backoff, remedyFor } from './retry.ts'
import { KmsServiceError, readServiceError } from './service-error.ts'
import { RequestSigner } from './signing.ts'
import { TlsDialer } from './tls-stream.ts'

/** Options of {@link openAwsEndpoint}. */
export interface AwsEndpointOptions
  extends
    Deadlines,
    Pick<
      KmsClientOptions,
      'connect' | 'roots' | 'minTlsVersion' | 'maxSockets' | 'maxAttempts' | 'now' | 'credentials'
    > {
  /** The host to call: the name that is dialed, in SNI, and in the certificate. */
  readonly host: string
  readonly region: string
  /** The service's name in a credential scope: `s3`, `ec2`, `acm`. */
  readonly service: string
}

/** One request to an {@link AwsEndpoint}. */
export interface AwsRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT'
  /** As it goes into the request line: encoded, without a query. */
  readonly path: string
  /** With lower-case names, `host` left out. */
  readonly headers: Readonly<Record<string, string>>
  /** At most 1 MiB. Default: none. */
  readonly body?: Uint8Array
  readonly signal?: AbortSignal
}

/** An answer, whatever its status; at most 64 KiB. */
export interface AwsResponse {
  readonly status: number
  /** With lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
}

/** Another service of AWS than KMS, from inside an enclave. Comes from {@link openAwsEndpoint}. */
export interface AwsEndpoint {
  readonly host: string
  /**
   * Signs and sends a request, again where waiting, other credentials or another clock can help: it must not matter whether it
   * arrives twice.
   *
   * @throws {KmsError} `ERR_KMS_CONNECTION`, `ERR_KMS_TLS`, `ERR_KMS_DEADLINE`, `ERR_KMS_RESPONSE`, `ERR_KMS_RESPONSE_SIZE`,
   * `ERR_KMS_CREDENTIALS`, `ERR_KMS_CLOSED`
   */
  request(request: AwsRequest): Promise<AwsResponse>
  close(): Promise<void>
}

/**
 * What the KMS client has below its operations, for another service: Signature Version 4, TLS that ends here below Amazon's roots
 * over a `Connect`, bounds and deadlines. `@enclavejs/acm-enclave` reads S3 with it.
 *
 * @throws {TypeError} {@link RangeError} naming the option; nothing is dialed yet
 * @example
 * ```ts
 * import { defaultConnect, defaultCredentials, openAwsEndpoint } from '@enclavejs/kms-enclave'
 *
 * const s3 = openAwsEndpoint({
 *   host: 'my-bucket.s3.eu-west-1.amazonaws.com',
 *   region: 'eu-west-1',
 *   service: 's3',
 *   connect: defaultConnect,
 *   credentials: defaultCredentials(),
 * })
 * await s3.close()
 * ```
 */
export function openAwsEndpoint(given: AwsEndpointOptions): AwsEndpoint {
  const options = ownMembers(given)
  const { host, region, service, connect, credentials, now = () => new Date() } = options
  if (!/^[a-z0-9.-]{1,253}$/.test(host)) throw new TypeError('host must be the name of a host')
  if (typeof connect !== 'function') throw new TypeError('connect must be a function')
  const deadlines = readDeadlines(options)
  const maxAttempts = readCount('maxAttempts', options.maxAttempts ?? 3, 10)
  const dialer = new TlsDialer({
    host,
    connect,
    roots: readRoots(options.roots, connect),
    minTlsVersion: readTlsVersion(options.minTlsVersion),
    deadlines,
  })
  const pool = new HttpPool({
    host,
    open: (signal) => dialer.open(signal),
    maxSockets: readCount('maxSockets', options.maxSockets ?? 2, 64),
    deadlines,
  })
  const provider = typeof credentials === 'function' ? credentials : async () => credentials
  const cache = new CredentialsCache(provider, { now })
  const clock = new ClockSkew(now)
  const signer = new RequestSigner(region, service)

  async function attempt(
    { method, path, headers, body = new Uint8Array(), signal }: AwsRequest,
    forceRefresh: boolean,
    left: number,
  ): Promise<{ response: HttpResponse; learned: boolean }> {
    const asked = cache.get(forceRefresh ? { forceRefresh } : {})
    const set = await within(asked, left, 'The call did not end', signal)
    const signingDate = clock.signingDate()
    const signed = await signer.sign({ method, path, host, headers, body }, set, signingDate)
    const timeout = Math.min(deadlines.requestTimeout, left)
    const response = await pool.send({ method, path, headers: signed, body }, timeout, signal)
    clock.learn(response.headers['date'], response.headers['age'])
    return { response, learned: clock.isOff(signingDate) }
  }

  async function request(asked: AwsRequest): Promise<AwsResponse> {
    const { signal } = asked
    const until = performance.now() + deadlines.deadline
    let refreshed = false
    let corrected = false
    let forceRefresh = false
    for (let count = 1; ; count++) {
      signal?.throwIfAborted()
      const left = Math.ceil(until - performance.now())
      if (left <= 0) throw deadlineError(`${host} did not answer`, deadlines.deadline)
      let failure: unknown
      let response: HttpResponse | undefined
      let learned = false
      try {
        ;({ response, learned } = await attempt(asked, forceRefresh, left))
        if (response.status < 400) return response
        failure = refusal(service, response)
      } catch (error) {
        failure = error
      }
      const remedy = remedyFor(failure)
      forceRefresh = remedy === 'credentials' && !refreshed
      if (forceRefresh) {
        refreshed = true
        continue
      }
      if (remedy === 'clock' && learned && !corrected) {
        corrected = true
        continue
      }
      const pause = backoff(count)
      const last = count >= maxAttempts || performance.now() + pause >= until
      if (remedy === 'wait' && !last) {
        try {
          await sleep(pause, undefined, signal === undefined ? {} : { signal })
        } catch {
          throw signal?.reason
        }
      } else if (response !== undefined) return response
      else throw failure
    }
  }

  return { host, request, close: () => pool.close() }
}

/** S3 and EC2 answer in XML, all else in JSON. */
function refusal(service: string, response: HttpResponse): KmsServiceError {
  const start = new TextDecoder().decode(response.body.subarray(0, 4096))
  const [, code] = /<Code>([A-Za-z][A-Za-z0-9.]{0,127})<\/Code>/.exec(start) ?? []
  const read = readServiceError(service, response)
  if (code === undefined) return read
  return new KmsServiceError({
    operation: service,
    kmsCode: code,
    kmsMessage: '',
    status: response.status,
    requestId: undefined,
  })
}
