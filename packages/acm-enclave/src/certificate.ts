import { setTimeout as sleep } from 'node:timers/promises'
import type { SecureContext, Server } from 'node:tls'
import { publishEvent, type AcmCertificateEvent } from './certificate-event.ts'
import {
  readOptions,
  type AcmCertificateOptions,
  type RequiredOptions,
} from './certificate-options.ts'
import { partsOf, type SourceParts } from './certificate-source.ts'
import { AcmError } from './error.ts'
import { isSameBundle, loadCertificate, type LoadedCertificate } from './loaded-certificate.ts'
import { RollbackGuard } from './rollback-guard.ts'

/** What {@link AcmCertificate.state} says. */
export interface AcmCertificateState {
  /** `serving`; `expired` and `stale`: nothing is served until a renewal comes; `closed`. */
  readonly status: 'serving' | 'expired' | 'stale' | 'closed'
  /** Hexadecimal, of the leaf that was loaded last. */
  readonly serialNumber: string
  /** SHA-256 of the leaf, as `node:crypto` writes it. */
  readonly fingerprint256: string
  readonly notBefore: Date
  /** The earliest end in the certification path. */
  readonly notAfter: Date
  /** Of own bundles. */
  readonly version: number | undefined
  readonly loadedAt: Date
  /** The last poll that succeeded. */
  readonly checkedAt: Date
  /** Polls that failed since. */
  readonly failures: number
  /** What the last of them failed with. */
  readonly lastFailure:
    { readonly code: string; readonly message: string; readonly at: Date } | undefined
}

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The first wait after a failure; it doubles up to the usual one. */
const RETRY_MS = 1000
/** What may pass by itself. */
const OUTAGES: ReadonlySet<string> = new Set([
  ...['ERR_ACM_STORE', 'ERR_ACM_KMS', 'ERR_ACM_CREDENTIALS', 'ERR_ACM_BYTES'],
])

/** A certificate that renews itself. Comes from {@link createAcmCertificate}. */
export class AcmCertificate implements AsyncDisposable {
  readonly #options: RequiredOptions
  readonly #source: SourceParts
  readonly #guard: RollbackGuard
  readonly #servers = new Set<Server>()
  readonly #ended = new AbortController()
  #queue: Promise<unknown> = Promise.resolve()
  #refreshing: Promise<void> | undefined
  #loaded: LoadedCertificate | undefined
  #etag: string | undefined
  #loadedAt = new Date(0)
  #decryptedAt = 0
  #checkedAt = new Date(0)
  #failures = 0
  #lastFailure: AcmCertificateState['lastFailure']
  #down: 'expired' | 'stale' | undefined
  #warnedAt = Number.NEGATIVE_INFINITY
  #pollTimer: NodeJS.Timeout | undefined
  #watchTimer: NodeJS.Timeout | undefined

  /** Certificates come from {@link createAcmCertificate}. */
  constructor(options: RequiredOptions) {
    this.#options = options
    this.#source = partsOf(options.source)
    this.#guard = new RollbackGuard(options.leastVersion)
  }

