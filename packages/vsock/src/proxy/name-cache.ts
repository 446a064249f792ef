import { VsockError } from '../error.ts'
import type { ResolveHost } from './resolve.ts'

/** What is known of a name. */
export interface Answer {
  readonly addresses: readonly string[]
  /** Whether its TTL has passed and no newer answer could be had. */
  readonly stale: boolean
}

/** Told after each question to the resolver. */
export interface NameEvent {
  readonly host: string
  readonly result: 'answered' | 'failed'
  readonly addresses: number
  readonly ttl?: number
  readonly code?: string
}

interface Entry {
  addresses: readonly string[]
  /** Until when the answer holds, and until when a failure is not asked about again. */
  expires: number
  retry: number
  asking: Promise<void> | undefined
  failure: unknown
}

/** An answer holds at least and at most so long, in milliseconds, whatever its TTL says. */
const LEAST_TTL = 1000
const MOST_TTL = 3_600_000
/** After a failed question the next is asked so much later, in milliseconds. */
const RETRY = 1000
/** An expired answer is served when the new one takes longer than this, in milliseconds (RFC 8767 §5). */
const PATIENCE = 1800
const DEADLINE = 5000

/**
 * Answers by TTL. A name is asked for once at a time, whoever waits; an answer whose TTL has passed is served as long as
 * DNS fails, because an address that was right is worth more than none (RFC 8767). The names are those of the
 * configuration, so there are never more entries than lines in it.
 */
export class NameCache {
  readonly #resolve: ResolveHost
  readonly #tell: (event: NameEvent) => void
  readonly #entries = new Map<string, Entry>()

  constructor(resolve: ResolveHost, tell: (event: NameEvent) => void) {
    this.#resolve = resolve
    this.#tell = tell
  }

  /**
   * @param within - milliseconds
   * @throws {VsockError} `ERR_VSOCK_PROXY_DNS` when there is no answer, not even an old one; `ERR_VSOCK_PROXY_TIMEOUT`
   * when there is none yet.
   */
  async get(host: string, within: number): Promise<Answer> {
    const entry = this.#entry(host)
    const now = performance.now()
    if (now < entry.expires) return { addresses: entry.addresses, stale: false }
    const old = entry.addresses.length > 0
    if (now >= entry.retry || entry.asking !== undefined) {
      entry.asking ??= this.#ask(host, entry)
      await settled(entry.asking, old ? Math.min(PATIENCE, within) : within)
    }
    if (entry.addresses.length > 0) {
      return { addresses: entry.addresses, stale: performance.now() >= entry.expires }
    }
    if (entry.asking !== undefined) {
      throw new VsockError('ERR_VSOCK_PROXY_TIMEOUT', `${host}: DNS does not answer`)
    }
    throw new VsockError('ERR_VSOCK_PROXY_DNS', `${host}: DNS has no address for it`, {
      cause: entry.failure,
    })
  }

  #entry(host: string): Entry {
    let entry = this.#entries.get(host)
    if (entry === undefined) {
      entry = { addresses: [], expires: 0, retry: 0, asking: undefined, failure: undefined }
      this.#entries.set(host, entry)
    }
    return entry
  }

  /** Never rejects. */
  async #ask(host: string, entry: Entry): Promise<void> {
    try {
      const signal = AbortSignal.timeout(DEADLINE)
      const { addresses, ttl } = await bounded(this.#resolve(host, { signal }), signal)
      if (addresses.length === 0) throw new Error('an answer without addresses')
      const holds = Math.min(Math.max(ttl * 1000 || 0, LEAST_TTL), MOST_TTL)
      entry.addresses = [...addresses]
      entry.expires = performance.now() + holds
      entry.failure = undefined
      this.#tell({ host, result: 'answered', addresses: addresses.length, ttl })
    } catch (error) {
      entry.failure = error
      entry.retry = performance.now() + RETRY
      const { code } = error as { code?: unknown }
      const known = typeof code === 'string' ? { code } : {}
      this.#tell({ host, result: 'failed', addresses: entry.addresses.length, ...known })
    } finally {
      entry.asking = undefined
    }
  }
}

/** A resolver that ignores its signal does not hold anybody up. */
async function bounded<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort: (() => void) | undefined
  const late = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort)
  }
}

/** Waits for a promise that never rejects, at most so many milliseconds. */
async function settled(promise: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([promise, late])
  clearTimeout(timer)
}
