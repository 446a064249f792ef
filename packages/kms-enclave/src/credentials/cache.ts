import { KmsError } from '../error.ts'
import { ownMembers } from '../own-members.ts'
import {
  readCredentials,
  type Credentials,
  type CredentialsProvider,
  type CredentialsRequest,
} from './credentials.ts'

/** How long before its end a set is replaced. */
const REFRESH_AHEAD_MS = 300_000
/** After a refresh ahead of need has failed, how long before the next. */
const RETRY_AFTER_MS = 10_000
/** Credentials without an end are asked for again after this time. */
const REREAD_AFTER_MS = 900_000

/** Options of {@link cachedCredentials}. */
export interface CachedCredentialsOptions {
  /** The clock by which credentials expire. Default: the system's. */
  readonly now?: () => Date
  /** Milliseconds that the source may take. Default 5000. */
  readonly timeout?: number
}

/**
 * Keeps what a source gave. A new set is asked for from five minutes before the end of the last, behind the calls that go on
 * with the last one; as long as the source fails, the last good set serves until it really ends. However many call at a
 * time, the source is asked once. What the source gives is checked ({@link readCredentials}) and copied.
 *
 * @throws {KmsError} `ERR_KMS_CREDENTIALS` from the provider that this returns
 */
export function cachedCredentials(
  provider: CredentialsProvider,
  options: CachedCredentialsOptions = {},
): CredentialsProvider {
  const cache = new CredentialsCache(provider, options)
  return (request) => cache.get(request)
}

export class CredentialsCache {
  readonly #provider: CredentialsProvider
  readonly #now: () => Date
  readonly #timeout: number
  #current: Credentials | undefined
  #renewAt = 0
  #pending: Promise<Credentials> | undefined
  #pendingForced = false

  constructor(provider: CredentialsProvider, options: CachedCredentialsOptions = {}) {
    const { now = () => new Date(), timeout = 5000 } = ownMembers(options)
    this.#provider = provider
    this.#now = now
    this.#timeout = timeout
  }

  async get({ forceRefresh = false }: CredentialsRequest = {}): Promise<Credentials> {
    return (forceRefresh ? undefined : this.ready()) ?? this.#renew(forceRefresh)
  }

  /** The set that is there, if it is good. */
  ready(): Credentials | undefined {
    const now = this.#now().getTime()
    const current = this.#current
    if (current === undefined || ended(current, now)) return undefined
    if (now >= this.#renewAt) {
      // Behind the scenes: whoever calls meanwhile has a good set, and hears of a failure only when it has ended.
      this.#renew(false).catch(() => undefined)
    }
    return current
  }

  /** A refresh that is under way serves all, but a forced one does not make do with one that may come from a cache. */
  #renew(force: boolean): Promise<Credentials> {
    if (this.#pending !== undefined && (this.#pendingForced || !force)) return this.#pending
    this.#renewAt = this.#now().getTime() + RETRY_AFTER_MS
    const pending = this.#ask(force)
      .then((credentials) => {
        // One that a forced refresh overtook has nothing newer.
        if (this.#pending === pending) this.#keep(credentials)
        return credentials
      })
      .finally(() => {
        if (this.#pending === pending) this.#pending = undefined
      })
    this.#pending = pending
    this.#pendingForced = force
    return pending
  }

  async #ask(forceRefresh: boolean): Promise<Credentials> {
    const given = await this.#withTimeout(forceRefresh)
    return readCredentials(given, 'The source of credentials', this.#now())
  }

  #keep(credentials: Credentials): void {
    const now = this.#now().getTime()
    const { expiration } = credentials
    this.#current = credentials
    this.#renewAt =
      expiration === undefined
        ? now + REREAD_AFTER_MS
        : Math.max(expiration.getTime() - REFRESH_AHEAD_MS, now + RETRY_AFTER_MS)
  }

  #withTimeout(forceRefresh: boolean): Promise<unknown> {
    const controller = new AbortController()
    return new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        const error = new KmsError(
          'ERR_KMS_CREDENTIALS',
          `The source of credentials gave none within ${this.#timeout} ms; look at what serves them`,
        )
        reject(error)
        controller.abort(error)
      }, this.#timeout)
      const ask = async (): Promise<unknown> =>
        this.#provider({ ...(forceRefresh && { forceRefresh }), signal: controller.signal })
      ask()
        .then(resolve, (cause: unknown) => reject(failure(cause)))
        .finally(() => clearTimeout(timer))
    })
  }
}

function ended({ expiration }: Credentials, now: number): boolean {
  return expiration !== undefined && expiration.getTime() <= now
}

/** An error of another's provider may quote what it read, so its message stays in `cause`. */
function failure(cause: unknown): KmsError {
  if (cause instanceof KmsError) return cause
  return new KmsError('ERR_KMS_CREDENTIALS', 'The source of credentials failed; see cause', {
    cause,
  })
}
