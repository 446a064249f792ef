import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { AttestedTlsError, type AttestedTlsErrorCode } from './error.ts'

const STATUS: Readonly<Partial<Record<AttestedTlsErrorCode, number>>> = {
  ERR_ATTESTED_TLS_NONCE: 400,
  ERR_ATTESTED_TLS_METHOD: 405,
  ERR_ATTESTED_TLS_NOT_SEALED: 404,
  ERR_ATTESTED_TLS_BUSY: 503,
  ERR_ATTESTED_TLS_EVIDENCE_SOURCE: 503,
  ERR_ATTESTED_TLS_DEADLINE: 408,
  ERR_ATTESTED_TLS_SEALED_REQUEST: 400,
  ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN: 400,
  ERR_ATTESTED_TLS_SEALED_REPLAY: 409,
  ERR_ATTESTED_TLS_SEALED_SIZE: 413,
  ERR_ATTESTED_TLS_BINARY_HTTP: 400,
}
/** RFC 9458 §5.3. */
const KEY_PROBLEM = 'https://iana.org/assignments/http-problem-types#ohttp-key'

/** The status of a refusal, and a problem document (RFC 9457) with its code; of any other error nothing is told. */
export function problemOf(error: unknown): { readonly status: number; readonly body: string } {
  const code = error instanceof AttestedTlsError ? error.code : 'ERR_ATTESTED_TLS_HANDLER'
  const status = STATUS[code] ?? 500
  const known = error instanceof AttestedTlsError && STATUS[code] !== undefined
  const type = code === 'ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN' ? KEY_PROBLEM : 'about:blank'
  const title = known ? error.message : 'The request failed'
  return { status, body: JSON.stringify({ type, title, status, code }) }
}

/** Answers with a refusal. What of the request has not arrived is not waited for. */
export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  headers: OutgoingHttpHeaders = {},
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const { status, body } = problemOf(error)
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 503 && { 'retry-after': '1' }),
    ...(!request.complete && { connection: 'close' }),
  })
  response.end(body)
}

/**
 * The whole body of a request.
 *
 * @throws {AttestedTlsError} `ERR_ATTESTED_TLS_SEALED_SIZE` for more than `most` bytes; `ERR_ATTESTED_TLS_CONNECTION` when it breaks.
 */
export async function readBody(request: IncomingMessage, most: number): Promise<Uint8Array> {
  const tooLarge = (): AttestedTlsError =>
    new AttestedTlsError('ERR_ATTESTED_TLS_SEALED_SIZE', `At most ${most} bytes were expected`)
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLarge()
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += (chunk as Buffer).length
      if (length > most) throw tooLarge()
      chunks.push(chunk as Buffer)
    }
  } catch (cause) {
    if (cause instanceof AttestedTlsError) throw cause
    throw new AttestedTlsError('ERR_ATTESTED_TLS_CONNECTION', 'The request broke', { cause })
  }
  return new Uint8Array(Buffer.concat(chunks))
}
