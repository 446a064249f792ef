import type { RunOptions } from '@enclavejs/launcher'
import { numberFlag, onlyPositional, type Arguments, type Flags } from './arguments.ts'
import { usage } from './error.ts'
import { readTrustAnchors } from './trust-anchor-file.ts'

const TEXTS = [
  ...['name', 'backend', 'memory', 'cpus', 'cid', 'role', 'entry', 'ready-port', 'attest-port'],
  ...['timeout', 'egress-port', 'credentials-port', 'profile', 'log-port', 'drain'],
]
const LISTS = ['argument', 'env', 'publish', 'allow', 'outbound', 'trust-anchor']
const SWITCHES = [
  ...['debug', 'no-heartbeat', 'credentials', 'logs', 'no-console', 'detach', 'json'],
]

/** The flags of `enclavejs run`. */
export const RUN_FLAGS: Flags = {
  ...Object.fromEntries(TEXTS.map((flag) => [flag, { type: 'string' } as const])),
  ...Object.fromEntries(LISTS.map((flag) => [flag, { type: 'string', multiple: true } as const])),
  ...Object.fromEntries(SWITCHES.map((flag) => [flag, { type: 'boolean' } as const])),
}

/** Reads what is to be run, and how; what needs another package is left to the command. */
export async function readRunArguments(given: Arguments): Promise<{
  readonly path: string
  readonly options: RunOptions
}> {
  const path = onlyPositional(given, 'IMAGE or PROGRAM')
  const backend = given.value('backend')
  if (backend !== undefined && !/^(?:nitro-cli|qemu|simulator)$/.test(backend)) {
    throw usage('--backend: nitro-cli, qemu or simulator expected')
  }
  const seconds = numberFlag(given, 'timeout', { least: 1, most: 3600, unit: 'seconds' })
  const files = given.values('trust-anchor')
  const anchors = (await Promise.all(files.map(readTrustAnchors))).flat()
  const text = <Key extends string>(key: Key): { [K in Key]?: string } => {
    const value = given.value(key)
    return value === undefined ? {} : ({ [key]: value } as { [K in Key]: string })
  }
  const whole = <Key extends string>(
    key: Key,
    flag: string,
    [least, most]: readonly [number, number],
    unit = 'a vsock port',
  ): { [K in Key]?: number } => {
    const value = numberFlag(given, flag, { least, most, unit })
    if (value === undefined) return {}
    if (!Number.isInteger(value)) throw usage(`--${flag}: ${unit}, a whole number, expected`)
    return { [key]: value } as { [K in Key]: number }
  }
  const port = [0, 0xffff_fffe] as const
  const logPort = given.has('logs') ? { logPort: 8006 } : {}
  const options: RunOptions = {
    ...text('name'),
    ...(backend !== undefined && { backend: backend as NonNullable<RunOptions['backend']> }),
    ...whole('memoryMib', 'memory', [64, 4_194_304], 'MiB'),
    ...whole('cpus', 'cpus', [1, 512], 'CPUs'),
    ...whole('cid', 'cid', [4, 0xffff_fffe], 'a CID'),
    ...(given.has('debug') && { dangerouslyDebug: true }),
    ...text('role'),
    ...text('entry'),
    ...{ args: given.values('argument'), env: readEnvironment(given.values('env')) },
    ...whole('readyPort', 'ready-port', port),
    ...(given.has('no-heartbeat') && { heartbeat: false }),
    ...whole('attestPort', 'attest-port', port),
    ...(anchors.length > 0 && { trustAnchors: anchors }),
    ...(seconds !== undefined && { timeout: Math.ceil(seconds * 1000) }),
    ...{ ...logPort, ...whole('logPort', 'log-port', port) },
    publish: given.values('publish').map(readPublish),
    allow: given.values('allow').map((one) => readDestination(one, '--allow')),
    ...whole('egressPort', 'egress-port', port),
    outbound: given.values('outbound').map(readOutbound),
  }
  return { path, options }
}

function readEnvironment(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, key = '', value] = /^([A-Za-z_][A-Za-z0-9_]*)=([^]*)$/.exec(pair) ?? []
      if (value === undefined)
        throw usage(`--env: KEY=VALUE expected; ${JSON.stringify(pair)} given`)
      return [key, value]
    }),
  )
}

type Publish = NonNullable<RunOptions['publish']>[number]
type Destination = NonNullable<RunOptions['allow']>[number]

/** `443:8443`, `0.0.0.0:443:8443`, `[::]:443:8443`. */
function readPublish(text: string): Publish {
  const [, host, port, to] = /^(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5}):(\d{1,10})$/.exec(text) ?? []
  if (port === undefined) {
    throw usage(`--publish: [ADDRESS:]PORT:VSOCKPORT expected; ${JSON.stringify(text)} given`)
  }
  const address = host?.replace(/^\[|\]$/g, '')
  return { port: Number(port), to: Number(to), ...(address !== undefined && { host: address }) }
}

/** `HOST:PORT`, with `,private` behind it where the name may resolve to addresses of a VPC. */
function readDestination(text: string, flag: string): Destination {
  const [, host, port, more] = /^(\[[^\]]+\]|[^:[\]]+):(\d{1,5})(,private)?$/.exec(text) ?? []
  if (host === undefined) {
    throw usage(
      `${flag}: HOST:PORT expected, with ,private behind it for a VPC; ${JSON.stringify(text)} given`,
    )
  }
  return {
    ...{ host: host.replace(/^\[|\]$/g, ''), port: Number(port) },
    ...(more !== undefined && { allowPrivateAddresses: true }),
  }
}

function readOutbound(text: string): Destination & { readonly listen: number } {
  const [, listen, rest] = /^(\d{1,10}):(.+)$/.exec(text) ?? []
  if (rest === undefined) {
    throw usage(`--outbound: VSOCKPORT:HOST:PORT expected; ${JSON.stringify(text)} given`)
  }
  return { listen: Number(listen), ...readDestination(rest, '--outbound') }
}
