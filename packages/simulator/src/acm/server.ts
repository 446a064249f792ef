import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { SimulatedAccount } from '../kms/account.ts'
import { sendAnswer } from '../kms/answer.ts'
import { joinHeaders } from '../kms/canonical-request.ts'
import { FaultQueue, type KmsFault, type KmsFaultScope } from '../kms/fault.ts'
import {
  dial,
  listen,
  type ListenAddress,
  type ServerAddress,
  type SimulatedConnect,
} from '../kms/local-listener.ts'
import { RequestLog, type OpenRecord, type RecordedRequest } from '../kms/request-log.ts'
import type { SimulatedKms } from '../kms/server.ts'
import { createTlsAuthority, issueServerCertificate } from '../kms/tls-authority.ts'
import { Buckets, putObject, type Bucket } from './bucket.ts'
import { CertificateStore, type CertificateOptions } from './certificate-store.ts'
import { RequestHandler } from './request-handler.ts'
import { CertificateIssuer, type IssuedCertificate, type IssueOptions } from './issuer.ts'

/** Options of `createSimulatedAcm`. */
export interface SimulatedAcmOptions {
  /** The accounts whose access keys are known. The first owns certificates and buckets unless told otherwise. */
  readonly accounts: readonly SimulatedAccount[]
  /** The simulated KMS: keys of associated certificates are made there. Its accounts must hold `serviceAccount`. */
  readonly kms: SimulatedKms
  /** Stands for the account of AWS that owns the bucket and the keys of associated certificates. */
  readonly serviceAccount: SimulatedAccount
  /**
   * PCR0, in hex, of the one image that may decrypt associated bundles. Default: 96 times `a`, an image that nobody has, as AWS's
   * is for others. `null`: any enclave of the role.
   */
  readonly imagePcr0?: string | null
  /** Default: that of `kms`. */
  readonly region?: string
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: ListenAddress
  /** Requests that `requests` keeps. Default 1000. */
  readonly recordLimit?: number
  /** The clock. Default: the system's. */
  readonly now?: () => Date
}

/** What goes wrong with an answer of S3, EC2 or ACM, and of which requests: those of KMS's faults that are about any answer. */
export type AcmFault = KmsFaultScope &
  Extract<
    KmsFault,
    {
      readonly kind:
        | 'error'
        | 'refuse'
        | 'reset'
        | 'truncate'
        | 'slow'
        | 'stall'
        | 'unavailable'
        | 'raw-body'
        | 'huge-body'
        | 'huge-headers'
        | 'date'
    }
  >

const MAX_BODY = 1024 * 1024

/**
 * S3, ACM and the three calls of EC2 that associate certificates with roles, over HTTPS on this machine with a CA of its own.
 * Bundles of associated certificates lie where AWS puts them and are renewed on demand.
 */
export class SimulatedAcm {
  readonly region: string
  /** The CA of its TLS, in PEM. */
  readonly ca: string
  /** The root that its certificates end in, in PEM. */
  readonly issuerRoot: string
  /** The bucket of associated certificates. */
  readonly bucketName: string
  /**
   * Dials this server; or the simulated KMS where its host is asked for. `roots` holds the CAs of both.
   */
  readonly connect: SimulatedConnect
  readonly #options: SimulatedAcmOptions
  readonly #buckets = new Buckets()
  readonly #issuer: CertificateIssuer
  readonly #store: CertificateStore
  readonly #handler: RequestHandler
  readonly #server: Server
  readonly #streams = new Set<Duplex>()
  readonly #faults = new FaultQueue()
  readonly #log: RequestLog
  readonly #suffix: string
  readonly #now: () => Date
  #address: ServerAddress | undefined

