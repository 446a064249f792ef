import type { ClientRequest } from 'node:http'
import { Agent, type AgentOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { answer, openAttestedStream, type StreamCallback } from './attested-stream.ts'
import {
  readClientOptions,
  type AttestedClientOptions,
  type ClientSettings,
} from './client-options.ts'
import { AttestedTlsError } from './error.ts'

/** Options of {@link AttestedAgent}: those of attested clients, and some of `https.Agent`. */
export interface AttestedAgentOptions
  extends AttestedClientOptions, Pick<AgentOptions, 'maxSockets' | 'maxFreeSockets' | 'timeout'> {}

const AGENT_OPTIONS = ['maxSockets', 'maxFreeSockets', 'timeout'] as const

/**
 * An agent of node:https whose connections all end in an enclave of the policy, as those of
 * {@link createAttestedDispatcher} do. Connections are kept for further requests. Options of a request that concern TLS
 * (`ca`, `rejectUnauthorized`, `servername`, …) have no effect.
 *
 * @example
 * ```ts
 * import { get } from 'node:https'
 * import { AttestedAgent } from '@enclavejs/attested-tls/client'
 *
 * export function status(pcrs: { 0: string; 1: string; 2: string }): void {
 *   const agent = new AttestedAgent({ referenceValues: { pcrs } })
 *   get('https://enclave.example/status', { agent }, (response) => response.pipe(process.stdout))
 * }
 * ```
 */
export class AttestedAgent extends Agent {
  readonly #settings: ClientSettings
  readonly #ended = new AbortController()
  readonly #idle = new WeakMap<Duplex, () => void>()
  /** Until when a connection takes requests, by `performance.now`. */
  readonly #until = new WeakMap<Duplex, number>()

  /** @throws {TypeError | RangeError} for options that are unsafe, wrong or unknown. */
  constructor(options: AttestedAgentOptions) {
    const agent: Record<string, unknown> = {}
    const client: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(options)) {
      const isAgents = (AGENT_OPTIONS as readonly string[]).includes(name)
      ;(isAgents ? agent : client)[name] = value
    }
    const settings = readClientOptions(client, 'AttestedAgent')
    super({ ...agent, keepAlive: true, maxCachedSessions: 0, scheduling: 'lifo' })
    this.#settings = settings
  }

  override createConnection(
    options: { readonly host?: string | null; readonly port?: number | string | null },
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const peer = { host: options.host ?? 'localhost', port: Number(options.port ?? 443) }
    const { reattestAfter } = this.#settings
    const began = performance.now()
    const opening = openAttestedStream(peer, this.#settings, this.#ended.signal)
    const given: StreamCallback = (error, socket) => {
      if (socket !== null) this.#until.set(socket, began + reattestAfter)
      callback?.(error, socket as Duplex)
    }
    void answer(opening, given, 2 * reattestAfter)
    return undefined
  }

  /** Keeps a connection while it is young enough; idle, it ends when it no longer is. */
  override keepSocketAlive(socket: Duplex): boolean {
    const left = (this.#until.get(socket) ?? 0) - performance.now()
    // It says whether the socket is kept, which @types/node does not have.
    const isKept = left > 0 && (super.keepSocketAlive(socket) as unknown) === true
    if (!isKept) return false
    const timer = setTimeout(() => socket.destroy(), left).unref()
    const stop = (): void => {
      clearTimeout(timer)
      socket.off('close', stop)
    }
    this.#idle.set(socket, stop)
    socket.once('close', stop)
    return true
  }

  /** A kept connection is taken for another request: it is young enough, or it would have ended. */
  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#idle.get(socket)?.()
    super.reuseSocket(socket, request)
    // A timer can be late.
    if (performance.now() >= (this.#until.get(socket) ?? 0)) socket.destroy()
  }

  /** Ends all connections, those that are being made too. */
  override destroy(): void {
    this.#ended.abort(new AttestedTlsError('ERR_ATTESTED_TLS_CLOSED', 'The agent was destroyed'))
    super.destroy()
  }
}
