import { isIPv4, isIPv6 } from 'node:net'

/**
 * What an address is for, after the IANA special-purpose registries (RFC 6890). `metadata` are the services that AWS
 * answers inside an instance by IPv6, fd00:ec2::/32 (IMDS is fd00:ec2::254); by IPv4 they are `link-local`.
 */
export type AddressKind =
  | 'public'
  | 'private'
  | 'loopback'
  | 'link-local'
  | 'metadata'
  | 'multicast'
  | 'unspecified'
  | 'mapped'
  | 'reserved'

/** The first entry that matches decides. What no entry matches is public, or by IPv6 reserved. */
const V4: readonly (readonly [prefix: string, bits: number, kind: AddressKind])[] = [
  ['0.0.0.0', 8, 'unspecified'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'private'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'reserved'],
  ['192.0.2.0', 24, 'reserved'],
  ['192.88.99.0', 24, 'reserved'],
  ['192.168.0.0', 16, 'private'],
  ['198.18.0.0', 15, 'reserved'],
  ['198.51.100.0', 24, 'reserved'],
  ['203.0.113.0', 24, 'reserved'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'],
]
const V6: readonly (readonly [prefix: string, bits: number, kind: AddressKind])[] = [
  ['::', 128, 'unspecified'],
  ['::1', 128, 'loopback'],
  ['::ffff:0:0', 96, 'mapped'],
  ['fe80::', 10, 'link-local'],
  ['fd00:ec2::', 32, 'metadata'],
  ['fc00::', 7, 'private'],
  ['ff00::', 8, 'multicast'],
  ['2001::', 23, 'reserved'],
  ['2001:db8::', 32, 'reserved'],
  ['2002::', 16, 'reserved'],
  ['3fff::', 20, 'reserved'],
  ['2000::', 3, 'public'],
]

/** The bytes of an IP address as text, 4 or 16; undefined for anything else, a zone (`%eth0`) included. */
export function parseIp(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number)
  if (!isIPv6(text) || text.includes('%')) return undefined
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').flatMap((word) => wordsOf(word))
  const [head = '', tail] = text.split('::')
  const first = words(head)
  const last = tail === undefined ? [] : words(tail)
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last]
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 0xff]))
}

function wordsOf(word: string): number[] {
  if (!word.includes('.')) return [Number.parseInt(word, 16)]
  const [a = 0, b = 0, c = 0, d = 0] = word.split('.').map(Number)
  return [(a << 8) | b, (c << 8) | d]
}

/** One text for each address, whatever way it was written: for comparing, not for showing. */
export function addressKey(bytes: Uint8Array): string {
  return bytes.join('.')
}

/**
 * What an address is for. An address of NAT64 (64:ff9b::/96, which DNS64 of a VPC gives) is what the IPv4 address inside
 * it is.
 */
export function addressKind(bytes: Uint8Array): AddressKind {
  if (bytes.length === 4) return find(V4_TABLE, bytes) ?? 'public'
  if (matches(bytes, NAT64, 96)) return addressKind(bytes.subarray(12))
  return find(V6_TABLE, bytes) ?? 'reserved'
}

type Table = readonly (readonly [prefix: Uint8Array, bits: number, kind: AddressKind])[]
const NAT64 = parseIp('64:ff9b::') as Uint8Array
const V4_TABLE = compile(V4)
const V6_TABLE = compile(V6)

function compile(rows: typeof V4): Table {
  return rows.map(([prefix, bits, kind]) => [parseIp(prefix) as Uint8Array, bits, kind])
}

function find(table: Table, bytes: Uint8Array): AddressKind | undefined {
  return table.find(([prefix, bits]) => matches(bytes, prefix, bits))?.[2]
}

function matches(bytes: Uint8Array, prefix: Uint8Array, bits: number): boolean {
  const whole = bits >> 3
  for (let index = 0; index < whole; index++) if (bytes[index] !== prefix[index]) return false
  const mask = 0xff00 >> (bits & 7)
  return ((bytes[whole] ?? 0) & mask & 0xff) === ((prefix[whole] ?? 0) & mask & 0xff)
}
