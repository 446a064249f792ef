import { parseIp } from './ip-address.ts'

/**
 * A host as it is compared: an IP address, or a DNS name in lower case without a trailing dot. Undefined for what is
 * neither: a name with a wildcard, one that ends in a number and that some resolvers read as an IPv4 address
 * (`127.1`, `0x7f000001`), or an IPv4 address in the clothes of IPv6.
 */
export interface Host {
  readonly name: string
  /** The bytes, where the host is an IP address. */
  readonly ip: Uint8Array | undefined
}

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

export function parseHost(text: string): Host | undefined {
  const ip = parseIp(text)
  if (ip !== undefined) {
    const mapped = ip.length === 16 && ip.subarray(0, 10).every((byte) => byte === 0)
    const whole = ip[10] === 0xff && ip[11] === 0xff
    return mapped && whole ? undefined : { name: text.toLowerCase(), ip }
  }
  const name = text.replace(/\.$/, '').toLowerCase()
  if (name.length > 253) return undefined
  const labels = name.split('.')
  if (!labels.every((label) => LABEL.test(label))) return undefined
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) return undefined
  return { name, ip: undefined }
}

/** Host and port as a URL has them: `[::1]:443`. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The inverse, strictly: undefined unless there is a host that {@link parseHost} accepts and a port of 1 to 65535. */
export function parseHostPort(text: string): { host: Host; port: number } | undefined {
  const [, bracketed, plain, digits = ''] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^[\]:]+)):([1-9]\d{0,4})$/.exec(text) ?? []
  const host = parseHost(bracketed ?? plain ?? '')
  const port = Number(digits)
  if (host === undefined || port > 65_535 || port < 1) return undefined
  return bracketed !== undefined && host.ip?.length !== 16 ? undefined : { host, port }
}
