import type { IncomingMessage } from 'node:http'
import { fromBase64Url } from './bytes.ts'
import { AttestedTlsError } from './error.ts'
import { readBody } from './problem.ts'
import { NONCE_LEAST, NONCE_MOST } from './purpose.ts'

/** 512 bytes in base64url. */
const TEXT_MOST = 683

/**
 * The nonce of `GET …?nonce=` in base64url without padding, or of the body of a POST.
 *
 * @throws {AttestedTlsError} `ERR_ATTESTED_TLS_NONCE`, `ERR_ATTESTED_TLS_CONNECTION`
 */
export async function readNonce(request: IncomingMessage, query: string): Promise<Uint8Array> {
  if (request.method === 'POST') return checked(await readBody(request, NONCE_MOST).catch(asNonce))
  const text = /^nonce=([A-Za-z0-9_-]*)$/.exec(query)?.[1]
  return checked(text === undefined || text.length > TEXT_MOST ? undefined : fromBase64Url(text))
}

function checked(nonce: Uint8Array | undefined): Uint8Array {
  if (nonce !== undefined && nonce.length >= NONCE_LEAST && nonce.length <= NONCE_MOST) return nonce
  throw new AttestedTlsError(
    'ERR_ATTESTED_TLS_NONCE',
    `A nonce of ${NONCE_LEAST} to ${NONCE_MOST} bytes expected: ?nonce= in base64url without padding and nothing else, or the body of a POST`,
  )
}

/** Too many bytes are no nonce. */
function asNonce(error: unknown): undefined {
  if (error instanceof AttestedTlsError && error.code === 'ERR_ATTESTED_TLS_SEALED_SIZE') {
    return undefined
  }
  throw error
}
