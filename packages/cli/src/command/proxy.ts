import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import type { ProxyEvent, ProxyOptions, VsockProxy } from '@enclavejs/vsock/proxy'
import { numberFlag, parseArguments, type Arguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { listenerOf, placeOfEnclave, type EnclavePlace } from '../enclave-place.ts'
import { CliError, usage } from '../error.ts'
import { describeProxyEvent } from '../output/proxy-event.ts'
import { withEnclave } from '../proxy-enclave.ts'
import type { Terminal } from '../terminal.ts'
import { loadProxyPackage } from '../vsock-package.ts'

const AWS_LIST = '/etc/nitro_enclaves/vsock-proxy.yaml'

const HELP = `enclavejs proxy --config FILE [flags]
enclavejs proxy LOCAL_PORT REMOTE_HOST REMOTE_PORT (--enclave NAME | --allow-cid CID | --any-cid) [flags]

The proxy of the parent instance. It leads vsock ports to hosts of the outside, each of which must be named, and TCP
ports to an enclave. It carries bytes and reads none: TLS belongs into the enclave.

With --config alone, FILE says everything, in YAML:

  outbound:                 # a vsock port, one host
    - listen: { port: 8000, allowedCids: [16] }
      to: { host: kms.eu-west-1.amazonaws.com, port: 443 }
  connect:                  # a vsock port, several hosts, asked for by HTTP CONNECT
    - listen: { port: 8001, allowedCids: [16] }
      allow: [{ host: sts.eu-west-1.amazonaws.com, port: 443, allowPrivateAddresses: true }]
  inbound:                  # a TCP port, a port of the enclave
    - listen: { port: 443, host: 0.0.0.0 }
      to: { cid: 16, port: 8443 }
      proxyProtocol: true
  metrics: { port: 9464 }   # Prometheus, on loopback

With --enclave NAME the enclave that enclavejs ps calls so stands wherever FILE leaves out allowedCids and cid:

  outbound:
    - listen: { port: 8000 }
      to: { host: kms.eu-west-1.amazonaws.com, port: 443 }

With three arguments it does what AWS's vsock-proxy does for one host, which the allowlist must name:

  --config FILE     AWS's allowlist, default ${AWS_LIST}
  --enclave NAME    may connect: the enclave that enclavejs ps calls so
  --allow-cid CID   may connect; repeatable. AWS's takes everyone: --any-cid says so
  --any-cid
  -4, -6            only addresses of IPv4, of IPv6
  -w, --num_workers N
                    ignored: there are no workers to run out of
  --allow-private-addresses
                    the name may resolve to addresses of a VPC

Both:

  --enclave NAME  is looked up once, at the start. If the enclave is started again, start this again: another may have its CID
  --check           read and judge the configuration, and end
  --drain SECONDS   on SIGTERM, SIGINT or SIGHUP: how long open connections may still take, default 30; a second signal
                    cuts them off
  --json            every event as one line of JSON on stdout
  --verbose         every connection on stderr, not only what fails
  --help

Exit status: 0 stopped by a signal, and every connection ended by itself; 1 a port cannot be taken, a destination is not
in the allowlist, no enclave of that name runs, or connections were cut off at the end of the drain (the code on stderr);
2 wrong use, or a configuration that is not understood.`

/** `enclavejs proxy`. */
export const proxy: Command = {
  summary: "the parent's proxy: vsock ports to hosts, TCP ports to an enclave",
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, {
      config: { type: 'string' },
      enclave: { type: 'string' },
      'allow-cid': { type: 'string', multiple: true },
      'any-cid': { type: 'boolean' },
      ipv4: { type: 'boolean', short: '4' },
      ipv6: { type: 'boolean', short: '6' },
      num_workers: { type: 'string', short: 'w' },
      'allow-private-addresses': { type: 'boolean' },
      check: { type: 'boolean' },
      drain: { type: 'string' },
      json: { type: 'boolean' },
      verbose: { type: 'boolean' },
    })
    const drain = numberFlag(given, 'drain', { least: 0, most: 86_400, unit: 'seconds' }) ?? 30
    const place = await placeOfEnclave(given, terminal)
    if (typeof place === 'number') return place
    const options = await readOptions(given, terminal, place)
    if (given.has('check')) {
      return check(options, terminal)
    }
    const tell = reporter(given, terminal)
    subscribe('enclavejs:vsock:proxy', tell)
    try {
      return await serve(options, drain * 1000, terminal)
    } finally {
      unsubscribe('enclavejs:vsock:proxy', tell)
    }
  },
}

async function check(options: ProxyOptions, terminal: Terminal): Promise<number> {
  const { checkProxyOptions } = await loadProxyPackage()
  try {
    checkProxyOptions(options)
  } catch (error) {
    return refuse(error, terminal)
  }
  terminal.warn('enclavejs: the configuration is good')
  return Exit.ACCEPTED
}

function refuse(error: unknown, terminal: Terminal): number {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined) throw error
  terminal.warn(`refused: ${code}`)
  terminal.warn(message)
  return Exit.REFUSED
}

