import type { Duplex } from 'node:stream'
import { AcmError } from '../error.ts'
import type { SignInput } from './signing-key.ts'
import { EnclaveLink, type EnclaveObject } from './enclave-link.ts'

/** An enclave with a token, as a relay reaches it. */
export interface EnclaveAddress {
  /** Opens a stream to the token: `connect` of `@enclavejs/vsock` with the enclave's CID and port, for instance. */
  readonly connect: (options: { readonly signal: AbortSignal }) => Promise<Duplex> | Duplex
  /** The PIN of the token in the enclave. */
  readonly pin: string
}

/** Connections to one enclave at most: signatures that are made at the same time. */
const MAX_LINKS = 8
const OPEN_TIMEOUT_MS = 5000
/** After a connection failed. */
const PAUSE_MS = 200

/** The connections to one enclave. */
export class EnclavePool {
  readonly #address: EnclaveAddress
  readonly #onObjects: (objects: readonly EnclaveObject[]) => void
  readonly #links = new Set<EnclaveLink>()
  #opening: Promise<EnclaveLink> | undefined
  #failure: { readonly error: AcmError; readonly until: number } | undefined
  #closed = false

  /** `onObjects` is told what the token has, with each new connection. */
  constructor(address: EnclaveAddress, onObjects: (objects: readonly EnclaveObject[]) => void) {
    this.#address = address
    this.#onObjects = onObjects
  }

  /** Signs over the least busy connection; undefined when this enclave does not have the key. */
  async sign(identity: string, input: SignInput): Promise<Uint8Array | undefined> {
    let link = this.#best()
    if (link === undefined) link = await this.#open()
    // One is there: the new one is for those who come later.
    else if (link.load > 0 && this.#links.size < MAX_LINKS) this.#open().catch(() => {})
    return link.has(identity) ? link.sign(identity, input) : undefined
  }

  #best(): EnclaveLink | undefined {
    let best: EnclaveLink | undefined
    for (const link of this.#links) if (best === undefined || link.load < best.load) best = link
    return best
  }

  /** Asks again what the token has. */
  async refresh(): Promise<void> {
    if (this.#links.size === 0) await this.#open()
    else
      await Promise.all([...this.#links].map(async (link) => this.#onObjects(await link.objects())))
  }

  /** Has the enclave remove a key, and asks again what the token has. */
  async destroy(identity: string): Promise<void> {
    const link = this.#best() ?? (await this.#open())
    await link.destroy(identity)
    await this.refresh()
  }

  /** One at a time; after a failure all wait a little. */
  #open(): Promise<EnclaveLink> {
    if (this.#closed)
      return Promise.reject(new AcmError('ERR_ACM_TOKEN_CLOSED', 'The relay was closed.'))
    const failure = this.#failure
    if (failure !== undefined && performance.now() < failure.until)
      return Promise.reject(failure.error)
    this.#opening ??= this.#openNow().finally(() => (this.#opening = undefined))
    return this.#opening
  }

  async #openNow(): Promise<EnclaveLink> {
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(), OPEN_TIMEOUT_MS)
    let stream: Duplex | undefined
    timeout.signal.addEventListener('abort', () => stream?.destroy())
    try {
      stream = await this.#connect(timeout.signal)
      const link = await EnclaveLink.open(stream, this.#address.pin, () => this.#drop())
      this.#onObjects(await link.objects())
      if (this.#closed) link.close()
      if (!link.ended) this.#links.add(link)
      this.#failure = undefined
      return link
    } catch (cause) {
      stream?.destroy()
      const message = 'The token in the enclave cannot be reached.'
      const error =
        cause instanceof AcmError
          ? cause
          : new AcmError('ERR_ACM_TOKEN_ENCLAVE', message, { cause })
      // A refused PIN is not tried again and again: attempts are few.
      const pause = error.code === 'ERR_ACM_TOKEN_PIN' ? 60_000 : PAUSE_MS
      this.#failure = { error, until: performance.now() + pause }
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Until the signal, whether `connect` heeds it or not. */
  #connect(signal: AbortSignal): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('no connection in time')))
      const connecting = Promise.resolve(this.#address.connect({ signal }))
      connecting.then((stream) => {
        if (signal.aborted) stream.on('error', () => {}).destroy()
        resolve(stream)
      }, reject)
    })
  }

  #drop(): void {
    for (const link of this.#links) if (link.ended) this.#links.delete(link)
  }

  close(): void {
    this.#closed = true
    for (const link of this.#links) link.close()
    this.#links.clear()
  }
}
