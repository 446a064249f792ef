import type { Duplex } from 'node:stream'
import { addressPart, integerOption, millisecondsOption } from './address.ts'
import { connectUntil } from './connect-until.ts'
import { connect, type VsockConnectionOptions } from './connection.ts'
import { VsockError, type VsockErrorCode } from './error.ts'
import { readHead } from './head-reader.ts'
import { measureHead, parseHead, valuesOf } from './http-head.ts'
import { ownOptions, pathOption } from './option.ts'
import { formatHostPort, parseHost, type Host } from './proxy/host-name.ts'
import { addressKey } from './proxy/ip-address.ts'

/** Opens a byte stream to a host of the outside world. */
export type Connect = (
  host: string,
  port: number,
  options: { signal?: AbortSignal },
) => Promise<Duplex>

/** Where the parent's proxy listens: an address, or a function that opens a stream to it. */
export type EgressDoor =
  | Pick<VsockConnectionOptions, 'cid' | 'path' | 'port' | 'bufferSize' | 'toHost'>
  | ((options: { signal: AbortSignal }) => Promise<Duplex>)

/** Settings of {@link createEgress}. */
export interface EgressOptions {
  /** The CONNECT door of the parent's proxy. */
  readonly connect: EgressDoor
  /** The hosts and ports that this program may reach. Part of the image, so that a measurement covers it. */
  readonly allow: readonly { readonly host: string; readonly port: number }[]
  /** Milliseconds until a stream is open, 1 to 600,000. 15,000 unless given: the proxy itself takes up to 10,000. */
  readonly timeout?: number
}

/** Settings of {@link createPortEgress}. */
export interface PortEgressOptions {
  /** The CID of the parent: 3 on Nitro, which is the default, 2 elsewhere. */
  readonly cid?: number
  /** In place of a CID: the Unix socket of a virtual machine (hybrid vsock). */
  readonly path?: string
  /** The vsock port of each destination: `{ 'kms.eu-west-1.amazonaws.com:443': 8000, '[fd00::1]:443': 8001 }`. */
  readonly ports: Readonly<Record<string, number>>
  /** Milliseconds until a stream is open, 1 to 600,000. 5,000 unless given. */
  readonly timeout?: number
}

const EGRESS_OPTIONS = new Set(['connect', 'allow', 'timeout'])
const ALLOWED = new Set(['host', 'port'])
const DOOR = new Set(['cid', 'path', 'port', 'bufferSize', 'toHost'])
const PORT_EGRESS_OPTIONS = new Set(['cid', 'path', 'ports', 'timeout'])
const HEAD_LIMIT = 8192

/**
 * Reaches many hosts through one CONNECT door of the parent (`enclavejs proxy`, `startProxy`). The hosts are checked here
 * against `allow` before anything is sent, and by the parent against its own list again: a parent that is taken over can
 * connect the enclave to anything, so use TLS and check the certificate inside.
 *
 * The `Connect` that it returns rejects with {@link VsockError}: `ERR_VSOCK_EGRESS_NOT_ALLOWED`, `ERR_VSOCK_EGRESS_DIAL`,
 * `ERR_VSOCK_EGRESS_TIMEOUT`, `ERR_VSOCK_EGRESS_RESPONSE`, `ERR_VSOCK_EGRESS_REFUSED`, `ERR_VSOCK_EGRESS_BUSY`,
 * `ERR_VSOCK_EGRESS_UNREACHABLE`; with the reason of `signal` when it is aborted.
 *
 * @throws {TypeError | RangeError} A host, port or timeout is not as described, or an option is not known, be it of an
 * entry of `allow`.
 * @see RFC 9110 §9.3.6
 * @example
 * ```ts
 * import { connect as connectTls } from 'node:tls'
 * import { createEgress } from '@enclavejs/vsock'
 *
 * const egress = createEgress({
 *   connect: { cid: 3, port: 8001 },
 *   allow: [{ host: 'api.example.com', port: 443 }],
 * })
 * const socket = await egress('api.example.com', 443, {})
 * connectTls({ socket, servername: 'api.example.com' })
 * ```
 */
