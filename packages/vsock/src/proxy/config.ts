import { readEntry } from './allowlist.ts'
import { bare, configError, Fields } from './fields.ts'
import { formatHostPort, parseHost } from './host-name.ts'
import { parseIp, addressKind } from './ip-address.ts'
import { parseYaml } from './yaml-file.ts'
import type {
  ConnectDoorOptions,
  DestinationOptions,
  InboundOptions,
  LimitOptions,
  OutboundOptions,
  ProxyOptions,
  VsockListenerOptions,
} from './options.ts'

const LIMITS = ['name', 'maxConnections', 'connectTimeout', 'idleTimeout']
const CID_MOST = 0xffff_fffe
const PORT_MOST = 0xffff_ffff

/**
 * Reads the configuration of a proxy from YAML (or JSON) with the keys of {@link ProxyOptions}. What is not known, out of
 * bounds or contradictory is refused.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG`, with the place.
 * @example
 * ```ts
 * import { parseProxyConfig } from '@enclavejs/vsock/proxy'
 *
 * const options = parseProxyConfig(`
 * outbound:
 *   - listen: { port: 8000, allowedCids: [16] }
 *     to: { host: kms.eu-west-1.amazonaws.com, port: 443 }
 * `)
 * ```
 */
export function parseProxyConfig(text: string): ProxyOptions {
  return readProxyOptions(parseYaml(text, 'configuration'), 'configuration')
}

/** Checks what a configuration file or a caller gives. */
export function readProxyOptions(value: unknown, where: string): ProxyOptions {
  const fields = new Fields(value, where, [
    ...['outbound', 'inbound', 'connect', 'allowlist', 'metrics'],
  ])
  const options = bare({
    outbound: fields.list('outbound', readOutbound),
    inbound: fields.list('inbound', readInbound),
    connect: fields.list('connect', readConnect),
    ...(fields.has('allowlist') && { allowlist: fields.list('allowlist', readEntry) }),
    ...optional('metrics', fields.map('metrics', readMetrics)),
  })
  if (options.outbound.length + options.inbound.length + options.connect.length === 0) {
    throw configError(where, 'at least one entry of outbound, inbound or connect')
  }
  return options
}

function readOutbound(value: unknown, where: string): OutboundOptions {
  const fields = new Fields(value, where, ['listen', 'to', ...LIMITS])
  return {
    listen: required(fields, 'listen', readVsockListener),
    to: required(fields, 'to', readDestination),
    ...readLimits(fields),
  }
}

function readConnect(value: unknown, where: string): ConnectDoorOptions {
  const fields = new Fields(value, where, ['listen', 'allow', 'headTimeout', ...LIMITS])
  const allow = fields.list('allow', readDestination)
  if (allow.length === 0) throw configError(`${where}.allow`, 'at least one destination')
  const names = allow.map(({ host, port }) => formatHostPort(parseHost(host)?.name ?? '', port))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw configError(`${where}.allow`, 'each destination once', twice)
  return {
    listen: required(fields, 'listen', readVsockListener),
    allow,
    ...optional('headTimeout', fields.optionalInteger('headTimeout', 1, 60_000)),
    ...readLimits(fields),
  }
}

function readInbound(value: unknown, where: string): InboundOptions {
  const fields = new Fields(value, where, ['listen', 'to', 'proxyProtocol', ...LIMITS])
  return {
    listen: required(fields, 'listen', readTcpListener),
    to: required(fields, 'to', readEnclave),
    proxyProtocol: fields.boolean('proxyProtocol'),
    ...readLimits(fields),
  }
}

function readTcpListener(value: unknown, where: string): InboundOptions['listen'] {
  const fields = new Fields(value, where, ['port', 'host'])
  return { port: fields.integer('port', 0, 65_535), host: readIp(fields, 'host') ?? '127.0.0.1' }
}

function readEnclave(value: unknown, where: string): InboundOptions['to'] {
  const fields = new Fields(value, where, ['port', 'cid', 'path', 'toHost'])
  if (fields.has('cid') === fields.has('path')) throw configError(where, 'one of cid and path')
  if (fields.has('path') && fields.has('toHost')) {
    throw configError(`${where}.toHost`, 'nothing beside a path, which has no such flag')
  }
  return {
    port: fields.integer('port', 0, PORT_MOST),
    ...optional('cid', fields.optionalInteger('cid', 0, CID_MOST)),
    ...optional('path', fields.optionalString('path')),
    ...(fields.boolean('toHost') && { toHost: true }),
  }
}

