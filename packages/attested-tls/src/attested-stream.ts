import { randomBytes, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { askApplication, purposeError } from './appraisal.ts'
import { equalBytes, toBase64Url } from './bytes.ts'
import type { AttestedPeer, ClientSettings } from './client-options.ts'
import { publishConnection } from './connection-event.ts'
import { within } from './deadline.ts'
import { askForDocument } from './document-answer.ts'
import { AttestedTlsError } from './error.ts'
import {
  CHANNEL_BINDING_LABEL,
  CHANNEL_BINDING_LENGTH,
  NONCE_LENGTH,
  TLS_PURPOSE,
  tlsUserData,
} from './purpose.ts'

/**
 * A TLS connection that ends in an enclave of the policy: dialed, shaken hands on, and attested on itself, with nothing of the
 * application sent. Whatever else happens it is destroyed.
 *
 * @throws {AttestedTlsError} as the codes say; the reason of `signal`.
 */
export function openAttestedStream(
  peer: AttestedPeer,
  settings: ClientSettings,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return publishConnection(peer, open(peer, settings, signal))
}

async function open(
  peer: AttestedPeer,
  settings: ClientSettings,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const stream = await dial(peer, settings, signal)
  const socket = secure(stream, peer, settings)
  try {
    const { handshakeTimeout, attestationTimeout } = settings
    const what = `No TLS with ${peer.host}`
    await within(handshake(socket, settings), handshakeTimeout, what, { signal })
    const attesting = attest(socket, peer, settings, signal)
    await within(attesting, attestationTimeout, `${peer.host} was not attested`, { signal })
    if (!socket.readable || !socket.writable) throw connectionError('ended')
    return socket
  } catch (error) {
    socket.destroy()
    stream.destroy()
    throw error
  }
}

/** What asks for a connection: undici, node:https. */
export type StreamCallback = (
  ...result: [error: null, socket: TLSSocket] | [error: Error, socket: null]
) => void

/**
 * Gives what was opened to who asked for it. New requests go to it for half of `mostAge`, as who asked sees to; what is then under way
 * may end, but not go on for ever.
 */
export async function answer(
  opening: Promise<TLSSocket>,
  callback: StreamCallback,
  mostAge: number,
): Promise<void> {
  let socket
  try {
    socket = await opening
  } catch (error) {
    callback(error as Error, null)
    return
  }
  const message = 'The connection is too old, and was not done in twice the time of reattestAfter'
  const expired = new AttestedTlsError('ERR_ATTESTED_TLS_DEADLINE', message)
  const timer = setTimeout(() => socket.destroy(expired), mostAge).unref()
  socket.once('close', () => clearTimeout(timer))
  callback(null, socket)
}

async function dial(
  { host, port }: AttestedPeer,
  { connect, connectTimeout }: ClientSettings,
  signal: AbortSignal,
): Promise<Duplex> {
  const controller = new AbortController()
  const dialed = (async () => connect(host, port, { signal: controller.signal }))()
  try {
    const late = (stream: Duplex): void => void stream.on('error', () => undefined).destroy()
    const stream = await within(dialed, connectTimeout, `No stream to ${host}`, { signal, late })
    if (typeof stream?.pipe === 'function' && typeof stream.write === 'function') return stream
    throw new TypeError('connect must give a stream')
  } catch (cause) {
    controller.abort(cause)
    if (cause instanceof AttestedTlsError || cause === signal.reason) throw cause
    throw connectionError(`could not be opened: ${reasonOf(cause)}`, cause)
  }
}

function secure(stream: Duplex, { host }: AttestedPeer, { ca, webPki }: ClientSettings): TLSSocket {
  const socket = connectTls({
    socket: stream,
    servername: isIP(host) === 0 ? host : '',
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
    // Who has the key is what the document says. That the other end has it, TLS 1.3 proves in each handshake.
    rejectUnauthorized: false,
    ...(ca === undefined ? {} : { ca }),
    ...(webPki ? {} : { checkServerIdentity: () => undefined }),
  })
  // Node may have been told on its command line to write session keys to a file.
  socket.removeAllListeners('keylog')
  // Node leaves a socket open whose TLS broke after the handshake, and whoever waits for an answer would wait on.
  socket.on('error', () => socket.destroy()).once('close', () => stream.destroy())
  stream.on('error', (error) => socket.destroy(error))
  return socket
}

function handshake(socket: TLSSocket, settings: ClientSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => {
      const reason = reasonOf(cause)
      const broke = BROKEN.has(reason)
      reject((broke ? connectionError : handshakeError)(`broke in the handshake: ${reason}`, cause))
    }
    const closed = (): void => reject(connectionError('ended during the TLS handshake'))
    socket.on('error', failed).on('close', closed)
    socket.once('secureConnect', () => {
      socket.off('error', failed).off('close', closed)
      try {
        checkHandshake(socket, settings)
        resolve()
      } catch (error) {
        reject(error as Error)
      }
    })
  })
}

