import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SimulatedAccount, SimulatedCredentials } from '../kms/account.ts'
import {
  dial,
  listen,
  type ListenAddress,
  type ServerAddress,
  type SimulatedConnect,
} from '../kms/local-listener.ts'
import { ImdsFaultQueue, type ImdsFault } from './fault.ts'
import { Metadata } from './metadata.ts'
import { RoleCredentials } from './role-credentials.ts'

/** Options of `createSimulatedImds`. */
export interface SimulatedImdsOptions {
  /** Whose credentials are handed out; a simulated KMS given the same account knows them. */
  readonly account: SimulatedAccount
  /** The instance's role: a name, a path with a name or an ARN. */
  readonly role: string
  /** Default `eu-west-1`. */
  readonly region?: string
  /** Default `i-00000000000000000`. */
  readonly instanceId?: string
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: ListenAddress
  /** How long a set of credentials lives, in milliseconds. Default 6 hours. */
  readonly lifetimeMs?: number
  /** A new set is made when less than this is left of the last, in milliseconds. Default 10 minutes. */
  readonly rotateAheadMs?: number
  /** The clock. Default: the system's. */
  readonly now?: () => Date
}

/** One request as it came in. */
export interface RecordedImdsRequest {
  readonly method: string
  readonly path: string
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly status: number | undefined
}

/** The service's own, writable form of an entry. */
type OpenRecord = { -readonly [K in keyof RecordedImdsRequest]: RecordedImdsRequest[K] }

interface Answer {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

const TTL_HEADER = 'x-aws-ec2-metadata-token-ttl-seconds'
const MAX_TTL = 21_600
const MAX_RECORDED = 1000
const MAX_TOKENS = 1000

/**
 * The instance metadata service, version 2 alone: a session token first, then the credentials of the
 * instance's role. Hop limits are not simulated.
 */
export class SimulatedImds {
  /** Dials the service, whatever host and port are asked for. */
  readonly connect: SimulatedConnect = async (_host, _port, { signal } = {}) =>
    dial(this.address(), signal)
  readonly #credentials: RoleCredentials
  readonly #metadata: Metadata
  readonly #now: () => Date
  readonly #server: Server
  /** Session tokens with the time at which they end. */
  readonly #tokens = new Map<string, number>()
  readonly #faults = new ImdsFaultQueue()
  readonly #requests: OpenRecord[] = []
  #address: ServerAddress | undefined

