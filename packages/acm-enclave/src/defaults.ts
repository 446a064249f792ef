import {
  defaultCredentials,
  defaultGetEvidence,
  type Connect,
  type CredentialsProvider,
  type GetEvidence,
} from '@enclavejs/kms-enclave'
import type { Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { AcmError } from './error.ts'

/** The vsock port of the CONNECT door of `enclavejs proxy`. */
const CONNECT_PORT = 8001

/** What an enclave has: a CONNECT door that may lead to these hosts, credentials and the NSM. Nothing is opened yet. */
export function defaultWay(hosts: readonly string[]): {
  readonly connect: Connect
  readonly credentials: CredentialsProvider
  readonly getEvidence: GetEvidence
} {
  const allow = hosts.map((host) => ({ host, port: 443 }))
  return {
    connect: async (host, port, options) => {
      const { createEgress } = await loadVsock()
      const egress = createEgress({ connect: { port: CONNECT_PORT }, allow })
      return egress(host, port, options)
    },
    credentials: defaultCredentials(),
    getEvidence: defaultGetEvidence,
  }
}

/** An address as the parent told it, of a connection. */
export interface ClaimedClient {
  /** The client's address as the parent tells it; undefined where it told none. For logs and limits; never for access. */
  readonly claimedAddress:
    { readonly address: string; readonly family: 4 | 6; readonly port: number } | undefined
}

const claims = new WeakMap<object, ClaimedClient>()

/**
 * Gives a connection of the parent's proxy to a TLS server: reads the PROXY v2 header that `inbound` entries with
 * `proxyProtocol: true` put in front, remembers what it claims, and lets TLS begin. A connection without a well-formed header is
 * destroyed. Use it as the listener of a vsock server.
 *
 * @returns whether the server has the connection now
 * @throws {AcmError} `ERR_ACM_PACKAGE` where @enclavejs/vsock is not installed
 * @example
 * ```ts
 * import { createServer as createHttpsServer } from 'node:https'
 * import { acceptProxied, claimedAddressOf } from '@enclavejs/acm-enclave'
 * import { createServer } from '@enclavejs/vsock'
 *
 * const https = createHttpsServer((request, response) => {
 *   console.log(claimedAddressOf(request.socket)?.address)
 *   response.end('hello')
 * })
 * const vsock = createServer((socket) => void acceptProxied(https, socket))
 * vsock.listen({ port: 8443 })
 * ```
 */
export async function acceptProxied(server: TlsServer, socket: Socket): Promise<boolean> {
  const { readProxyHeader } = await loadVsock()
  try {
    const { claimedAddress } = await readProxyHeader(socket)
    claims.set(socket, { claimedAddress })
    server.emit('connection', socket)
    return true
  } catch {
    socket.destroy()
    return false
  }
}

/**
 * The client's address as the parent told it, for a socket of a server that {@link acceptProxied} feeds: the raw one, or the TLS
 * socket above it. Undefined where none was told.
 */
export function claimedAddressOf(socket: object): ClaimedClient['claimedAddress'] {
  for (const one of [socket, ...below(socket)]) {
    const client = claims.get(one)
    if (client !== undefined) return client.claimedAddress
  }
  return undefined
}

/**
 * What a TLSSocket runs on: Node keeps it in `_parent`, and where that is no net.Socket, in the `stream` of what is there. There is
 * no other way from one to the other.
 */
function below(socket: object): object[] {
  const { _parent: parent } = socket as { readonly _parent?: { readonly stream?: unknown } }
  return [parent, parent?.stream].filter((one) => typeof one === 'object' && one !== null)
}

async function loadVsock(): Promise<typeof import('@enclavejs/vsock')> {
  try {
    return await import('@enclavejs/vsock')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'The default needs @enclavejs/vsock: npm install @enclavejs/vsock'
    throw new AcmError('ERR_ACM_PACKAGE', message, { cause })
  }
}
