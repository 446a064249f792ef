import { generateSealedKey, sealedKeyId, type SealedKeyPair } from './encapsulation.ts'
import { AttestedTlsError } from './error.ts'

/** An HPKE key, and what was sealed to it and opened. */
export interface SealedKey {
  readonly id: number
  readonly spki: Uint8Array
  readonly pair: SealedKeyPair
  readonly seen: Set<string>
  readonly madeAt: number
}

export interface SealedKeyLimits {
  /** Milliseconds after which a new key is published; the old one opens requests for as long again. */
  readonly rotateAfter: number
  /** Requests that one key opens; at half of them a new key is published. */
  readonly maxRequestsPerKey: number
}

/** Keys at once; more frequent rotation than that forgets the oldest. */
const KEYS_MOST = 4

/**
 * The HPKE keys of this process. Every request that a key has opened is remembered as long as the key, so that none is taken twice;
 * a key that is forgotten opens nothing any more, and what was sealed to it is closed for ever.
 */
export class SealedKeys {
  readonly #limits: SealedKeyLimits
  /** The newest last. */
  #keys: SealedKey[] = []
  #making: Promise<SealedKey> | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(limits: SealedKeyLimits) {
    this.#limits = limits
  }

  /** The key to publish. */
  async current(): Promise<SealedKey> {
    this.#forget()
    const newest = this.#keys.at(-1)
    const { rotateAfter, maxRequestsPerKey } = this.#limits
    const isFresh =
      newest !== undefined &&
      performance.now() - newest.madeAt < rotateAfter &&
      newest.seen.size < maxRequestsPerKey / 2
    return isFresh ? newest : (this.#making ??= this.#make())
  }

  /** @throws {AttestedTlsError} `ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN` */
  find(id: number): SealedKey {
    this.#forget()
    const found = this.#keys.find((key) => key.id === id)
    if (found !== undefined && found.seen.size < this.#limits.maxRequestsPerKey) return found
    throw new AttestedTlsError(
      'ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN',
      'The request is for a key that this server does not have: ask for a new document',
    )
  }

  /**
   * Remembers a request that was opened. Only those: what does not open fills no memory. To be called before anything acts on it,
   * and with nothing awaited in between.
   *
   * @throws {AttestedTlsError} `ERR_ATTESTED_TLS_SEALED_REPLAY`
   */
  remember(key: SealedKey, encapsulatedSecret: Uint8Array): void {
    const name = Buffer.from(encapsulatedSecret).toString('latin1')
    if (key.seen.has(name)) {
      const message = 'This request was taken before'
      throw new AttestedTlsError('ERR_ATTESTED_TLS_SEALED_REPLAY', message)
    }
    // Those that were opened at the same time may be a few more than there is room for.
    if (key.seen.size >= this.#limits.maxRequestsPerKey) {
      const message = 'The key has opened as many requests as it may: ask for a new document'
      throw new AttestedTlsError('ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN', message)
    }
    key.seen.add(name)
  }

  close(): void {
    this.#closed = true
    this.#keys = []
    clearTimeout(this.#timer)
  }

  async #make(): Promise<SealedKey> {
    try {
      for (;;) {
        const { pair, spki } = await generateSealedKey()
        const id = await sealedKeyId(spki)
        if (this.#keys.some((key) => key.id === id)) continue
        const key = { id, spki, pair, seen: new Set<string>(), madeAt: performance.now() }
        if (!this.#closed) this.#keys = [...this.#keys, key].slice(-KEYS_MOST)
        this.#schedule()
        return key
      }
    } finally {
      this.#making = undefined
    }
  }

  #forget(): void {
    const until = performance.now() - 2 * this.#limits.rotateAfter
    if (this.#keys.some(({ madeAt }) => madeAt <= until)) {
      this.#keys = this.#keys.filter(({ madeAt }) => madeAt > until)
    }
  }

  /** Keys go when their time is over, and not when somebody asks. */
  #schedule(): void {
    clearTimeout(this.#timer)
    const oldest = this.#keys[0]
    if (this.#closed || oldest === undefined) return
    const left = oldest.madeAt + 2 * this.#limits.rotateAfter - performance.now()
    this.#timer = setTimeout(
      () => {
        this.#forget()
        this.#schedule()
      },
      Math.max(1, left),
    ).unref()
  }
}
