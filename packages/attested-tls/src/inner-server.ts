import {
  createServer,
  request as sendRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http'
import { duplexPair } from 'node:stream'
import { within } from './deadline.ts'
import { isCarried, type InnerRequest, type InnerResponse } from './binary-http.ts'
import { AttestedTlsError } from './error.ts'

const channels = new WeakMap<object, 'tls' | 'sealed'>()

/** Remembers what a socket of requests is. */
export function setChannel(socket: object, channel: 'tls' | 'sealed'): void {
  channels.set(socket, channel)
}

/**
 * Over which attested channel a request came: a TLS connection that ends in this process, or sealed to its HPKE key. Undefined
 * for requests of another server.
 */
export function channelOf(request: IncomingMessage): 'tls' | 'sealed' | undefined {
  return channels.get(request.socket)
}

/** Passes sealed requests to a handler of node:http, over connections that never leave the process. */
export class InnerServer {
  readonly #server: Server
  readonly #timeout: number
  readonly #most: number

  constructor(handler: RequestListener, timeout: number, maxResponseBytes: number) {
    this.#server = createServer({ maxHeaderSize: 65_536 }, handler)
    this.#timeout = timeout
    this.#most = maxResponseBytes
  }

  /** The handler's answer, or one of status 502 or 504 where it has none that fits. Never throws. */
  async exchange(inner: InnerRequest): Promise<InnerResponse> {
    const ended = new AbortController()
    try {
      return await within(this.#exchange(inner, ended.signal), this.#timeout, 'No answer')
    } catch (error) {
      const late = error instanceof AttestedTlsError && error.code === 'ERR_ATTESTED_TLS_DEADLINE'
      return failure(late ? 504 : 502)
    } finally {
      ended.abort()
    }
  }

  async #exchange(inner: InnerRequest, signal: AbortSignal): Promise<InnerResponse> {
    const [near, far] = duplexPair()
    const destroy = (): void => {
      near.destroy()
      far.destroy()
    }
    for (const end of [near, far]) end.on('error', () => undefined)
    signal.addEventListener('abort', destroy, { once: true })
    setChannel(far, 'sealed')
    this.#server.emit('connection', far)
    const response = await send(inner, near)
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of response) {
      length += (chunk as Buffer).length
      if (length > this.#most) throw new Error('the answer is too large')
      chunks.push(chunk as Buffer)
    }
    if (!response.complete) throw new Error('the answer broke off')
    return {
      status: response.statusCode as number,
      fields: fieldsOf(response.rawHeaders),
      content: new Uint8Array(Buffer.concat(chunks)),
    }
  }
}

function send(inner: InnerRequest, socket: NodeJS.ReadWriteStream): Promise<IncomingMessage> {
  const { method, path, authority, fields, content } = inner
  return new Promise((resolve, reject) => {
    const request = sendRequest({
      createConnection: () => socket as never,
      ...{ method, path, setHost: false, setDefaultHeaders: false, maxHeaderSize: 65_536 },
      headers: [
        ...['host', authority, 'connection', 'close'],
        ...fields.flat(),
        ...(hasBody(inner) ? ['content-length', String(content.length)] : []),
      ] as never,
    })
    request.on('response', resolve).on('error', reject)
    request.on('upgrade', () => reject(new Error('an upgrade has no place in a sealed response')))
    request.end(content)
  })
}

/** Where there is none and none is meant, no length is said. */
function hasBody({ method, content }: InnerRequest): boolean {
  return content.length > 0 || !['GET', 'HEAD', 'OPTIONS', 'DELETE'].includes(method)
}

/** What belongs to the connection inside stays there; the length is the content's own. */
function fieldsOf(rawHeaders: readonly string[]): [string, string][] {
  const fields: [string, string][] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    if (isCarried(name)) fields.push([name, rawHeaders[index + 1] as string])
  }
  return fields
}

/** What a client is told, sealed, where the handler has no answer that can be carried. */
export function failure(status: 502 | 504): InnerResponse {
  const title = status === 504 ? 'The handler gave no answer in time' : 'The handler failed'
  const body = { type: 'about:blank', title, status, code: 'ERR_ATTESTED_TLS_HANDLER' }
  return {
    status,
    fields: [['content-type', 'application/problem+json']],
    content: new TextEncoder().encode(JSON.stringify(body)),
  }
}
