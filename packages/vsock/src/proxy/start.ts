import { once } from 'node:events'
import type { Server } from 'node:http'
import { ownOptions } from '../option.ts'
import { Allowlist } from './allowlist.ts'
import { readProxyOptions } from './config.ts'
import { connectDoor } from './connect-door.ts'
import { Counters } from './counters.ts'
import { Destination } from './destination.ts'
import { Door, type DoorKind } from './door.ts'
import { configError } from './fields.ts'
import { parseHost, type Host } from './host-name.ts'
import { inbound } from './inbound.ts'
import { NameCache } from './name-cache.ts'
import type { DestinationOptions, LimitOptions, ProxyOptions } from './options.ts'
import { outbound } from './outbound.ts'
import { formatPrometheus, metricsServer } from './prometheus.ts'
import { nameServers, type ResolveHost } from './resolve.ts'

/** What a proxy takes from the world around it. */
export interface ProxySurroundings {
  /** Asks for the addresses of a name, in place of the system's DNS. Its answers are judged like those. */
  readonly resolve?: ResolveHost
}

/** One listener of a proxy. */
export interface ProxyListener {
  readonly name: string
  readonly kind: 'outbound' | 'inbound' | 'connect'
  /** The port that it listens on: the one that was asked for, or that it was given in place of 0. */
  readonly port: number
  /** Connections that are open now. */
  readonly open: number
}

/** A proxy that runs. */
export interface VsockProxy extends AsyncDisposable {
  /** The listeners, in the order of the configuration: outbound, inbound, connect. */
  readonly listeners: readonly ProxyListener[]
  /** The TCP port of the Prometheus endpoint; undefined without one. */
  readonly metricsPort: number | undefined
  /** The counters as Prometheus reads them (text format 0.0.4). */
  metrics(): string
  /**
   * Takes no more connections, lets those that are open end, and cuts off what is left after `deadline` milliseconds
   * (30,000 unless given). Gives the number of connections that were cut off. A second call with a shorter deadline does
   * not wait for the first.
   *
   * @throws {TypeError | RangeError} `deadline` is not 0 to 86,400,000, or an option is not known.
   */
  close(options?: { readonly deadline?: number }): Promise<{ readonly cut: number }>
  /** Closes everything at once, as `close({ deadline: 0 })`. */
  [Symbol.asyncDispose](): Promise<void>
}

const DAY = 86_400_000
const CLOSE_OPTIONS = new Set(['deadline'])
const SURROUNDINGS = new Set(['resolve'])
type NamedDoor = readonly [kind: ProxyListener['kind'], door: Door]

class RunningProxy implements VsockProxy {
  readonly #doors: readonly NamedDoor[]
  readonly #counters: Counters
  readonly #metrics: Server | undefined

  constructor(doors: readonly NamedDoor[], counters: Counters, metrics: Server | undefined) {
    this.#doors = doors
    this.#counters = counters
    this.#metrics = metrics
  }

  get listeners(): readonly ProxyListener[] {
    return this.#doors.map(([kind, { name, port }]) => {
      return { name, kind, port, open: this.#counters.listeners.get(name)?.open ?? 0 }
    })
  }

  get metricsPort(): number | undefined {
    const address = this.#metrics?.address()
    return typeof address === 'object' && address !== null ? address.port : undefined
  }

  metrics(): string {
    return formatPrometheus(this.#counters)
  }

  async close(options: { readonly deadline?: number } = {}): Promise<{ readonly cut: number }> {
    const { deadline = 30_000 } = ownOptions(options, CLOSE_OPTIONS, 'close')
    if (typeof deadline !== 'number') {
      throw new TypeError(`deadline: expected a number of milliseconds, got ${typeof deadline}`)
    }
    if (!(deadline >= 0 && deadline <= DAY)) {
      throw new RangeError(`deadline: expected 0 to ${DAY} ms, got ${deadline}`)
    }
    const cut = await Promise.all(this.#doors.map(([, door]) => door.close(deadline)))
    this.#metrics?.close()
    this.#metrics?.closeAllConnections()
    return { cut: cut.reduce((sum, one) => sum + one, 0) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ deadline: 0 })
  }
}

