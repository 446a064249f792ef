import type { RequestListener } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Server } from 'node:net'
import { LONGEST_DEADLINE } from './deadline.ts'
import type { EvidenceLimits, GetEvidence } from './evidence-gate.ts'
import { functionOption, integerOption, ownOptions } from './option.ts'
import type { SealedKeyLimits } from './sealed-keys.ts'
import type { TlsCurve, TlsKey } from './tls-key.ts'

/** A key and certificates, PEM, from elsewhere. Whoever else has the key is trusted with what the connection carries. */
export interface GivenCertificate {
  readonly key: string | Uint8Array
  readonly cert: string | Uint8Array
}

/** A certificate that gives itself to a server and renews itself there: `AcmCertificate` of `@enclavejs/acm-enclave`. */
export interface AttachableCertificate {
  attach(server: HttpsServer): Promise<void>
}

/** Options of `serveAttested`. Unknown names are refused. Times are milliseconds. */
export interface ServeAttestedOptions {
  /** What answers: the application's handler, as `http.createServer` takes it, Express and Fastify included. */
  readonly handler: RequestListener
  /**
   * Whose connections are served: `createServer()` of `@enclavejs/vsock`, or any `net.Server`. It is the caller who makes it
   * listen. Without one, connections come by `server.emit('connection', socket)`, as `acceptProxied` of acm-enclave does.
   */
  readonly listener?: Server
  /**
   * `tls`: HTTPS that ends in this process, and sealed requests inside it. `sealed`: TLS ends before the enclave (a load
   * balancer, a CDN), what arrives is plain HTTP, and nothing but sealed requests is answered. Default `tls`.
   */
  readonly transport?: 'tls' | 'sealed'
  /** The certificate of TLS. Default: a new key, and a certificate that it signs itself. */
  readonly certificate?: GivenCertificate | AttachableCertificate
  /** The curve of the key that is made. Default `P-256`. */
  readonly curve?: TlsCurve
  /** Default: the NSM of this enclave, through `@enclavejs/nsm`. */
  readonly getEvidence?: GetEvidence
  /** Documents at once, 1 to 64; further 64 requests wait. Default 4: the NSM answers one after another. */
  readonly maxConcurrentEvidence?: number
  /** Documents a second, over all clients: 1 to 10000. Default 100. Above it 503 is answered. */
  readonly maxEvidencePerSecond?: number
  /** For one document, waiting included. Default 10000. */
  readonly evidenceTimeout?: number
  /** Connections at once: 1 to 100000. Default 1000. One too many is closed at once. */
  readonly maxConnections?: number
  /** For the TLS handshake. Default 10000. */
  readonly handshakeTimeout?: number
  /** For the head of a request to arrive. Default 10000. */
  readonly headersTimeout?: number
  /** For a whole request to arrive. Default 60000. */
  readonly requestTimeout?: number
  /** How long a connection may be idle between requests. Default 60000. Each new one costs its client a document. */
  readonly keepAliveTimeout?: number
  /** For the handler to answer a sealed request. Default 30000. */
  readonly handlerTimeout?: number
  /** The most bytes of a sealed request: 1 KiB to 64 MiB. Default 1 MiB. */
  readonly maxRequestBytes?: number
  /** The most bytes of the answer to a sealed request: 1 KiB to 64 MiB. Default 4 MiB. */
  readonly maxResponseBytes?: number
  /** Sealed requests under way at once: 1 to 10000. Default 64. Together they hold the two bounds above, each. */
  readonly maxConcurrentSealed?: number
  /** When a new HPKE key is published; the one before opens requests for as long again. 60000 to a day, default an hour. */
  readonly rotateKeyAfter?: number
  /** Sealed requests to one HPKE key: 100 to 1000000. Default 100000, about 12 MB, because each is remembered against replay. */
  readonly maxRequestsPerKey?: number
  /** Origins of the pages that may send sealed requests, as `https://app.example`. Default: all. */
  readonly allowedOrigins?: readonly string[]
}

/** Options after the door. */
export interface ServeSettings {
  readonly handler: RequestListener
  readonly listener: Server | undefined
  readonly transport: 'tls' | 'sealed'
  readonly curve: TlsCurve
  readonly key: TlsKey | undefined
  readonly attachable: AttachableCertificate | undefined
  readonly getEvidence: GetEvidence | undefined
  readonly evidence: EvidenceLimits
  readonly keys: SealedKeyLimits
  readonly allowedOrigins: readonly string[] | undefined
  readonly maxConnections: number
  readonly handshakeTimeout: number
  readonly headersTimeout: number
  readonly requestTimeout: number
  readonly keepAliveTimeout: number
  readonly handlerTimeout: number
  readonly maxRequestBytes: number
  readonly maxResponseBytes: number
  readonly maxConcurrentSealed: number
}

