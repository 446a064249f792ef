import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { millisecondsOption } from './address.ts'
import { VsockError } from './error.ts'
import { readHead } from './head-reader.ts'
import { ownOptions } from './option.ts'
import { parseIp } from './proxy/ip-address.ts'

/** An address that a PROXY header claims. */
export interface ClaimedAddress {
  /** An IP address as text: IPv6 in eight groups without abbreviation. */
  readonly address: string
  readonly family: 4 | 6
  readonly port: number
}

/** What a PROXY header says. The parent wrote it, and the parent can write anything. */
export interface ProxyHeader {
  /** `LOCAL`: the proxy itself connected, as for a health check, and no address is claimed. */
  readonly command: 'PROXY' | 'LOCAL'
  /** The client's address as the parent tells it. For logs and limits; never for access. */
  readonly claimedAddress: ClaimedAddress | undefined
  /** Where the client connected to, as the parent tells it. */
  readonly claimedDestination: ClaimedAddress | undefined
}

/** Settings of {@link readProxyHeader}. */
export interface ReadProxyHeaderOptions {
  /** Milliseconds for the whole header, 1 to 60,000. 2,000 unless given: the parent writes it before anything else. */
  readonly timeout?: number
}

const OPTIONS = new Set(['timeout'])
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const FIXED = 16
/** The longest header that is read (`proxy-protocol.txt` §2 keeps a sender below it). */
const LONGEST = 536
const CRC32C = 0x03

/**
 * Reads the PROXY protocol v2 header that a connection must begin with, and leaves what follows in the socket, so that it
 * can be given to a server of node:http, node:https or node:tls by `emit('connection', socket)`. On a failure the socket
 * is destroyed.
 *
 * Strict: version 2, command LOCAL or PROXY, TCP over IPv4 or IPv6 (or none, where nothing is claimed), the length that
 * the family has, well-formed TLVs, a right CRC-32C where there is one, at most 536 bytes. Version 1 is refused.
 *
 * Proven is nothing: whoever can connect to the port can claim any address.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_HEADER`.
 * @throws {TypeError | RangeError} `timeout` is not within its bounds, or an option is not known.
 * @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt §2.2
 * @example
 * ```ts
 * import { createServer as createHttpServer } from 'node:http'
 * import { createServer, readProxyHeader } from '@enclavejs/vsock'
 *
 * const http = createHttpServer((request, response) => response.end('hello'))
 * const server = createServer(async (socket) => {
 *   try {
 *     const { claimedAddress } = await readProxyHeader(socket)
 *     console.log(claimedAddress?.address)
 *     http.emit('connection', socket)
 *   } catch {
 *     // The socket is destroyed.
 *   }
 * })
 * server.listen({ port: 8080 })
 * ```
 */
export async function readProxyHeader(
  socket: Duplex,
  options: ReadProxyHeaderOptions = {},
): Promise<ProxyHeader> {
  const { timeout = 2000 } = ownOptions(options, OPTIONS, 'readProxyHeader')
  millisecondsOption('timeout', timeout, 1, 60_000)
  const said = {
    late: `not there within ${timeout} ms`,
    long: `longer than ${LONGEST} bytes`,
    closed: 'the connection ended before it was complete',
  }
  const error = (failure: keyof typeof said, cause?: unknown): VsockError =>
    refuse(said[failure], cause)
  try {
    return parseProxyHeader(await readHead(socket, { limit: LONGEST, timeout, error }, measure))
  } catch (refusal) {
    socket.on('error', () => undefined).destroy()
    throw refusal
  }
}

function refuse(what: string, cause?: unknown): VsockError {
  return new VsockError('ERR_VSOCK_PROXY_HEADER', `PROXY header: ${what}`, { cause })
}

/** The length of a header, once it can be known. */
function measure(bytes: Buffer): number | undefined {
  const seen = Math.min(bytes.length, SIGNATURE.length)
  if (!bytes.subarray(0, seen).equals(SIGNATURE.subarray(0, seen))) {
    throw refuse('no signature of version 2; does the parent send one (proxyProtocol: true)?')
  }
  if (bytes.length < FIXED) return undefined
  const length = FIXED + bytes.readUInt16BE(14)
  if (length > LONGEST) throw refuse(`${length} bytes announced, ${LONGEST} at most`)
  return length <= bytes.length ? length : undefined
}