/**
 * Starts the proxy of a parent instance: vsock ports that lead to allowed hosts (`outbound`, `connect`), TCP ports that
 * lead to an enclave (`inbound`). It carries bytes and reads none of them: end TLS in the enclave, and check the other
 * side's certificate there, because whoever holds the parent holds this proxy.
 *
 * What a name resolves to is judged at each connection: only public addresses are connected to, unless the destination
 * says otherwise. DNS that fails, a backend that dies and a full table of descriptors end connections, never the proxy.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG` when an option is unknown or out of bounds; `ERR_VSOCK_PROXY_NOT_ALLOWED`
 * when a destination is not in `allowlist`; `ERR_VSOCK_BINDING` without AF_VSOCK. A system error (`EADDRINUSE`) when a
 * port cannot be taken; then nothing listens.
 * @throws {TypeError} `surroundings` has a name that is not known.
 * @example
 * ```ts
 * import { startProxy } from '@enclavejs/vsock/proxy'
 *
 * const proxy = await startProxy({
 *   outbound: [
 *     {
 *       listen: { port: 8000, allowedCids: [16] },
 *       to: { host: 'kms.eu-west-1.amazonaws.com', port: 443 },
 *     },
 *   ],
 *   inbound: [{ listen: { port: 443, host: '0.0.0.0' }, to: { cid: 16, port: 8443 } }],
 * })
 * process.once('SIGTERM', () => void proxy.close({ deadline: 30_000 }))
 * ```
 */
export async function startProxy(
  options: ProxyOptions,
  surroundings: ProxySurroundings = {},
): Promise<VsockProxy> {
  const { resolve = nameServers() } = ownOptions(surroundings, SURROUNDINGS, 'startProxy')
  const { doors, destinations, counters, metrics } = assemble(options, resolve)
  const server = metrics === undefined ? undefined : metricsServer(counters)
  const proxy = new RunningProxy(doors, counters, server)
  try {
    for (const [, door] of doors) await door.listen()
    if (server !== undefined) {
      server.listen({ port: metrics?.port, host: metrics?.host })
      await once(server, 'listening')
      server.on('error', () => undefined)
    }
  } catch (error) {
    await proxy.close({ deadline: 0 })
    throw error
  }
  // Asked for now, so that there is an old answer when DNS fails; that it fails now shows in an event.
  for (const one of destinations) void one.addresses(0).catch(() => undefined)
  return proxy
}

/**
 * Judges a configuration as {@link startProxy} does, and takes no port and asks no DNS.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG`, `ERR_VSOCK_PROXY_NOT_ALLOWED`.
 */
export function checkProxyOptions(options: ProxyOptions): void {
  assemble(options, nameServers())
}

interface Parts {
  readonly doors: readonly NamedDoor[]
  readonly destinations: readonly Destination[]
  readonly counters: Counters
  readonly metrics: ProxyOptions['metrics']
}

function assemble(value: ProxyOptions, resolve: ResolveHost): Parts {
  const options = readProxyOptions(value, 'options')
  const counters = new Counters()
  const names = new NameCache(resolve, (event) => counters.tell({ type: 'dns', ...event }))
  const allowlist = options.allowlist === undefined ? undefined : new Allowlist(options.allowlist)
  const destinations: Destination[] = []
  const destination = (to: DestinationOptions): Destination => {
    const one = new Destination(parseHost(to.host) as Host, to, names, allowlist)
    destinations.push(one)
    return one
  }
  const doors: NamedDoor[] = []
  const add = (kind: ProxyListener['kind'], limits: LimitOptions, port: number, how: DoorKind) => {
    const name = limits.name ?? `${kind}-${port}`
    if (counters.listeners.has(name)) throw configError('options', 'a name for each listener', name)
    doors.push([kind, new Door(name, limits, how, counters)])
  }
  for (const one of options.outbound ?? []) {
    add('outbound', one, one.listen.port, outbound(one.listen, destination(one.to)))
  }
  for (const one of options.inbound ?? []) add('inbound', one, one.listen.port, inbound(one))
  for (const one of options.connect ?? []) {
    add('connect', one, one.listen.port, connectDoor(one, one.allow.map(destination)))
  }
  return { doors, destinations, counters, metrics: options.metrics }
}
