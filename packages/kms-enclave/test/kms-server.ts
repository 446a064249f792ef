import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import type { TlsOptions, TLSSocket } from 'node:tls'
import type { Connect } from '../src/connect.ts'
import type { Identity } from './tls-authority.ts'

export const HOST = 'kms.eu-west-1.amazonaws.com'
export const KEY_ARN = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
export const CREDENTIALS = {
  accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'token-of-a-session',
}

/** One request as it came. */
export interface Seen {
  readonly operation: string
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
  readonly servername: unknown
  readonly protocol: string | null
  readonly alpn: unknown
}

export type Answer = (seen: Seen, response: ServerResponse) => void

/** An HTTPS server that says what it is told to. */
export class KmsServer {
  readonly seen: Seen[] = []
  /** Connections that were accepted, below TLS. */
  connections = 0
  answer: Answer
  readonly #server: Server

  private constructor(server: Server, answer: Answer) {
    this.#server = server
    this.answer = answer
  }

  static async start(identity: Identity, answer: Answer, tls: TlsOptions = {}): Promise<KmsServer> {
    const server = createServer({ cert: identity.certificate, key: identity.key, ...tls })
    const one = new KmsServer(server, answer)
    server.on('connection', () => one.connections++)
    server.on('request', (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('error', () => undefined)
      request.on('end', () => {
        const socket = request.socket as TLSSocket
        const seen: Seen = {
          operation: String(request.headers['x-amz-target']).replace('TrentService.', ''),
          headers: request.headers,
          body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>,
          servername: (socket as unknown as { servername?: unknown }).servername,
          protocol: socket.getProtocol(),
          alpn: socket.alpnProtocol,
        }
        one.seen.push(seen)
        one.answer(seen, response)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return one
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Dials this server whatever is asked for. */
  get connect(): Connect {
    return dial(this.port)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

export function dial(port: number): Connect {
  return (_host, _port, { signal }) =>
    new Promise((resolve, reject) => {
      const socket = connectTcp({ port, host: '127.0.0.1', ...(signal && { signal }) })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(socket)
      })
    })
}

/** Answers with JSON. */
export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.1',
    'x-amzn-requestid': '11111111-2222-3333-4444-555555555555',
    ...headers,
  })
  response.end(JSON.stringify(body))
}

/** A refusal of KMS. */
export function refuse(response: ServerResponse, type: string, message = '', status = 400): void {
  json(response, status, { __type: type, message })
}