export function createEgress(options: EgressOptions): Connect {
  const given = ownOptions(options, EGRESS_OPTIONS, 'createEgress')
  const { allow, timeout = 15_000 } = given
  const door = readDoor(given.connect)
  if (!Array.isArray(allow)) throw new TypeError('allow: expected a list of { host, port }')
  const allowed = new Set(
    allow.map((entry: EgressOptions['allow'][number]) => {
      const { host, port } = ownOptions(entry, ALLOWED, 'an entry of allow')
      return destinationKey(host, port)
    }),
  )
  checkTimeout(timeout)
  return async (host, port, { signal }) => {
    const asked = checkAllowed(allowed.has(destinationKey(host, port)), host, port)
    return withDeadline(timeout, signal, async (within) => {
      const stream = await dial(door, within)
      const abort = (): void => void stream.destroy()
      within.addEventListener('abort', abort, { once: true })
      try {
        await askFor(stream, asked, timeout)
      } finally {
        within.removeEventListener('abort', abort)
      }
      return stream
    })
  }
}

/**
 * Reaches each host through a vsock port of its own: one `outbound` entry of `enclavejs proxy` each, or one `vsock-proxy`
 * of AWS.
 *
 * The `Connect` that it returns rejects with {@link VsockError}: `ERR_VSOCK_EGRESS_NOT_ALLOWED` for what is not in
 * `ports`, `ERR_VSOCK_EGRESS_DIAL`, `ERR_VSOCK_EGRESS_TIMEOUT`; with the reason of `signal` when it is aborted. That the
 * parent reached the host is not known by then: if it cannot, the stream ends.
 *
 * @throws {TypeError | RangeError} A destination, CID, path, port or timeout is not as described, a destination is there
 * twice (`a.example:443` and `A.example.:443` are one), or an option is not known.
 * @example
 * ```ts
 * import { createPortEgress } from '@enclavejs/vsock'
 *
 * const egress = createPortEgress({ ports: { 'kms.eu-west-1.amazonaws.com:443': 8000 } })
 * ```
 */
export function createPortEgress(options: PortEgressOptions): Connect {
  const given = ownOptions(options, PORT_EGRESS_OPTIONS, 'createPortEgress')
  const { cid, path, ports, timeout = 5000 } = given
  checkTimeout(timeout)
  const table = new Map<string, number>()
  if (typeof ports !== 'object' || ports === null) {
    throw new TypeError("ports: expected a port for each destination, as { 'a.example:443': 8000 }")
  }
  for (const [destination, port] of Object.entries(ports)) {
    const [, bracketed, plain = '', digits] =
      /^(?:\[([\da-fA-F:.]+)\]|([^[\]:]+)):(\d{1,5})$/.exec(destination) ?? []
    const key = destinationKey(bracketed ?? plain, Number(digits))
    if (table.has(key))
      throw new TypeError(`ports: expected each destination once, got ${key} twice`)
    table.set(key, integerOption(`ports['${destination}']`, port, 0, 0xffff_ffff))
  }
  refuseBoth(given)
  const where = {
    ...(cid !== undefined && { cid: addressPart('cid', cid) }),
    ...(path !== undefined && { path: pathOption(path) }),
  }
  return async (host, port, { signal }) => {
    const vsockPort = table.get(destinationKey(host, port))
    checkAllowed(vsockPort !== undefined, host, port)
    return withDeadline(timeout, signal, (within) =>
      dial({ ...where, port: vsockPort as number }, within),
    )
  }
}

/** Host and port in one way of writing. */
function destinationKey(host: string, port: number): string {
  const parsed = typeof host === 'string' ? parseHost(host) : undefined
  if (parsed === undefined) throw new TypeError('host: expected a DNS name or an IP address')
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`port: expected 1 to 65535, got ${port}`)
  }
  return `${parsed.ip === undefined ? parsed.name : addressKey(parsed.ip)}:${port}`
}

/** A copy, so that what is changed later changes nothing. */
function readDoor(door: EgressDoor): EgressDoor {
  if (typeof door === 'function') return door
  const given = ownOptions(door, DOOR, 'the door of an egress')
  addressPart('port', given.port)
  if (given.cid !== undefined) addressPart('cid', given.cid)
  if (given.path !== undefined) pathOption(given.path)
  refuseBoth(given)
  return given
}

function refuseBoth({ cid, path }: { readonly cid?: unknown; readonly path?: unknown }): void {
  if (cid !== undefined && path !== undefined) {
    throw new TypeError('cid and path: expected one of them')
  }
}

