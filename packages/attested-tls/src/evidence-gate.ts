import { within } from './deadline.ts'
import { AttestedTlsError } from './error.ts'
import { DOCUMENT_MOST } from './purpose.ts'

/** Asks the Attester for Evidence: `attestation` of `@enclavejs/nsm` is one. */
export type GetEvidence = (input: {
  readonly publicKey: Uint8Array
  readonly nonce: Uint8Array
  readonly userData: Uint8Array
}) => Promise<Uint8Array>

export interface EvidenceLimits {
  /** Calls of `getEvidence` at once. */
  readonly maxConcurrent: number
  /** Callers that may wait for one of them. */
  readonly maxWaiting: number
  readonly maxPerSecond: number
  /** Milliseconds, waiting included. */
  readonly deadline: number
}

/**
 * Lets so many ask for Evidence at once and in a second: the NSM answers one after another, and everybody may ask. A call that
 * met its deadline keeps its place until it ends, so that what is stuck does not pile up. Each document is for one nonce;
 * none is kept.
 */
export class EvidenceGate {
  readonly #getEvidence: GetEvidence
  readonly #limits: EvidenceLimits
  readonly #waiting: (() => void)[] = []
  #running = 0
  #tokens: number
  #filled: number = performance.now()

  constructor(getEvidence: GetEvidence, limits: EvidenceLimits) {
    this.#getEvidence = getEvidence
    this.#limits = limits
    this.#tokens = limits.maxPerSecond
  }

  /** @throws {AttestedTlsError} `ERR_ATTESTED_TLS_BUSY`, `ERR_ATTESTED_TLS_EVIDENCE_SOURCE` */
  async ask(input: Parameters<GetEvidence>[0]): Promise<Uint8Array> {
    this.#spend()
    const { deadline } = this.#limits
    let given = false
    let document: Uint8Array
    try {
      const asked = this.#turn(() => given).then(async () => {
        try {
          return await this.#getEvidence({
            publicKey: input.publicKey.slice(),
            nonce: input.nonce.slice(),
            userData: input.userData.slice(),
          })
        } finally {
          this.#next()
        }
      })
      document = await within(asked, deadline, 'No Evidence')
    } catch (cause) {
      given = true
      if (cause instanceof AttestedTlsError && cause.code === 'ERR_ATTESTED_TLS_BUSY') throw cause
      const message = 'getEvidence gave no document'
      throw new AttestedTlsError('ERR_ATTESTED_TLS_EVIDENCE_SOURCE', message, { cause })
    }
    const isDocument = document instanceof Uint8Array && document.length > 0
    if (!isDocument || document.length > DOCUMENT_MOST) {
      throw new AttestedTlsError(
        'ERR_ATTESTED_TLS_EVIDENCE_SOURCE',
        `getEvidence must give a Uint8Array of 1 to ${DOCUMENT_MOST} bytes`,
      )
    }
    return document
  }

  /** Resolves with a place; who has given up meanwhile passes it on. */
  #turn(hasGivenUp: () => boolean): Promise<void> {
    if (this.#running < this.#limits.maxConcurrent) {
      this.#running++
      return Promise.resolve()
    }
    if (this.#waiting.length >= this.#limits.maxWaiting) {
      return Promise.reject(busy(`${this.#limits.maxWaiting} requests wait already`))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        if (!hasGivenUp()) return resolve()
        this.#next()
        reject(busy('given up'))
      })
    })
  }

  #next(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running--
    else next()
  }

  #spend(): void {
    const now = performance.now()
    const { maxPerSecond } = this.#limits
    const gained = ((now - this.#filled) / 1000) * maxPerSecond
    this.#tokens = Math.min(maxPerSecond, this.#tokens + gained)
    this.#filled = now
    if (this.#tokens < 1) throw busy(`${maxPerSecond} documents a second are allowed`)
    this.#tokens--
  }
}

function busy(why: string): AttestedTlsError {
  return new AttestedTlsError('ERR_ATTESTED_TLS_BUSY', `No document now: ${why}`)
}