function checkHandshake(socket: TLSSocket, { webPki }: ClientSettings): void {
  // No session is offered, so none can be resumed; a resumed one shows no certificate and proves no key.
  if (socket.getProtocol() !== 'TLSv1.3' || socket.isSessionReused()) {
    throw handshakeError('1.3 and a full handshake were expected')
  }
  if (webPki && !socket.authorized) {
    const cause = socket.authorizationError as unknown
    const message = 'The certificate fails the check that webPki asks for'
    throw new AttestedTlsError('ERR_ATTESTED_TLS_CERTIFICATE', message, { cause })
  }
}

async function attest(
  socket: TLSSocket,
  peer: AttestedPeer,
  { appraise, onAttested, attestationTimeout }: ClientSettings,
  signal: AbortSignal,
): Promise<void> {
  const publicKey = peerKey(socket)
  const context = Buffer.alloc(0)
  const binding = socket.exportKeyingMaterial(
    CHANNEL_BINDING_LENGTH,
    CHANNEL_BINDING_LABEL,
    context,
  )
  const expected = tlsUserData(new Uint8Array(binding))
  const nonce = new Uint8Array(randomBytes(NONCE_LENGTH))
  const name = isIP(peer.host) === 6 ? `[${peer.host}]` : peer.host
  const document = await askForDocument(socket, name, toBase64Url(nonce))
  const result = await appraise(document, nonce)
  const { userData } = result
  const label = expected.length - CHANNEL_BINDING_LENGTH
  if (
    userData?.length !== expected.length ||
    !equalBytes(userData.subarray(0, label), expected.subarray(0, label))
  ) {
    throw purposeError(TLS_PURPOSE)
  }
  if (result.publicKey === null || !equalBytes(result.publicKey, publicKey)) {
    throw new AttestedTlsError(
      'ERR_ATTESTED_TLS_KEY',
      'The key of this connection is not the one in the document: somebody ends TLS before the enclave',
    )
  }
  if (!equalBytes(userData, expected)) {
    throw new AttestedTlsError(
      'ERR_ATTESTED_TLS_CHANNEL_BINDING',
      'The document was made on another connection: somebody else has the key of the enclave',
    )
  }
  if (onAttested === undefined) return
  await askApplication(() => onAttested(result, peer), { timeout: attestationTimeout, signal })
}

function peerKey(socket: TLSSocket): Uint8Array {
  const certificate = socket.getPeerX509Certificate()
  if (!(certificate instanceof X509Certificate))
    throw handshakeError('with a certificate was expected')
  return new Uint8Array(certificate.publicKey.export({ type: 'spki', format: 'der' }))
}

/** What is the stream's, and not TLS's. */
const BROKEN: ReadonlySet<string> = new Set([
  ...['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'ENOTCONN', 'ERR_STREAM_PREMATURE_CLOSE'],
])

function handshakeError(why: string, cause?: unknown): AttestedTlsError {
  return new AttestedTlsError('ERR_ATTESTED_TLS_HANDSHAKE', `TLS ${why}`, { cause })
}

function connectionError(why: string, cause?: unknown): AttestedTlsError {
  return new AttestedTlsError('ERR_ATTESTED_TLS_CONNECTION', `The connection ${why}`, { cause })
}

/** The code of an error, or its message where it has none. */
function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (typeof code === 'string') return code
  return typeof message === 'string' ? message.slice(0, 200) : 'unknown'
}
