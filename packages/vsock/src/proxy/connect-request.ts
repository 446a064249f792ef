import { parseHead, valuesOf } from '../http-head.ts'
import { formatHostPort, parseHostPort, type Host } from './host-name.ts'

/** What a CONNECT asks for, or the status that it is refused with. */
export type ConnectRequest =
  { readonly host: Host; readonly port: number } | { readonly status: 400 | 405 | 505 }

/**
 * Reads the whole head of a request, strictly: `CONNECT host:port HTTP/1.1`, one Host field that says the same, no
 * content. (RFC 9110 §9.3.6, RFC 9112 §3.2.3.)
 */
export function parseConnectRequest(bytes: Uint8Array): ConnectRequest {
  const head = parseHead(bytes)
  const [, method, target = '', version] =
    /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) (HTTP\/\d\.\d)$/.exec(head?.start ?? '') ?? []
  if (head === undefined || method === undefined) return { status: 400 }
  if (version !== 'HTTP/1.1') return { status: 505 }
  if (method !== 'CONNECT') return { status: 405 }
  const asked = parseHostPort(target)
  if (asked === undefined) return { status: 400 }
  const hosts = valuesOf(head, 'host')
  const same = [target, formatHostPort(asked.host.name, asked.port), asked.host.name]
  const [host = ''] = hosts
  if (hosts.length !== 1 || !same.some((text) => text.toLowerCase() === host.toLowerCase())) {
    return { status: 400 }
  }
  const hasContent = ['content-length', 'transfer-encoding'].some(
    (name) => valuesOf(head, name).length > 0,
  )
  return hasContent ? { status: 400 } : asked
}