function readVsockListener(value: unknown, where: string): VsockListenerOptions {
  const fields = new Fields(value, where, ['port', 'allowedCids', 'anyCid', 'path'])
  const allowedCids = fields.list('allowedCids', (cid, place) => {
    if (Number.isInteger(cid) && (cid as number) >= 0 && (cid as number) <= CID_MOST) {
      return cid as number
    }
    throw configError(place, `an integer of 0 to ${CID_MOST}`, cid)
  })
  // Also beside another way: a list that came out empty says that nobody may.
  if (fields.has('allowedCids') && allowedCids.length === 0) {
    throw configError(`${where}.allowedCids`, 'at least one CID')
  }
  const path = fields.optionalString('path')
  const anyCid = fields.boolean('anyCid')
  const ways = [allowedCids.length > 0, anyCid, path !== undefined].filter(Boolean).length
  if (ways !== 1) {
    throw configError(where, 'one of allowedCids (a list of CIDs), anyCid: true and path')
  }
  return {
    port: fields.integer('port', 0, PORT_MOST),
    ...(allowedCids.length > 0 && { allowedCids }),
    ...(anyCid && { anyCid }),
    ...optional('path', path),
  }
}

function readDestination(value: unknown, where: string): DestinationOptions {
  const flags = ['allowPrivateAddresses', 'dangerouslyAllowAnyAddress'] as const
  const fields = new Fields(value, where, ['host', 'port', 'family', ...flags])
  const text = fields.string('host')
  const host = parseHost(text)
  if (host === undefined) {
    throw configError(`${where}.host`, 'a DNS name or an IP address, without wildcards', text)
  }
  const family = fields.optionalInteger('family', 4, 6)
  if (family === 5) throw configError(`${where}.family`, '4 or 6', family)
  if (host.ip !== undefined && [...flags, 'family'].some((flag) => fields.has(flag))) {
    throw configError(where, 'no family and no allow… flag for an IP address, which allows itself')
  }
  return {
    host: text,
    port: fields.integer('port', 1, 65_535),
    ...(fields.boolean('allowPrivateAddresses') && { allowPrivateAddresses: true }),
    ...(fields.boolean('dangerouslyAllowAnyAddress') && { dangerouslyAllowAnyAddress: true }),
    ...optional('family', family as 4 | 6 | undefined),
  }
}

function readMetrics(value: unknown, where: string): NonNullable<ProxyOptions['metrics']> {
  const fields = new Fields(value, where, ['port', 'host', 'unsafeAnyInterface'])
  const host = readIp(fields, 'host') ?? '127.0.0.1'
  const unsafeAnyInterface = fields.boolean('unsafeAnyInterface')
  if (!unsafeAnyInterface && addressKind(parseIp(host) as Uint8Array) !== 'loopback') {
    throw configError(
      `${where}.host`,
      'a loopback address (or unsafeAnyInterface: true: anybody who reaches the port reads the counters)',
      host,
    )
  }
  return { port: fields.integer('port', 0, 65_535), host, unsafeAnyInterface }
}

function readLimits(fields: Fields): LimitOptions {
  const name = fields.optionalString('name')
  if (name !== undefined && !/^[\w.-]{1,64}$/.test(name)) {
    throw configError(`${fields.where}.name`, '1 to 64 letters, digits, ".", "_" and "-"', name)
  }
  return {
    ...optional('name', name),
    ...optional('maxConnections', fields.optionalInteger('maxConnections', 1, 100_000)),
    ...optional('connectTimeout', fields.optionalInteger('connectTimeout', 1, 600_000)),
    ...optional('idleTimeout', fields.optionalInteger('idleTimeout', 1, 86_400_000)),
  }
}

function readIp(fields: Fields, key: string): string | undefined {
  const text = fields.optionalString(key)
  if (text === undefined || parseIp(text) !== undefined) return text
  throw configError(`${fields.where}.${key}`, 'an IP address', text)
}

function required<T>(fields: Fields, key: string, read: (v: unknown, where: string) => T): T {
  const value = fields.map(key, read)
  if (value === undefined) throw configError(`${fields.where}.${key}`, 'a map')
  return value
}

function optional<Key extends string, T>(key: Key, value: T | undefined): { [K in Key]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]: T })
}
