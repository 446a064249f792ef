import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendDocument } from './attestation-endpoint.ts'
import { decodeInnerRequest, encodeInnerResponse, type InnerRequest } from './binary-http.ts'
import { openRequest, REQUEST_OVERHEAD, splitRequest, type OpenedRequest } from './encapsulation.ts'
import { AttestedTlsError } from './error.ts'
import type { EvidenceGate } from './evidence-gate.ts'
import { failure, type InnerServer } from './inner-server.ts'
import { readNonce } from './nonce.ts'
import { problemOf, readBody, refuse } from './problem.ts'
import { SEALED_REQUEST_TYPE, SEALED_RESPONSE_TYPE, sealedUserData } from './purpose.ts'
import type { SealedKeys } from './sealed-keys.ts'

export interface SealedEndpointParts {
  readonly gate: EvidenceGate
  readonly keys: SealedKeys
  readonly inner: InnerServer
  readonly maxRequestBytes: number
  /** Requests that are read, opened and answered at once. */
  readonly maxConcurrent: number
  /** Undefined: pages of every origin. */
  readonly allowedOrigins: readonly string[] | undefined
}

/** The HPKE half of a server: a document over the current key for a nonce, and sealed requests. */
export class SealedEndpoint {
  readonly #parts: SealedEndpointParts
  #running = 0

  constructor(parts: SealedEndpointParts) {
    this.#parts = parts
  }

  async answer(request: IncomingMessage, response: ServerResponse, query: string): Promise<void> {
    const headers = this.#cors(request)
    try {
      if (request.method === 'OPTIONS') preflight(response, headers)
      else if (request.method === 'GET') {
        const nonce = await readNonce(request, query)
        const { spki } = await this.#parts.keys.current()
        const userData = sealedUserData()
        const document = await this.#parts.gate.ask({ publicKey: spki, nonce, userData })
        sendDocument(response, document, headers)
      } else if (request.method === 'POST') await this.#take(request, response, headers)
      else throw new AttestedTlsError('ERR_ATTESTED_TLS_METHOD', 'GET or POST was expected')
    } catch (error) {
      refuse(request, response, error, headers)
    }
  }

  async #take(
    request: IncomingMessage,
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    if (request.headers['content-type'] !== SEALED_REQUEST_TYPE) {
      const message = `A body of ${SEALED_REQUEST_TYPE} was expected`
      throw new AttestedTlsError('ERR_ATTESTED_TLS_METHOD', message)
    }
    const { maxConcurrent } = this.#parts
    if (this.#running >= maxConcurrent) {
      const message = `${maxConcurrent} sealed requests are under way`
      throw new AttestedTlsError('ERR_ATTESTED_TLS_BUSY', message)
    }
    this.#running++
    try {
      const opened = await this.#open(request)
      const answer = await opened.seal(await this.#act(opened))
      response.writeHead(200, {
        ...headers,
        'content-type': SEALED_RESPONSE_TYPE,
        'content-length': answer.length,
        'cache-control': 'no-store',
      })
      response.end(answer)
    } finally {
      this.#running--
    }
  }

  async #open(request: IncomingMessage): Promise<OpenedRequest> {
    const { keys, maxRequestBytes } = this.#parts
    const message = await readBody(request, maxRequestBytes + REQUEST_OVERHEAD)
    const parts = splitRequest(message)
    const key = keys.find(parts.keyId)
    const opened = await openRequest(key.pair, parts)
    keys.remember(key, parts.encapsulatedSecret)
    return opened
  }

  /** From here on every answer is sealed, refusals too. */
  async #act({ request }: OpenedRequest): Promise<Uint8Array> {
    let inner: InnerRequest
    try {
      inner = decodeInnerRequest(request)
    } catch (error) {
      const { status, body } = problemOf(error)
      const content = new TextEncoder().encode(body)
      return encodeInnerResponse({
        status,
        fields: [['content-type', 'application/problem+json']],
        content,
      })
    }
    const answer = await this.#parts.inner.exchange(inner)
    try {
      return encodeInnerResponse(answer)
    } catch {
      return encodeInnerResponse(failure(502))
    }
  }

  /** No answer depends on a cookie, so a page of any origin may read it: what it can read, it sealed itself. */
  #cors(request: IncomingMessage): Readonly<Record<string, string>> {
    const { allowedOrigins } = this.#parts
    const { origin } = request.headers
    if (allowedOrigins === undefined) return { 'access-control-allow-origin': '*' }
    const isAllowed = origin !== undefined && allowedOrigins.includes(origin)
    return { vary: 'origin', ...(isAllowed && { 'access-control-allow-origin': origin }) }
  }
}

function preflight(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  response.writeHead(204, {
    ...headers,
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': 'content-type',
    'access-control-max-age': '86400',
  })
  response.end()
}
