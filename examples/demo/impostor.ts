import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { createServer, type Server } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { decodeAttestationDocument } from '@enclavejs/attestation'
import { ATTESTATION_PATH, SEALED_PATH } from '@enclavejs/attested-tls'
import { serveAttested, type GetEvidence } from '@enclavejs/attested-tls/server'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'

/**
 * Servers that stand in the enclave's place, with the enclave's own software and without its hardware. Each gets its documents from
 * the enclave, whom everybody may ask, or from a forger.
 */
export class Impostor {
  readonly #tlsPort: number
  readonly #sealedUrl: string

  /** The ports of 127.0.0.1 that lead to the enclave. */
  constructor(tlsPort: number, sealedPort: number) {
    this.#tlsPort = tlsPort
    this.#sealedUrl = `http://127.0.0.1:${sealedPort}`
  }

  /** What clients say goes no further than here. */
  async server(transport: 'tls' | 'sealed', getEvidence: GetEvidence): Promise<Server> {
    const listener = createServer()
    await serveAttested({
      ...{ listener, transport, getEvidence },
      handler: (_request, response) => response.end('{"channel":"the attacker"}'),
    })
    return listener
  }

  /** The enclave's document over its TLS key. */
  async documentOverTls(nonce: Uint8Array): Promise<Uint8Array> {
    const path = `${ATTESTATION_PATH}?nonce=${Buffer.from(nonce).toString('base64url')}`
    const host = { host: '127.0.0.1', port: this.#tlsPort, rejectUnauthorized: false }
    const [response] = (await once(get({ ...host, path, agent: false }), 'response')) as [
      IncomingMessage,
    ]
    return new Uint8Array(await buffer(response))
  }

  /** The enclave's document over its HPKE key, with another key in its place. */
  async exchangedKey({ nonce, publicKey }: Parameters<GetEvidence>[0]): Promise<Uint8Array> {
    const query = `?nonce=${Buffer.from(nonce).toString('base64url')}`
    const response = await fetch(this.#sealedUrl + SEALED_PATH + query)
    const document = Buffer.from(await response.arrayBuffer())
    const genuine = decodeAttestationDocument(document).publicKey ?? new Uint8Array()
    document.set(publicKey, document.indexOf(genuine))
    return new Uint8Array(document)
  }

  /** Documents with all that a document of the enclave says, signed under a root of the same name. */
  async forger(genuine: Uint8Array): Promise<GetEvidence> {
    const { moduleId, pcrs } = decodeAttestationDocument(genuine)
    const authority = await createCertificateAuthority()
    return async (fields) => {
      const said = { moduleId, pcrs, timestamp: Date.now(), ...fields }
      return issueAttestationDocument(said, authority.issueLeaf())
    }
  }

  /** Carries what a page and the enclave say to each other, but sealed requests as `carry` wants. */
  relay(carry: (send: () => Promise<Response>) => Promise<Response>): Server {
    return createHttpServer((request, response) => {
      void (async () => {
        const { method = '', headers, url = '' } = request
        const body = method === 'POST' ? new Uint8Array(await buffer(request)) : null
        const type = { 'content-type': headers['content-type'] ?? '' }
        const send = (): Promise<Response> =>
          fetch(this.#sealedUrl + url, { method, headers: type, body })
        const answer = await (body === null ? send() : carry(send))
        response.writeHead(answer.status, {
          'content-type': String(answer.headers.get('content-type')),
        })
        response.end(new Uint8Array(await answer.arrayBuffer()))
      })().catch(() => response.destroy())
    })
  }
}
