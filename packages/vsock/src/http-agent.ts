import { Agent as HttpAgent, type AgentOptions } from 'node:http'
import { Agent as HttpsAgent, type AgentOptions as TlsAgentOptions } from 'node:https'
import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls'
import { createConnection, type VsockConnectionOptions } from './connection.ts'

/**
 * An agent of node:http whose connections go to one vsock address, whatever the URL says: the URL's host is only the
 * `Host` header.
 *
 * @example
 * ```ts
 * import { get } from 'node:http'
 * import { VsockAgent } from '@enclavejs/vsock'
 *
 * const agent = new VsockAgent({ cid: 16, port: 8080 }, { keepAlive: true })
 * get('http://enclave/status', { agent }, (response) => response.pipe(process.stdout))
 * ```
 */
export class VsockAgent extends HttpAgent {
  readonly #vsock: VsockConnectionOptions

  constructor(vsock: VsockConnectionOptions, options?: AgentOptions) {
    super(options)
    this.#vsock = { ...vsock }
  }

  override createConnection(): Duplex {
    return createConnection(this.#vsock)
  }
}

/**
 * An agent of node:https whose connections go to one vsock address (a proxy's, which passes bytes on), with TLS inside:
 * the certificate is verified against the URL's host, exactly as without vsock. Sessions are resumed as by
 * `https.Agent`. The AWS SDK v3 takes it as `httpsAgent` of its `NodeHttpHandler`.
 *
 * @example
 * ```ts
 * import { get } from 'node:https'
 * import { VsockTlsAgent } from '@enclavejs/vsock'
 *
 * const agent = new VsockTlsAgent({ port: 8000 }, { keepAlive: true, minVersion: 'TLSv1.3' })
 * get('https://kms.eu-west-1.amazonaws.com/', { agent }, (response) => response.resume())
 * ```
 */
export class VsockTlsAgent extends HttpsAgent {
  readonly #vsock: VsockConnectionOptions

  constructor(vsock: VsockConnectionOptions, options?: TlsAgentOptions) {
    super(options)
    this.#vsock = { ...vsock }
  }

  override createConnection(
    options: Parameters<HttpsAgent['createConnection']>[0],
    callback?: Parameters<HttpsAgent['createConnection']>[1],
  ): Duplex | null | undefined {
    // tls.connect takes the given socket in place of the address. node:https keeps the sessions.
    const socket = createConnection(this.#vsock)
    return super.createConnection({ ...options, socket } as typeof options, callback)
  }
}

/** What undici's `connect` option is given and answers: its `buildConnector.connector`. */
export type UndiciConnector = (
  options: {
    readonly hostname: string
    readonly protocol: string
    readonly servername?: string | undefined
  },
  callback: (...result: [error: null, socket: Socket] | [error: Error, socket: null]) => void,
) => void

const HANDSHAKE_TIMEOUT = 10_000

/**
 * What undici's `Agent`, `Pool` and `Client` take as `connect`, and `fetch` through them: connections go to one vsock
 * address, and for `https:` URLs TLS runs inside, verified against the URL's host.
 *
 * @param tls Options of `tls.connect`. `servername` and `socket` are this function's. The handshake has 10 seconds.
 * @example
 * ```ts
 * import { Agent, fetch } from 'undici'
 * import { vsockConnector } from '@enclavejs/vsock'
 *
 * const dispatcher = new Agent({ connect: vsockConnector({ port: 8000 }) })
 * const response = await fetch('https://kms.eu-west-1.amazonaws.com/', { dispatcher })
 * ```
 */
export function vsockConnector(
  vsock: VsockConnectionOptions,
  tls: Omit<TlsOptions, 'socket' | 'servername' | 'host' | 'port' | 'path'> = {},
): UndiciConnector {
  const to = { ...vsock }
  return ({ hostname, protocol, servername }, callback) => {
    const socket = createConnection(to)
    const secure = protocol === 'https:'
    const stream = secure
      ? connectTls({
          ALPNProtocols: ['http/1.1'],
          ...tls,
          host: hostname,
          servername: servername ?? (isIP(hostname) === 0 ? hostname : ''),
          socket,
        })
      : socket
    const timer = secure
      ? setTimeout(() => {
          stream.destroy(
            new Error(`no TLS handshake with ${hostname} within ${HANDSHAKE_TIMEOUT} ms`),
          )
        }, HANDSHAKE_TIMEOUT)
      : undefined
    const failed = (error: Error): void => {
      clearTimeout(timer)
      callback(error, null)
    }
    stream.once('error', failed)
    stream.once(secure ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      stream.off('error', failed)
      callback(null, stream)
    })
  }
}