function checkTimeout(timeout: number): void {
  millisecondsOption('timeout', timeout, 1, 600_000)
}

function checkAllowed(allowed: boolean, host: string, port: number): string {
  const name = formatHostPort((parseHost(host) as Host).name, port)
  if (allowed) return name
  throw new VsockError(
    'ERR_VSOCK_EGRESS_NOT_ALLOWED',
    `${name}: this program's own list does not allow it; nothing was sent`,
  )
}

async function withDeadline<T>(
  timeout: number,
  signal: AbortSignal | undefined,
  open: (within: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const within = new AbortController()
  const timer = setTimeout(() => within.abort(new Error('deadline')), timeout)
  const abort = (): void => within.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    return await open(within.signal)
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason
    if (!within.signal.aborted) throw cause
    const message = `the parent's proxy did not open a stream within ${timeout} ms`
    throw new VsockError('ERR_VSOCK_EGRESS_TIMEOUT', message, { cause })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

async function dial(door: EgressDoor, signal: AbortSignal): Promise<Duplex> {
  try {
    return await connectUntil(signal, () =>
      typeof door === 'function' ? door({ signal }) : dialVsock(door, signal),
    )
  } catch (cause) {
    if (signal.aborted) throw cause
    const message = `the parent's proxy cannot be reached: ${(cause as Error).message}`
    throw new VsockError('ERR_VSOCK_EGRESS_DIAL', message, { cause })
  }
}

/** The signal is for opening only: a stream that is open outlives it. */
async function dialVsock(
  door: Exclude<EgressDoor, (...values: never[]) => unknown>,
  signal: AbortSignal,
): Promise<Duplex> {
  const opening = new AbortController()
  const abort = (): void => opening.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await connect({ ...door, connectTimeout: 600_000, signal: opening.signal })
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Asks for a destination and reads the answer, up to its end and no further. */
async function askFor(stream: Duplex, destination: string, timeout: number): Promise<void> {
  stream.write(`CONNECT ${destination} HTTP/1.1\r\nHost: ${destination}\r\n\r\n`)
  const said = {
    late: 'no answer in time',
    long: `a head longer than ${HEAD_LIMIT} bytes`,
    closed: 'the connection ended before an answer',
  }
  const error = (failure: keyof typeof said, cause?: unknown): VsockError =>
    new VsockError('ERR_VSOCK_EGRESS_RESPONSE', `the parent's proxy: ${said[failure]}`, { cause })
  try {
    const limits = { limit: HEAD_LIMIT, timeout, error }
    checkResponse(await readHead(stream, limits, measureHead), destination)
  } catch (refusal) {
    stream.on('error', () => undefined).destroy()
    throw refusal
  }
}

function checkResponse(bytes: Uint8Array, destination: string): void {
  const head = parseHead(bytes)
  const [, digits] = /^HTTP\/1\.1 ([2-5]\d\d) [\x20-\x7e]*$/.exec(head?.start ?? '') ?? []
  const status = Number(digits)
  if (head === undefined || digits === undefined || (status > 200 && status < 300)) {
    const message = "the parent's proxy: the answer is not one of HTTP/1.1 to CONNECT"
    throw new VsockError('ERR_VSOCK_EGRESS_RESPONSE', message)
  }
  if (status === 200) {
    // RFC 9110 §9.3.6: there is no content; a proxy that says otherwise means another length of the head than we do.
    if (
      ['content-length', 'transfer-encoding'].every((name) => valuesOf(head, name).length === 0)
    ) {
      return
    }
    const message = "the parent's proxy: an answer to CONNECT with a length"
    throw new VsockError('ERR_VSOCK_EGRESS_RESPONSE', message)
  }
  const [reason = ''] = valuesOf(head, 'proxy-status')
  const known = /^[\w.-]+; error=([a-z_]{1,40})$/.exec(reason)?.[1]
  const message = `${destination}: the parent's proxy answers ${status}${known === undefined ? '' : ` (${known})`}`
  throw new VsockError(codeOf(status), message)
}

function codeOf(status: number): VsockErrorCode {
  if (status === 503) return 'ERR_VSOCK_EGRESS_BUSY'
  return status < 500 ? 'ERR_VSOCK_EGRESS_REFUSED' : 'ERR_VSOCK_EGRESS_UNREACHABLE'
}
