import { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import {
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import { readStream, type Connect } from './connect.ts'
import { within, type RequiredDeadlines } from './deadline.ts'
import { KmsError } from './error.ts'

/** The oldest version of TLS that is spoken. KMS speaks both in all regions. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** Ephemeral ECDH and authenticated ciphers alone, in both versions. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  '@SECLEVEL=2',
].join(':')

const PORT = 443

export interface TlsOptions {
  /** The host to dial, the name in SNI, and the name that the certificate must have. */
  readonly host: string
  readonly connect: Connect
  /** PEM certificates, and nothing beside them. */
  readonly roots: readonly string[]
  readonly minTlsVersion: TlsVersion
  readonly deadlines: RequiredDeadlines
}

/** Opens TLS streams that end here, to one host below given roots. */
export class TlsDialer {
  readonly #options: TlsOptions
  readonly #context: SecureContext

  constructor(options: TlsOptions) {
    this.#options = options
    // Everything that has a default which the environment can change is said.
    this.#context = createSecureContext({
      ca: [...options.roots],
      minVersion: options.minTlsVersion,
      maxVersion: 'TLSv1.3',
      ciphers: CIPHERS,
      ecdhCurve: 'auto',
      allowPartialTrustChain: false,
    })
  }

  /**
   * Dials and shakes hands.
   *
   * @throws {KmsError} `ERR_KMS_CONNECTION`, `ERR_KMS_TLS`, `ERR_KMS_DEADLINE`
   */
  async open(signal: AbortSignal): Promise<TLSSocket> {
    const stream = await this.#dial(signal)
    const { host, deadlines } = this.#options
    const socket = connectTls({
      socket: stream,
      servername: host,
      secureContext: this.#context,
      rejectUnauthorized: true,
      checkServerIdentity: (_name, { raw }) => checkName(host, raw),
      ALPNProtocols: ['http/1.1'],
      minDHSize: 2048,
    })
    // Node may have been told on its command line to write session keys to a file.
    socket.removeAllListeners('keylog')
    // An error that comes before, or after, somebody else listens must not end the process.
    socket.on('error', () => undefined).once('close', () => stream.destroy())
    stream.on('error', (error) => socket.destroy(error))
    try {
      await within(handshake(socket), deadlines.handshakeTimeout, `No TLS with ${host}`, signal)
    } catch (error) {
      socket.destroy()
      stream.destroy()
      throw error
    }
    if (!socket.readable || !socket.writable) {
      socket.destroy()
      throw endedInHandshake()
    }
    if (!socket.authorized) {
      socket.destroy()
      throw new KmsError('ERR_KMS_TLS', `The certificate of ${host} was not verified`)
    }
    return socket
  }

  async #dial(signal: AbortSignal): Promise<Duplex> {
    const { connect, host, deadlines } = this.#options
    const controller = new AbortController()
    const dialed = (async () =>
      readStream(await connect(host, PORT, { signal: controller.signal })))()
    try {
      return await within(
        dialed,
        deadlines.connectTimeout,
        `No stream to ${host}`,
        signal,
        (late) => late.on('error', () => undefined).destroy(),
      )
    } catch (cause) {
      controller.abort(cause)
      if (cause instanceof KmsError) throw cause
      throw new KmsError('ERR_KMS_CONNECTION', `No stream to ${host}: ${reasonOf(cause)}`, {
        cause,
      })
    }
  }
}

function handshake(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => {
      socket.off('error', failed)
      socket.off('close', closed)
      resolve()
    })
    const failed = (cause: Error): void => reject(tlsFailure(cause))
    const closed = (): void => reject(endedInHandshake())
    socket.on('error', failed)
    socket.on('close', closed)
  })
}

function endedInHandshake(): KmsError {
  return new KmsError('ERR_KMS_CONNECTION', 'The stream ended during the TLS handshake')
}

/** What a broken stream or handshake is in our words. A stream that merely broke may be dialed again. */
export function tlsFailure(cause: unknown): KmsError {
  if (cause instanceof KmsError) return cause
  const reason = reasonOf(cause)
  return BROKEN.has((cause as NodeJS.ErrnoException).code ?? '')
    ? new KmsError('ERR_KMS_CONNECTION', `The stream to KMS broke: ${reason}`, { cause })
    : new KmsError('ERR_KMS_TLS', `TLS with KMS failed: ${reason}`, { cause })
}

const BROKEN: ReadonlySet<string> = new Set([
  ...[
    'ECONNRESET',
    'ECONNREFUSED',
    'EPIPE',
    'ETIMEDOUT',
    'ECONNABORTED',
    'ENOTCONN',
    'EHOSTUNREACH',
  ],
  ...['ENETUNREACH', 'ENODEV', 'ENOENT', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'],
])

/** The code of an error, or its message where it has none. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (typeof code === 'string') return code
  return typeof message === 'string' ? message.slice(0, 200) : 'unknown'
}

/** DNS names of the subject alternative name alone; a wildcard is one whole label, the left-most. */
function checkName(host: string, raw: Uint8Array): Error | undefined {
  const matched = new X509Certificate(raw).checkHost(host, {
    subject: 'never',
    wildcards: true,
    partialWildcards: false,
    multiLabelWildcards: false,
  })
  if (matched !== undefined) return undefined
  return new KmsError('ERR_KMS_TLS', `The certificate that came is not one for ${host}`)
}
