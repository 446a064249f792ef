import type { Socket } from 'node:net'
import { readHead, type HeadFailure } from '../head-reader.ts'
import { measureHead } from '../http-head.ts'
import { parseConnectRequest, type ConnectRequest } from './connect-request.ts'
import type { Destination } from './destination.ts'
import type { DoorKind, Reached } from './door.ts'
import { addressKey } from './ip-address.ts'
import type { ConnectDoorOptions } from './options.ts'
import { reachDestination, vsockListener } from './outbound.ts'

const HEAD_LIMIT = 8192
const HEAD_TIMEOUT = 5000
/** For how long a refused client may take to read why, in milliseconds. */
const LINGER = 1000

/** What is answered, with the error type of RFC 9209 for `Proxy-Status`. */
const ANSWERS: Readonly<Record<number, readonly [phrase: string, error: string]>> = {
  400: ['Bad Request', 'http_request_error'],
  403: ['Forbidden', 'http_request_denied'],
  405: ['Method Not Allowed', 'http_request_denied'],
  408: ['Request Timeout', 'http_request_error'],
  431: ['Request Header Fields Too Large', 'http_request_error'],
  502: ['Bad Gateway', 'destination_unavailable'],
  503: ['Service Unavailable', 'connection_limit_reached'],
  504: ['Gateway Timeout', 'connection_timeout'],
  505: ['HTTP Version Not Supported', 'http_request_error'],
}

/** A vsock port that leads to each of several hosts, asked for by HTTP CONNECT. */
export function connectDoor(
  { listen, headTimeout = HEAD_TIMEOUT }: ConnectDoorOptions,
  destinations: readonly Destination[],
): DoorKind {
  const allowed = new Map(destinations.map((one) => [keyOf(one), one]))
  let lingering = 0
  const answer = (client: Socket, status: number, error?: string): void => {
    if (client.destroyed) return
    if (lingering >= 1000) {
      client.destroy()
      return
    }
    lingering++
    const timer = setTimeout(() => client.destroy(), LINGER)
    client.once('close', () => {
      clearTimeout(timer)
      lingering--
    })
    client.end(response(status, error))
    client.resume() // what is unread when a socket closes can cost the other side the answer
    client.once('end', () => client.destroySoon())
  }
  return {
    ...vsockListener(listen),
    full: (client) => answer(client, 503),
    fail: (client, error) => answer(client, ...failureStatus(error)),
    reach: async (client, door): Promise<Reached | undefined> => {
      const asked = await readRequest(client, headTimeout)
      if ('status' in asked) {
        answer(client, asked.status)
        door.refused('head', asked.status)
        return undefined
      }
      const destination = allowed.get(keyOf(asked))
      if (destination === undefined) {
        answer(client, 403)
        door.refused('not-allowed', 403)
        return undefined
      }
      const reached = await reachDestination(destination, door.connectTimeout)
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      return reached
    },
  }
}

/** An address is the same however it is written. */
function keyOf({ host, port }: Pick<Destination, 'host' | 'port'>): string {
  return `${host.ip === undefined ? host.name : addressKey(host.ip)}:${port}`
}

async function readRequest(
  client: Socket,
  timeout: number,
): Promise<ConnectRequest | { readonly status: 408 | 431 }> {
  let failed: HeadFailure = 'closed'
  const error = (failure: HeadFailure): Error => {
    failed = failure
    return new Error(failure)
  }
  try {
    const limits = { limit: HEAD_LIMIT, timeout, error }
    return parseConnectRequest(await readHead(client, limits, measureHead))
  } catch {
    return { status: ({ late: 408, long: 431, closed: 400 } as const)[failed] }
  }
}

function failureStatus(error: unknown): [status: number, error: string] {
  const { code } = error as { code?: unknown }
  if (code === 'ERR_VSOCK_PROXY_ADDRESS') return [403, 'destination_ip_prohibited']
  if (code === 'ERR_VSOCK_PROXY_TIMEOUT') return [504, 'connection_timeout']
  return [502, code === 'ERR_VSOCK_PROXY_DNS' ? 'dns_error' : 'destination_unavailable']
}

function response(status: number, error?: string): string {
  const [phrase, usual] = ANSWERS[status] ?? ['Bad Gateway', 'proxy_internal_error']
  return (
    `HTTP/1.1 ${status} ${phrase}\r\nProxy-Status: enclavejs; error=${error ?? usual}\r\n` +
    'Content-Length: 0\r\nConnection: close\r\n\r\n'
  )
}