/** Runs until a signal, and then until everything has ended. */
async function serve(options: ProxyOptions, deadline: number, terminal: Terminal): Promise<number> {
  const { startProxy } = await loadProxyPackage()
  let running: VsockProxy
  try {
    running = await startProxy(options)
  } catch (error) {
    return refuse(error, terminal)
  }
  const signals = signalQueue()
  const open = (): number => running.listeners.reduce((sum, one) => sum + one.open, 0)
  terminal.warn(`enclavejs: ${await signals.next()}: ${open()} connections open, none more taken`)
  const closing = running.close({ deadline })
  const outcome = await Promise.race([
    closing,
    signals.next().then(async () => running.close({ deadline: 0 })),
  ])
  signals.end()
  if (outcome.cut === 0) return Exit.ACCEPTED
  terminal.warn(`enclavejs: ${outcome.cut} connections cut off`)
  return Exit.REFUSED
}

/** The signals that end a program, one by one. */
function signalQueue(): { next(): Promise<string>; end(): void } {
  const names = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  const seen: string[] = []
  let wake: (() => void) | undefined
  const take = (name: string): void => {
    seen.push(name)
    wake?.()
  }
  for (const name of names) process.on(name, take)
  return {
    async next() {
      while (seen.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return seen.shift() as string
    },
    end() {
      for (const name of names) process.off(name, take)
    },
  }
}

/** Lines for people in a second; what an enclave does must not fill the parent's disk. */
const LINES = 50

function reporter(given: Arguments, terminal: Terminal): (event: unknown) => void {
  let [second, lines] = [0, 0]
  const warn = (line: string): void => {
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) {
      if (lines > LINES) terminal.warn(`${lines - LINES} more lines left out`)
      ;[second, lines] = [now, 0]
    }
    if (++lines <= LINES) terminal.warn(line)
  }
  return (event) => {
    if (given.has('json')) {
      const time = new Date().toISOString()
      terminal.print(escapeJson(JSON.stringify({ time, ...(event as ProxyEvent) })))
    }
    const line = describeProxyEvent(event as ProxyEvent, given.has('verbose'))
    if (line !== undefined) warn(line)
  }
}

/** Pure ASCII on one line. */
function escapeJson(text: string): string {
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

async function readOptions(
  given: Arguments,
  terminal: Terminal,
  place: EnclavePlace | undefined,
): Promise<ProxyOptions> {
  const { parseAllowlist, parseProxyConfig } = await loadProxyPackage()
  const config = given.value('config')
  if (given.positionals.length === 0) {
    if (config === undefined) throw usage('proxy: --config FILE is missing; see --help')
    const flags = ['any-cid', 'ipv4', 'ipv6', 'allow-private-addresses']
    const stray = flags.find((flag) => given.has(flag)) ?? given.values('allow-cid')[0]
    if (stray !== undefined || given.value('num_workers') !== undefined) {
      throw usage('proxy: the configuration says who may connect and to what; see --help')
    }
    const text = readFile(config, (all) => all)
    const filled = place === undefined ? text : await fill(text, place)
    return readText(config, filled, parseProxyConfig)
  }
  const workers = given.value('num_workers')
  if (workers !== undefined && !/^\d+$/.test(workers)) throw usage('--num_workers: a number')
  if (workers !== undefined) terminal.warn('enclavejs: --num_workers is ignored')
  const entry = readEntry(given, place)
  const allowlist = readFile(config ?? AWS_LIST, parseAllowlist)
  // Judged as a configuration of its own, so that the command line is refused in the same words.
  return readText('the command line', JSON.stringify({ ...entry, allowlist }), parseProxyConfig)
}

async function fill(text: string, place: EnclavePlace): Promise<string> {
  const filled = await withEnclave(text, place)
  if (filled !== undefined) return filled
  throw usage(
    '--enclave: the configuration names a CID or a path everywhere; leave out those of the enclave',
  )
}

function readEntry(given: Arguments, place: EnclavePlace | undefined): ProxyOptions {
  const [localPort = '', host = '', remotePort = '', ...more] = given.positionals
  if (remotePort === '' || more.length > 0) {
    throw usage('proxy: LOCAL_PORT REMOTE_HOST REMOTE_PORT expected; see --help')
  }
  const number = (text: string, what: string): number => {
    if (/^\d{1,10}$/.test(text)) return Number(text)
    throw usage(`${what}: a number expected; ${JSON.stringify(text)} given`)
  }
  const allowedCids = given.values('allow-cid').map((text) => number(text, '--allow-cid'))
  const anyCid = given.has('any-cid')
  const ways = [place !== undefined, allowedCids.length > 0, anyCid].filter(Boolean).length
  if (ways !== 1) {
    const message = '--allow-cid CID (of the enclave) or --any-cid is needed, not both'
    throw usage(`proxy: ${message}; or --enclave NAME alone`)
  }
  if (given.has('ipv4') && given.has('ipv6')) throw usage('proxy: one of -4 and -6')
  const family = given.has('ipv4') ? (4 as const) : given.has('ipv6') ? (6 as const) : undefined
  const to = {
    ...{ host, port: number(remotePort, 'REMOTE_PORT') },
    ...(given.has('allow-private-addresses') && { allowPrivateAddresses: true }),
    ...(family !== undefined && { family }),
  }
  const listen = {
    port: number(localPort, 'LOCAL_PORT'),
    ...(place === undefined ? (anyCid ? { anyCid } : { allowedCids }) : listenerOf(place)),
  }
  return { outbound: [{ listen, to }] }
}

function readFile<T>(path: string, parse: (text: string) => T): T {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CliError('ERR_CLI_FILE', `${path}: ${(cause as Error).message}`, { cause })
  }
  return readText(path, text, parse)
}

function readText<T>(where: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'ERR_VSOCK_PROXY_CONFIG') throw cause
    throw new CliError('ERR_CLI_FILE', `${where}: ${message}`, { cause })
  }
}