  /** Loads for the first time, and begins to poll; `createAcmCertificate` has called it. */
  async start(): Promise<void> {
    const until = performance.now() + this.#options.startTimeoutMs
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#serially(() => this.#poll())
        break
      } catch (error) {
        const pause = jitter(Math.min(RETRY_MS * 2 ** (attempt - 1), 10_000))
        const isOutage = error instanceof AcmError && OUTAGES.has(error.code)
        if (!isOutage || performance.now() + pause >= until) throw error
        await sleep(pause)
      }
    }
    this.#schedule()
    this.#watch()
  }

  /** What is served, since when, and how the last polls went. */
  get state(): AcmCertificateState {
    const { path, bundle } = this.#loaded as LoadedCertificate
    this.#judge()
    return {
      status: this.#ended.signal.aborted ? 'closed' : (this.#down ?? 'serving'),
      serialNumber: path.leaf.serialNumber,
      fingerprint256: path.leaf.fingerprint256,
      notBefore: new Date(path.notBefore),
      notAfter: new Date(path.notAfter),
      version: bundle.version,
      loadedAt: new Date(this.#loadedAt),
      checkedAt: new Date(this.#checkedAt),
      failures: this.#failures,
      lastFailure: this.#lastFailure,
    }
  }

  /** Leaf and issuers as they are sent to clients, PEM. */
  get certificatePem(): string {
    return (this.#loaded as LoadedCertificate).path.pem
  }

  /**
   * The context of the newest certificate, for `new TLSSocket`, `SNICallback` or `addContext`. Ask for it for each connection: one
   * that is kept goes on with what it was made of. A context lets nobody read its key.
   *
   * @throws {AcmError} `ERR_ACM_NO_CERTIFICATE` when the certificate has ended or is stale, `ERR_ACM_CLOSED`
   */
  secureContext(): SecureContext {
    this.#open()
    this.#judge()
    if (this.#down === undefined) return (this.#loaded as LoadedCertificate).context
    throw this.#nothing()
  }

  /** Whether the certificate is for a host name that a client asks for. */
  isFor(hostName: string): boolean {
    const { leaf } = (this.#loaded as LoadedCertificate).path
    const strict = { subject: 'never', wildcards: true, partialWildcards: false } as const
    return leaf.checkHost(hostName, { ...strict, multiLabelWildcards: false }) !== undefined
  }

  /**
   * Makes this the certificate of a server of `node:tls` or `node:https`, now and after each renewal (`setSecureContext`). Connections
   * that are open stay; new ones, and resumed sessions, see the new certificate. When it has ended, new connections are
   * refused. Costs one attested Decrypt, because the key was not kept.
   *
   * @throws {AcmError} as loading does; the server is then left as it was
   */
  async attach(server: Server): Promise<void> {
    if (typeof (server as Partial<Server>).setSecureContext !== 'function') {
      throw new TypeError('server must be a server of node:tls or node:https')
    }
    await this.#serially(async () => {
      this.#open()
      this.#judge()
      if (this.#down !== undefined) throw this.#nothing()
      const { bundle } = this.#loaded as LoadedCertificate
      await this.#load(bundle, new Set([server]))
      this.#servers.add(server)
    })
  }

  /** Leaves a server as it is from now on. */
  detach(server: Server): void {
    this.#servers.delete(server)
  }

  /**
   * Polls now, and not only when it is time.
   *
   * @throws {AcmError} why nothing was renewed; what was served is served further
   */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /** Ends polling and closes the source. Servers that it was attached to go on with what they have. May be called twice. */
  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return
    this.#ended.abort(new AcmError('ERR_ACM_CLOSED', 'The certificate was closed'))
    clearTimeout(this.#pollTimer)
    clearTimeout(this.#watchTimer)
    this.#servers.clear()
    await this.#source.close()
    this.#publish('closed')
  }

  /** {@link AcmCertificate.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #refresh(): Promise<void> {
    clearTimeout(this.#pollTimer)
    try {
      await this.#serially(() => this.#poll())
    } catch (error) {
      if (!this.#ended.signal.aborted) this.#failed(error)
      throw error
    } finally {
      if (!this.#ended.signal.aborted) this.#schedule()
    }
  }

  async #poll(): Promise<void> {
    this.#open()
    const before = this.#loaded
    const fetched = await this.#source.fetch(this.#etag, this.#ended.signal)
    const bundle = fetched?.bundle ?? before?.bundle
    if (bundle === undefined) throw new AcmError('ERR_ACM_OBJECT', 'The source gave no bundle')
    const now = this.#options.now()
    const isSame = before !== undefined && isSameBundle(before.bundle, bundle)
    const isDue = now.getTime() - this.#decryptedAt >= this.#options.reattestMs
    if (!isSame || isDue) await this.#load(bundle, this.#servers)
    if (fetched !== undefined) this.#etag = fetched.etag
    this.#checkedAt = now
    this.#failures = 0
    this.#lastFailure = undefined
    this.#recover()
    this.#publish(before === undefined ? 'loaded' : isSame ? 'unchanged' : 'renewed')
    this.#judge()
  }

  async #load(bundle: LoadedCertificate['bundle'], servers: ReadonlySet<Server>): Promise<void> {
    const { signal } = this.#ended
    const before = this.#loaded?.path.leaf.fingerprint256
    const loaded = await loadCertificate(
      bundle,
      this.#source,
      this.#guard,
      this.#options,
      servers,
      signal,
    )
    this.#loaded = loaded
    const now = this.#options.now()
    this.#decryptedAt = now.getTime()
    if (before !== loaded.path.leaf.fingerprint256) {
      this.#loadedAt = now
      this.#warnedAt = Number.NEGATIVE_INFINITY
    }
  }

  /** A server whose context was emptied has one again when polls succeed: by loading, which gives it the key. */
  #recover(): void {
    if (this.#down === undefined) return
    const { path } = this.#loaded as LoadedCertificate
    if (path.notAfter.getTime() <= this.#options.now().getTime()) return
    this.#down = undefined
  }

  #failed(error: unknown): void {
    const at = this.#options.now()
    const code = error instanceof AcmError ? error.code : 'unknown'
    const message = error instanceof Error ? error.message : String(error)
    this.#failures++
    this.#lastFailure = { code, message, at }
    this.#publish('failed', { code, message })
    this.#judge()
  }

  /** Looks at the clock: warns, and fails closed. */
  #judge(): void {
    const loaded = this.#loaded
    if (loaded === undefined || this.#ended.signal.aborted) return
    const now = this.#options.now().getTime()
    const left = loaded.path.notAfter.getTime() - now
    const { warnBeforeMs, failClosedAfterMs } = this.#options
    const isStale = now - this.#checkedAt.getTime() >= failClosedAfterMs
    const down = left <= 0 ? 'expired' : isStale ? 'stale' : undefined
    if (down !== undefined && this.#down === undefined) {
      this.#down = down
      // The bundle must be loaded anew to be served again.
      this.#decryptedAt = Number.NEGATIVE_INFINITY
      for (const server of this.#servers) server.setSecureContext({})
      this.#publish(down)
    } else if (down === undefined && left < warnBeforeMs && now - this.#warnedAt >= DAY) {
      this.#warnedAt = now
      this.#publish('expiring')
    }
  }

  /** Looks at the clock even while nothing else happens: at the end, and each hour before. */
  #watch(): void {
    const { path } = this.#loaded as LoadedCertificate
    const left = path.notAfter.getTime() - this.#options.now().getTime()
    const stale = this.#checkedAt.getTime() + this.#options.failClosedAfterMs
    const until = Math.min(left, stale - this.#options.now().getTime())
    const wait = Math.min(until > 0 ? until + 1 : HOUR, HOUR)
    this.#watchTimer = setTimeout(() => {
      this.#judge()
      if (!this.#ended.signal.aborted) this.#watch()
    }, wait)
    this.#watchTimer.unref()
  }

  #schedule(): void {
    const { pollMs } = this.#options
    const wait =
      this.#failures === 0 ? pollMs : Math.min(pollMs, RETRY_MS * 2 ** (this.#failures - 1))
    clearTimeout(this.#pollTimer)
    this.#pollTimer = setTimeout(() => {
      // What it fails with is in `state` and on the channel.
      this.refresh().catch(() => undefined)
    }, jitter(wait))
    this.#pollTimer.unref()
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(task)
    this.#queue = run.catch(() => undefined)
    return run
  }

  #open(): void {
    if (this.#ended.signal.aborted) throw this.#ended.signal.reason as AcmError
  }

  #nothing(): AcmError {
    const { notAfter } = (this.#loaded as LoadedCertificate).path
    const last =
      this.#lastFailure === undefined ? '' : `; renewing failed: ${this.#lastFailure.code}`
    const why =
      this.#down === 'stale'
        ? `no poll has succeeded since ${this.#checkedAt.toISOString()}`
        : `it ended at ${notAfter.toISOString()}`
    return new AcmError('ERR_ACM_NO_CERTIFICATE', `The certificate is not served: ${why}${last}`)
  }

  #publish(kind: AcmCertificateEvent['kind'], more: Partial<AcmCertificateEvent> = {}): void {
    const loaded = this.#loaded
    publishEvent({
      kind,
      source: this.#source.description,
      serialNumber: loaded?.path.leaf.serialNumber,
      notAfter: loaded?.path.notAfter,
      version: loaded?.bundle.version,
      failures: this.#failures,
      ...more,
    })
  }
}

/** A tenth more or less, so that many enclaves do not ask at once. */
function jitter(milliseconds: number): number {
  return Math.round(milliseconds * (0.9 + Math.random() * 0.2))
}

/**
 * Loads a certificate and keeps it new: polls its source, swaps it in without dropping a connection, keeps the last good one when
 * anything fails, serves none that has ended. Never are a bundle that is bad, for other names, or older than the newest seen
 * put in the place of a good one. What this cannot know is what was seen before this process began: a parent can replay an old
 * bundle at boot, as long as its certificate is valid and its version is at least `leastVersion`.
 *
 * Polling does not keep the process alive; a server does.
 *
 * @throws {TypeError} {@link RangeError} naming the option
 * @throws {AcmError} why the first load failed; S3, KMS and credentials are given `startTimeoutMs` to come back
 */
export async function createAcmCertificate(
  options: AcmCertificateOptions,
): Promise<AcmCertificate> {
  const certificate = new AcmCertificate(readOptions(options))
  try {
    await certificate.start()
    return certificate
  } catch (error) {
    await certificate.close()
    throw error
  }
}