function parseProxyHeader(bytes: Buffer): ProxyHeader {
  const [version, command] = [bytes.readUInt8(12) >> 4, bytes.readUInt8(12) & 0x0f]
  if (version !== 2) throw refuse(`version ${version}, 2 expected`)
  if (command > 1) throw refuse(`command ${command}, 0 (LOCAL) or 1 (PROXY) expected`)
  const transport = bytes.readUInt8(13)
  const body = bytes.subarray(FIXED)
  const size = { 0x00: 0, 0x11: 4, 0x21: 16 }[transport]
  if (size === undefined) {
    throw refuse(`family and protocol 0x${transport.toString(16).padStart(2, '0')}, TCP expected`)
  }
  const addresses = size === 0 ? 0 : 2 * size + 4
  if (body.length < addresses) {
    throw refuse(`${body.length} bytes of addresses, at least ${addresses} expected`)
  }
  checkTlvs(bytes, FIXED + addresses)
  if (command === 0) {
    return { command: 'LOCAL', claimedAddress: undefined, claimedDestination: undefined }
  }
  const at = (index: 0 | 1): ClaimedAddress | undefined =>
    size === 0
      ? undefined
      : {
          address: formatIp(body.subarray(index * size, (index + 1) * size)),
          family: size === 4 ? 4 : 6,
          port: body.readUInt16BE(2 * size + 2 * index),
        }
  return { command: 'PROXY', claimedAddress: at(0), claimedDestination: at(1) }
}

function checkTlvs(bytes: Buffer, begin: number): void {
  let sums = 0
  for (let at = begin; at < bytes.length;) {
    const left = bytes.length - at
    const length = left < 3 ? Infinity : bytes.readUInt16BE(at + 1)
    if (3 + length > left) throw refuse(`a TLV at byte ${at} goes beyond the end`)
    if (bytes[at] === CRC32C) {
      if (length !== 4 || ++sums > 1) throw refuse('a CRC-32C that is not 4 bytes, or there twice')
      const claimed = bytes.readUInt32BE(at + 3)
      const zeroed = Buffer.from(bytes).fill(0, at + 3, at + 7)
      if (crc32c(zeroed) !== claimed) throw refuse('the CRC-32C is wrong')
    }
    at += 3 + length
  }
}

function formatIp(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16)).join(
    ':',
  )
}

/** Castagnoli's CRC (RFC 3720 §12.1), bit by bit: at most 536 bytes, seldom. */
function crc32c(bytes: Uint8Array): number {
  let sum = ~0
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f6_3b78 : 0)
  }
  return ~sum >>> 0
}

/** The PROXY protocol v2 header for a TCP connection that this process accepted. */
export function formatProxyHeader(client: Socket): Uint8Array {
  const { remoteAddress, remotePort = 0, localAddress, localPort = 0 } = client
  const [from, to] = [ipBytes(remoteAddress), ipBytes(localAddress)]
  const known = from !== undefined && to !== undefined && from.length === to.length
  const header = Buffer.alloc(FIXED + (known ? 2 * from.length + 4 : 0))
  SIGNATURE.copy(header)
  header.writeUInt8(0x21, 12)
  if (!known) return header // PROXY without a family: the client is gone already
  header.writeUInt8(from.length === 4 ? 0x11 : 0x21, 13)
  header.writeUInt16BE(header.length - FIXED, 14)
  header.set([...from, ...to], FIXED)
  header.writeUInt16BE(remotePort, header.length - 4)
  header.writeUInt16BE(localPort, header.length - 2)
  return header
}

/** An address of a socket; IPv4 on a dual-stack listener appears as `::ffff:192.0.2.1` and is written as IPv4. */
function ipBytes(text = ''): Uint8Array | undefined {
  return parseIp(text.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, ''))
}