const KNOWN: readonly (keyof ServeAttestedOptions)[] = [
  ...(['handler', 'listener', 'transport', 'certificate', 'curve', 'getEvidence'] as const),
  ...(['maxConcurrentEvidence', 'maxEvidencePerSecond', 'evidenceTimeout'] as const),
  ...(['maxConnections', 'handshakeTimeout', 'headersTimeout', 'requestTimeout'] as const),
  ...(['keepAliveTimeout', 'handlerTimeout', 'maxRequestBytes', 'maxResponseBytes'] as const),
  ...(['maxConcurrentSealed', 'rotateKeyAfter', 'maxRequestsPerKey', 'allowedOrigins'] as const),
]
const MAX_WAITING = 64
const KIB = 1024
const MIB = 1024 * KIB
const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** @throws {TypeError | RangeError} naming the option. */
export function readServeOptions(given: ServeAttestedOptions): ServeSettings {
  const own = ownOptions(given, KNOWN, 'serveAttested')
  const { handler, listener, transport = 'tls', curve = 'P-256' } = own
  if (typeof handler !== 'function') throw new TypeError('handler must be a function')
  if (listener !== undefined && typeof listener.on !== 'function') {
    throw new TypeError('listener must be a net.Server')
  }
  if (transport !== 'tls' && transport !== 'sealed') {
    throw new TypeError("transport must be 'tls' or 'sealed'")
  }
  if (curve !== 'P-256' && curve !== 'P-384')
    throw new TypeError("curve must be 'P-256' or 'P-384'")
  const milliseconds = (name: keyof ServeAttestedOptions, fallback: number): number =>
    integerOption(name, own[name] as number | undefined, fallback, 1, LONGEST_DEADLINE)
  const count = (name: keyof ServeAttestedOptions, fallback: number, least: number, most: number) =>
    integerOption(name, own[name] as number | undefined, fallback, least, most)
  return {
    ...{ handler, listener, transport, curve },
    ...readCertificate(own),
    getEvidence: functionOption('getEvidence', own.getEvidence),
    evidence: {
      maxConcurrent: count('maxConcurrentEvidence', 4, 1, 64),
      maxWaiting: MAX_WAITING,
      maxPerSecond: count('maxEvidencePerSecond', 100, 1, 10_000),
      deadline: milliseconds('evidenceTimeout', 10_000),
    },
    keys: {
      rotateAfter: count('rotateKeyAfter', HOUR, MINUTE, 24 * HOUR),
      maxRequestsPerKey: count('maxRequestsPerKey', 100_000, 100, 1_000_000),
    },
    allowedOrigins: readOrigins(own.allowedOrigins),
    maxConnections: count('maxConnections', 1000, 1, 100_000),
    handshakeTimeout: milliseconds('handshakeTimeout', 10_000),
    headersTimeout: milliseconds('headersTimeout', 10_000),
    requestTimeout: milliseconds('requestTimeout', MINUTE),
    keepAliveTimeout: milliseconds('keepAliveTimeout', MINUTE),
    handlerTimeout: milliseconds('handlerTimeout', 30_000),
    maxRequestBytes: count('maxRequestBytes', MIB, KIB, 64 * MIB),
    maxResponseBytes: count('maxResponseBytes', 4 * MIB, KIB, 64 * MIB),
    maxConcurrentSealed: count('maxConcurrentSealed', 64, 1, 10_000),
  }
}

function readCertificate({
  certificate,
  curve,
  transport,
}: ServeAttestedOptions): Pick<ServeSettings, 'key' | 'attachable'> {
  if (certificate === undefined) return { key: undefined, attachable: undefined }
  if (curve !== undefined || transport === 'sealed') {
    throw new TypeError('certificate: it has a key already, and no TLS without TLS: give one alone')
  }
  if ('attach' in certificate) {
    if (typeof certificate.attach === 'function') return { key: undefined, attachable: certificate }
    throw new TypeError('certificate.attach must be a function')
  }
  const { key, cert } = certificate
  return { key: { key: pemOf(key, 'key'), cert: pemOf(cert, 'cert') }, attachable: undefined }
}

function pemOf(given: string | Uint8Array, name: string): string {
  if (given instanceof Uint8Array) return Buffer.from(given).toString('latin1')
  if (typeof given === 'string') return given
  throw new TypeError(`certificate.${name} must be PEM, as text or bytes`)
}

function readOrigins(given: readonly string[] | undefined): readonly string[] | undefined {
  if (given === undefined) return undefined
  for (const one of given) {
    if (!URL.canParse(one) || new URL(one).origin !== one) {
      throw new TypeError('allowedOrigins must be origins, as https://app.example')
    }
  }
  return [...given]
}