  private constructor(options: SimulatedImdsOptions) {
    const {
      account,
      role,
      region = 'eu-west-1',
      lifetimeMs = 6 * 3_600_000,
      rotateAheadMs = 600_000,
    } = options
    this.#now = options.now ?? (() => new Date())
    const { instanceId = 'i-00000000000000000' } = options
    this.#credentials = new RoleCredentials({
      account,
      role,
      instanceId,
      lifetimeMs,
      rotateAheadMs,
      now: this.#now,
    })
    const credentials = this.#credentials
    this.#metadata = new Metadata({ credentials, account, region, instanceId, now: this.#now })
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => void request.socket.destroy())
    })
  }

  /** What `createSimulatedImds` is. */
  static async open(options: SimulatedImdsOptions): Promise<SimulatedImds> {
    const imds = new SimulatedImds(options)
    imds.#address = await listen(imds.#server, options.listen)
    return imds
  }

  address(): ServerAddress {
    if (this.#address === undefined) throw new Error('the simulated IMDS does not listen')
    return this.#address
  }

  /** `http://127.0.0.1:PORT`, for `AWS_EC2_METADATA_SERVICE_ENDPOINT`; TCP only. */
  get url(): string {
    const address = this.address()
    if ('path' in address) throw new Error('url: this IMDS listens on a Unix socket')
    const host = address.host.includes(':') ? `[${address.host}]` : address.host
    return `http://${host}:${address.port}`
  }

  /** Serves a stream that something else accepted. */
  serve(stream: Duplex): void {
    this.#server.emit('connection', stream)
  }

  /** The set that is given out now. */
  credentials(): SimulatedCredentials {
    return this.#credentials.current()
  }

  /** Makes a new set now; the last one stays valid until it expires. */
  rotate(): SimulatedCredentials {
    return this.#credentials.rotate()
  }

  /** Arms a fault for requests to come. */
  fault(fault: ImdsFault): void {
    this.#faults.arm(fault)
  }

  clearFaults(): void {
    this.#faults.clear()
  }

  /** The last thousand requests, oldest first. */
  get requests(): readonly RecordedImdsRequest[] {
    return [...this.#requests]
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    const path = (request.url ?? '').replace(/\?.*$/s, '')
    const { method = '', headers } = request
    const record: OpenRecord = { method, path, headers, status: undefined }
    this.#requests.push(record)
    if (this.#requests.length > MAX_RECORDED) this.#requests.shift()
    const fault = this.#faults.take(path)
    if (fault?.kind === 'refuse') return void request.socket.destroy()
    if (fault?.kind === 'stall') return
    if (fault?.kind === 'slow') await sleep(fault.delayMs)
    const answer = this.#answer(method, path, headers, fault)
    record.status = answer.status
    response.writeHead(answer.status, {
      'Content-Type': 'text/plain',
      'Content-Length': Buffer.byteLength(answer.body),
      Server: 'EC2ws',
      ...answer.headers,
    })
    response.end(answer.body)
  }

  #answer(
    method: string,
    path: string,
    headers: IncomingMessage['headers'],
    fault: ImdsFault | undefined,
  ): Answer {
    if (fault?.kind === 'status') return { status: fault.status, body: fault.body ?? '' }
    if (fault?.kind === 'malformed') return { status: 200, body: '{"Code":"Success","Acc' }
    if (path === '/latest/api/token') return this.#newToken(method, headers)
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: '' }
    const token = headers['x-aws-ec2-metadata-token']
    const end = typeof token === 'string' ? this.#tokens.get(token) : undefined
    if (end === undefined || end <= this.#now().getTime()) return { status: 401, body: '' }
    const body = this.#metadata.at(path, fault)
    return body === undefined ? { status: 404, body: '' } : { status: 200, body }
  }

  #newToken(method: string, headers: IncomingMessage['headers']): Answer {
    if (method !== 'PUT') return { status: 405, body: '' }
    // A token never goes out through a proxy that says it is one.
    if (headers['x-forwarded-for'] !== undefined) return { status: 403, body: '' }
    const given = headers[TTL_HEADER]
    const ttl = typeof given === 'string' && /^\d{1,5}$/.test(given) ? Number(given) : 0
    if (ttl < 1 || ttl > MAX_TTL) return { status: 400, body: '' }
    const token = `${randomBytes(39).toString('base64url')}==`
    const [oldest] = this.#tokens.keys()
    if (this.#tokens.size >= MAX_TOKENS && oldest !== undefined) this.#tokens.delete(oldest)
    this.#tokens.set(token, this.#now().getTime() + ttl * 1000)
    return { status: 200, body: token, headers: { [TTL_HEADER]: String(ttl) } }
  }
}

/**
 * Starts a simulated IMDS for one instance with one role. It is to be closed.
 *
 * @example
 * ```ts
 * import { createSimulatedImds } from '@enclavejs/simulator/imds'
 * import { createSimulatedAccount } from '@enclavejs/simulator/kms'
 *
 * const account = createSimulatedAccount()
 * await using imds = await createSimulatedImds({ account, role: 'enclave' })
 * const answer = await fetch(`${imds.url}/latest/meta-data/instance-id`)
 * if (answer.status !== 401) throw new Error('version 1 was answered')
 * ```
 */
export function createSimulatedImds(options: SimulatedImdsOptions): Promise<SimulatedImds> {
  return SimulatedImds.open(options)
}