  /** Use `createSimulatedAcm`. */
  constructor(options: SimulatedAcmOptions) {
    const { kms, serviceAccount, now = () => new Date(), imagePcr0 = 'a'.repeat(96) } = options
    this.#options = options
    this.#now = now
    this.region = options.region ?? kms.region
    this.#suffix = `${this.region}.${this.region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`
    this.#log = new RequestLog(options.recordLimit ?? 1000)
    this.#issuer = new CertificateIssuer(now)
    this.issuerRoot = this.#issuer.root
    const partition = serviceAccount.partition
    this.bucketName = `${partition}-ec2-enclave-certificate-${this.region}-prod`
    const bucket = this.#buckets.create(this.bucketName, {
      ownerAccountId: serviceAccount.accountId,
      region: this.region,
      byRole: true,
    })
    this.#store = new CertificateStore({
      ...{ partition, region: this.region, kms, issuer: this.#issuer, bucket, now },
      owner: serviceAccount,
      imagePcr0: imagePcr0 ?? undefined,
    })
    this.#handler = new RequestHandler({
      ...{ accounts: options.accounts, region: this.region, suffix: this.#suffix },
      ...{
        bucketName: this.bucketName,
        buckets: this.#buckets,
        store: this.#store,
        log: this.#log,
      },
    })
    const tls = createTlsAuthority()
    this.ca = tls.ca
    const connect: SimulatedConnect = async (host, port, given = {}) =>
      kms.hostNames.includes(host)
        ? kms.connect(host, port, given)
        : dial(this.address(), given.signal)
    this.connect = Object.assign(connect, { roots: [tls.ca, kms.ca] })
    const hostNames = ['s3', '*.s3', 'ec2', 'acm'].map((name) => `${name}.${this.#suffix}`)
    this.#server = createServer({
      ...issueServerCertificate(tls, hostNames),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      keepAliveTimeout: 60_000,
    })
    this.#server.on('connection', (stream: Duplex) => {
      this.#log.connections += 1
      this.#streams.add(stream)
      stream.on('error', () => undefined)
      stream.once('close', () => this.#streams.delete(stream))
    })
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.#log.handshakes += 1
      socket.on('error', () => undefined)
    })
    this.#server.on('tlsClientError', (_error, socket) => void socket.destroy())
    this.#server.on('request', (request, response) => {
      this.#serve(request, response).catch(() => void request.socket.destroy())
    })
  }

  /** Starts to listen; `createSimulatedAcm` has called it. */
  async listen(): Promise<void> {
    this.#address = await listen(this.#server, this.#options.listen)
  }

  /** Where it listens. */
  address(): ServerAddress {
    if (this.#address === undefined) throw new Error('the simulated ACM does not listen')
    return this.#address
  }

  /** Serves a stream that something else accepted: a vsock listener, a proxy. */
  serve(stream: Duplex): void {
    this.#server.emit('connection', stream)
  }

  /** Makes an issued certificate without a request. */
  createCertificate(options: CertificateOptions): Promise<string> {
    return this.#store.create({ ...options, accountId: options.accountId ?? this.#first() })
  }

  /** Renews a certificate as ACM does before its end: new key, new certificate, new bundles. */
  renew(certificateArn: string, options: IssueOptions = {}): Promise<void> {
    return this.#store.renew(certificateArn, options)
  }

  /** Certifies a PKCS #10 request, as any CA would. */
  async answerRequest(
    request: string | Uint8Array,
    options: IssueOptions = {},
  ): Promise<IssuedCertificate> {
    return this.#issuer.answer(request, options)
  }

  /** Makes an empty bucket. */
  createBucket(
    name: string,
    options: { readonly accountId?: string; readonly region?: string } = {},
  ): void {
    this.#buckets.create(name, {
      ownerAccountId: options.accountId ?? this.#first(),
      region: options.region ?? this.region,
    })
  }

  /** Writes an object without a request. */
  putObject(bucket: string, key: string, bytes: Uint8Array): void {
    putObject(this.#bucketOf(bucket), key, bytes, this.#now())
  }

  /** Reads an object without a request; undefined where there is none. */
  getObject(bucket: string, key: string): Uint8Array | undefined {
    const object = this.#bucketOf(bucket).objects.get(key)
    return object === undefined ? undefined : Uint8Array.from(object.bytes)
  }

  /** Arms a fault for requests to come, of `operation` (`GetObject`, `PutObject`…) when given. */
  fault(fault: AcmFault): void {
    this.#faults.arm(fault)
  }

  clearFaults(): void {
    this.#faults.clear()
  }

  /** The last requests, oldest first. */
  get requests(): readonly RecordedRequest[] {
    return this.#log.entries
  }

  clearRequests(): void {
    this.#log.clear()
  }

  /** Ends every connection and stops to listen. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const stream of this.#streams) stream.destroy()
    this.#server.closeAllConnections()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #first(): string {
    return this.#options.accounts[0]?.accountId ?? ''
  }

  #bucketOf(name: string): Bucket {
    const bucket = this.#buckets.find(name)
    if (bucket === undefined) throw new TypeError('bucket: expected one that was made here')
    return bucket
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const headers = joinHeaders(request.rawHeaders)
    const socket = request.socket as TLSSocket & { readonly servername?: string | false }
    const { service, operation } = this.#handler.route(request, headers, body)
    const entry: OpenRecord = {
      operation,
      connection: this.#log.handshakes,
      headers: Object.fromEntries(headers),
      rawHeaders: [...request.rawHeaders],
      body: body ?? new Uint8Array(),
      receivedAt: this.#now(),
      tls: {
        protocol: socket.getProtocol() ?? '',
        servername: typeof socket.servername === 'string' ? socket.servername : undefined,
      },
      ...{ principalArn: undefined, status: undefined, errorType: undefined },
      requestId: randomUUID(),
    }
    this.#log.begin(entry)
    const fault = this.#faults.take(operation)
    const outcome = await this.#handler.answer(request, entry, service, body, headers, fault)
    const common = { requestId: entry.requestId, now: entry.receivedAt }
    const isBare = request.method === 'HEAD' || outcome.status === 304
    if (isBare && fault === undefined) {
      response.writeHead(outcome.status, [...(outcome.headers ?? [])].flat())
      response.end()
      return
    }
    await sendAnswer(response, { ...common, ...outcome }, fault, () => socket.destroy())
  }
}

/**
 * Starts simulated S3, ACM and EC2 beside a simulated KMS. To be closed.
 *
 * @example
 * ```ts
 * import { createCertificateAuthority } from '@enclavejs/simulator'
 * import { createSimulatedAcm } from '@enclavejs/simulator/acm'
 * import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
 *
 * const authority = await createCertificateAuthority()
 * const account = createSimulatedAccount()
 * const serviceAccount = createSimulatedAccount({ accountId: '999999999999' })
 * await using kms = await createSimulatedKms({
 *   accounts: [account, serviceAccount],
 *   attestationRoots: [authority.trustAnchor],
 * })
 * await using acm = await createSimulatedAcm({ accounts: [account], kms, serviceAccount })
 * const certificateArn = await acm.createCertificate({ names: ['www.example.com'] })
 * await acm.renew(certificateArn)
 * ```
 */
export async function createSimulatedAcm(options: SimulatedAcmOptions): Promise<SimulatedAcm> {
  if (options.accounts.length === 0) throw new TypeError('accounts: expected at least one')
  const acm = new SimulatedAcm(options)
  await acm.listen()
  return acm
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request) {
    length += (part as Buffer).length
    if (length <= MAX_BODY) parts.push(part as Buffer)
  }
  return length <= MAX_BODY ? new Uint8Array(Buffer.concat(parts)) : undefined
}
