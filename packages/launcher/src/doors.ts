import { once } from 'node:events'
import type { Server } from 'node:net'
import { listenVsock } from '@enclavejs/vsock'
import {
  checkProxyOptions,
  startProxy,
  type DestinationOptions,
  type ProxyOptions,
  type VsockProxy,
} from '@enclavejs/vsock/proxy'
import { LauncherError } from './error.ts'
import type { VsockPlace } from './machine.ts'

/** What leads to an enclave and out of it while it runs. */
export interface DoorOptions {
  /** TCP ports of this machine that lead to ports of the enclave. They open when it is ready and admitted. */
  readonly publish?: readonly {
    /** 0 to 65535; 0 is any that is free. */
    readonly port: number
    /** An IP address: 127.0.0.1 unless given, `0.0.0.0` or `::` for everyone. */
    readonly host?: string
    /** The enclave's vsock port. */
    readonly to: number
  }[]
  /** Hosts that the enclave may reach by HTTP CONNECT at `egressPort`, as `createEgress` of `@enclavejs/vsock` does. */
  readonly allow?: readonly DestinationOptions[]
  /** 8001 unless given. */
  readonly egressPort?: number
  /** Vsock ports of the parent that lead to one host each: 8000 to KMS, for example. */
  readonly outbound?: readonly (DestinationOptions & { readonly listen: number })[]
  /** Servers that listen on a vsock port of the parent, for this enclave alone: credentials, for example. They are closed with it. */
  readonly services?: readonly { readonly port: number; readonly server: Server }[]
}

/** A port that is open. */
export interface OpenDoor {
  readonly kind: 'publish' | 'egress' | 'outbound' | 'service'
  /** TCP for `publish`, vsock otherwise. */
  readonly port: number
}

const EGRESS_PORT = 8001

/** The doors of one enclave: those outwards, and those inwards that are opened last. */
export class Doors {
  readonly #options: DoorOptions
  readonly #proxies: VsockProxy[] = []
  readonly #services: Server[] = []
  readonly #open: OpenDoor[] = []

  /** @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG` for what is no host or port. */
  constructor(options: DoorOptions) {
    this.#options = options
    const place = { cid: 16 }
    const all = { ...inwards(options, place), ...outwards(options, place) }
    if (!isEmpty(all)) checkProxyOptions(all)
  }

  get open(): readonly OpenDoor[] {
    return this.#open
  }

  /** @throws {LauncherError} `ERR_LAUNCHER_PORT` */
  async openOutwards(place: VsockPlace): Promise<void> {
    const options = outwards(this.#options, place)
    if (!isEmpty(options)) await this.#start(options)
    for (const { port, server } of this.#options.services ?? []) {
      try {
        listenVsock(server, { port, ...listenerOf(place) })
        await once(server, 'listening')
      } catch (cause) {
        throw portError(cause)
      }
      this.#services.push(server)
      this.#open.push({ kind: 'service', port })
    }
  }

  /** @throws {LauncherError} `ERR_LAUNCHER_PORT` */
  async openInwards(place: VsockPlace): Promise<void> {
    const options = inwards(this.#options, place)
    if (!isEmpty(options)) await this.#start(options)
  }

  /** Takes no more connections and lets the open ones end. @returns how many were cut off after `deadline` milliseconds. */
  async close(deadline: number): Promise<number> {
    for (const server of this.#services) server.close()
    const closed = await Promise.all(this.#proxies.map((proxy) => proxy.close({ deadline })))
    this.#proxies.length = 0
    this.#services.length = 0
    return closed.reduce((sum, { cut }) => sum + cut, 0)
  }

  async #start(options: ProxyOptions): Promise<void> {
    try {
      const proxy = await startProxy(options)
      this.#proxies.push(proxy)
      const kinds = { inbound: 'publish', connect: 'egress', outbound: 'outbound' } as const
      this.#open.push(...proxy.listeners.map(({ kind, port }) => ({ kind: kinds[kind], port })))
    } catch (cause) {
      throw portError(cause)
    }
  }
}

function inwards({ publish = [] }: DoorOptions, place: VsockPlace): ProxyOptions {
  return {
    inbound: publish.map(({ port, host, to }, index) => ({
      name: `publish-${index}`,
      listen: { port, ...(host !== undefined && { host }) },
      to: { ...place, port: to },
    })),
  }
}

function outwards(options: DoorOptions, place: VsockPlace): ProxyOptions {
  const { outbound = [], allow = [], egressPort = EGRESS_PORT } = options
  const who = listenerOf(place)
  return {
    outbound: outbound.map(({ listen, ...to }) => ({ listen: { port: listen, ...who }, to })),
    connect: allow.length === 0 ? [] : [{ listen: { port: egressPort, ...who }, allow }],
  }
}

function isEmpty({ inbound = [], outbound = [], connect = [] }: ProxyOptions): boolean {
  return inbound.length + outbound.length + connect.length === 0
}

function listenerOf(
  place: VsockPlace,
): { readonly allowedCids: readonly number[] } | { readonly path: string } {
  return 'path' in place ? place : { allowedCids: [place.cid] }
}

function portError(cause: unknown): unknown {
  const { code = '', message } = cause as NodeJS.ErrnoException
  if (!/^E[A-Z]+$/.test(code)) return cause
  const what = code === 'EADDRINUSE' ? 'another enclave or program has it' : 'see the cause'
  const text = `a port of the parent cannot be taken (${what}): ${message}`
  return new LauncherError('ERR_LAUNCHER_PORT', text, { cause })
}
