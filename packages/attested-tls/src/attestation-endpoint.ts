import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { AttestedTlsError } from './error.ts'
import type { EvidenceGate } from './evidence-gate.ts'
import { readNonce } from './nonce.ts'
import { refuse } from './problem.ts'
import {
  CHANNEL_BINDING_LABEL,
  CHANNEL_BINDING_LENGTH,
  DOCUMENT_TYPE,
  tlsUserData,
} from './purpose.ts'

/**
 * Answers a nonce with a document over the key that this very connection's certificate has, and over the connection's own
 * `tls-exporter` value: whoever passes it on to another connection passes on what is refused there.
 */
export async function answerAttestation(
  gate: EvidenceGate,
  request: IncomingMessage,
  response: ServerResponse,
  query: string,
): Promise<void> {
  try {
    if (request.method !== 'GET' && request.method !== 'POST') {
      throw new AttestedTlsError('ERR_ATTESTED_TLS_METHOD', 'GET or POST was expected')
    }
    const nonce = await readNonce(request, query)
    const { publicKey, channelBinding } = connectionOf(request.socket as TLSSocket)
    const userData = tlsUserData(channelBinding)
    sendDocument(response, await gate.ask({ publicKey, nonce, userData }))
  } catch (error) {
    refuse(request, response, error)
  }
}

/** Sends a document, which is for one nonce alone. */
export function sendDocument(
  response: ServerResponse,
  document: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, {
    ...headers,
    'content-type': DOCUMENT_TYPE,
    'content-length': document.length,
    'cache-control': 'no-store',
  })
  response.end(document)
}

function connectionOf(socket: TLSSocket): { publicKey: Uint8Array; channelBinding: Uint8Array } {
  const certificate = socket.getX509Certificate()
  if (certificate === undefined) {
    throw new AttestedTlsError('ERR_ATTESTED_TLS_CONNECTION', 'The connection is gone')
  }
  const publicKey = new Uint8Array(certificate.publicKey.export({ type: 'spki', format: 'der' }))
  const context = Buffer.alloc(0)
  const exported = socket.exportKeyingMaterial(
    CHANNEL_BINDING_LENGTH,
    CHANNEL_BINDING_LABEL,
    context,
  )
  return { publicKey, channelBinding: new Uint8Array(exported) }
}
