import { Agent as HttpAgent, type AgentOptions } from 'node:http'
import { Agent as HttpsAgent, type AgentOptions as TlsAgentOptions } from 'node:https'
import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  connect as connectTls,
  type ConnectionOptions as TlsOptions,
  type TLSSocket,
} from 'node:tls'
import { createConnection, type VsockConnectionOptions } from './connection.ts'
import { VsockError } from './error.ts'

/** For a TLS handshake, from when the connection is made, in milliseconds. */
const HANDSHAKE_TIMEOUT = 10_000

/**
 * An agent of node:http whose connections go to one vsock address, whatever the URL says: the URL's host is only the
 * `Host` header. Of its options, `timeout` is that of the sockets, as for `http.Agent`.
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

  override createConnection(options?: Parameters<HttpAgent['createConnection']>[0]): Duplex {
    const socket = createConnection(this.#vsock)
    if (options?.timeout !== undefined) socket.setTimeout(options.timeout)
    return socket
  }
}

/**
 * An agent of node:https whose connections go to one vsock address (a proxy's, which passes bytes on), with TLS inside:
 * the certificate is verified against the URL's host, exactly as without vsock. Sessions are resumed as by
 * `https.Agent`, and `timeout` is that of the sockets. The handshake has 10 seconds: the request then fails with a
 * {@link VsockError} `ERR_VSOCK_TLS_TIMEOUT`. The AWS SDK v3 takes it as `httpsAgent` of its `NodeHttpHandler`.
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
    const given = { ...options, socket } as typeof options
    const secure = super.createConnection(given, callback) as TLSSocket
    // node:tls leaves both to whoever gives it a socket.
    limitHandshake(socket, secure, String(options.host))
    if (options.timeout !== undefined) secure.setTimeout(options.timeout)
    return secure
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

/** Ends a handshake that takes too long. */
function limitHandshake(socket: Socket, secure: TLSSocket, host: string): void {
  let timer: NodeJS.Timeout | undefined
  socket.once('connect', () => {
    if (secure.destroyed) return
    timer = setTimeout(() => {
      const message = `${host}: no TLS handshake within ${HANDSHAKE_TIMEOUT} ms of the connection`
      secure.destroy(new VsockError('ERR_VSOCK_TLS_TIMEOUT', message))
    }, HANDSHAKE_TIMEOUT)
  })
  const stop = (): void => clearTimeout(timer)
  secure.once('secureConnect', stop).once('close', stop)
}

/**
 * What undici's `Agent`, `Pool` and `Client` take as `connect`, and `fetch` through them: connections go to one vsock
 * address, and for `https:` URLs TLS runs inside, verified against the URL's host.
 *
 * @param tls Options of `tls.connect`. `servername` and `socket` are this function's. The handshake has 10 seconds, and fails
 * then with a {@link VsockError} `ERR_VSOCK_TLS_TIMEOUT`.
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
    const failed = (error: Error): void => callback(error, null)
    if (protocol !== 'https:') {
      socket.once('error', failed).once('connect', () => {
        socket.off('error', failed)
        callback(null, socket)
      })
      return
    }
    const secure = connectTls({
      ALPNProtocols: ['http/1.1'],
      ...tls,
      host: hostname,
      servername: servername ?? (isIP(hostname) === 0 ? hostname : ''),
      socket,
    })
    limitHandshake(socket, secure, hostname)
    secure.once('error', failed).once('secureConnect', () => {
      secure.off('error', failed)
      callback(null, secure)
    })
  }
}
