import { KmsError } from './error.ts'
import { destroyedError, type RecipientKey } from './recipient-key.ts'

/** Asks the Attester for Evidence over `publicKey` (DER SubjectPublicKeyInfo). */
export type GetEvidence = (input: { publicKey: Uint8Array }) => Promise<Uint8Array>

/** The right to one call: a document to send, and the key that opens the one answer to it. */
export interface RecipientLease extends Disposable {
  /** The Evidence that goes into `Recipient.AttestationDocument`. Do not change it. */
  readonly document: Uint8Array
  /**
   * Opens the answer, once. The plaintext is the caller's; overwrite it after use. Where other calls are under
   * way, RSA is done on a thread of Node's pool.
   *
   * Rejects with {@link KmsError}: `ERR_KMS_CMS` when the bytes do not have KMS's form or do not open, and then the key is destroyed, for
   * every other call that uses it too; `ERR_KMS_RECIPIENT_DESTROYED` when it was destroyed before, or while this was being opened:
   * send the request again with a new lease.
   */
  open(ciphertextForRecipient: Uint8Array): Promise<Uint8Array>
  /** Ends the lease; needed when there is no answer to open. Twice does no harm. */
  release(): void
  /** Ends the lease, and gives its document to no new call: KMS found it too old. */
  retire(): void
}

/** The most bytes that KMS takes as `AttestationDocument`. */
const EVIDENCE_MAX_BYTES = 262_144

export interface RecipientTermOptions {
  readonly getEvidence: GetEvidence
  readonly evidenceDeadlineMs: number
  readonly maxAgeMs: number
  readonly maxCalls: number
  /** Milliseconds. */
  readonly clock: () => number
  readonly ended: (term: RecipientTerm) => void
}

/** One key and its document, for as long as they serve together. */
export class RecipientTerm {
  readonly #key: RecipientKey
  readonly #document: Uint8Array
  readonly #options: RecipientTermOptions
  readonly #began: number
  #timer: NodeJS.Timeout
  #callsLeft: number
  #underWay = 0
  #retired = false

  private constructor(
    key: RecipientKey,
    document: Uint8Array,
    began: number,
    options: RecipientTermOptions,
  ) {
    this.#key = key
    this.#document = document
    this.#options = options
    this.#began = began
    this.#callsLeft = options.maxCalls
    // What nobody asks for any more must go as well.
    this.#timer = setTimeout(() => this.#retire(), options.maxAgeMs).unref()
  }

  /** Asks for Evidence over the key. Where there is none, nobody has used the key. */
  static async begin(key: RecipientKey, options: RecipientTermOptions): Promise<RecipientTerm> {
    // Counted from before the document is made, so that it is younger than it seems.
    const began = options.clock()
    return new RecipientTerm(key, await evidence(key, options), began, options)
  }

  /** The right to one call; undefined when the term is over. */
  lease(): RecipientLease | undefined {
    // A clock that was set back proves nothing about the age.
    if (!this.#within(this.#options.maxAgeMs)) this.#retire()
    if (this.#retired || this.#key.destroyed) return undefined
    this.#callsLeft--
    this.#underWay++
    if (this.#callsLeft === 0) this.#retire()
    let opened = false
    let ended = false
    const release = (): void => {
      if (ended) return
      ended = true
      this.#underWay--
      if (this.#retired && this.#underWay === 0) this.destroy()
    }
    return {
      document: this.#document,
      open: async (ciphertextForRecipient) => {
        if (ended || opened) throw destroyedError()
        opened = true
        try {
          if (!this.#within(2 * this.#options.maxAgeMs)) this.destroy()
          return await this.#open(ciphertextForRecipient)
        } finally {
          release()
        }
      },
      release,
      retire: () => {
        this.#retire()
        release()
      },
      [Symbol.dispose]: release,
    }
  }

  destroy(): void {
    clearTimeout(this.#timer)
    this.#retired = true
    this.#key.destroy()
    this.#options.ended(this)
  }

  async #open(ciphertextForRecipient: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#key.open(ciphertextForRecipient, this.#underWay === 1)
    } finally {
      if (this.#key.destroyed) this.destroy()
    }
  }

  #within(milliseconds: number): boolean {
    const age = this.#options.clock() - this.#began
    return age >= 0 && age < milliseconds
  }

  /** No new calls; the end comes with the last answer, or after as long again. */
  #retire(): void {
    if (this.#retired) return
    this.#retired = true
    if (this.#underWay === 0) return this.destroy()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.destroy(), this.#options.maxAgeMs).unref()
  }
}

async function evidence(key: RecipientKey, options: RecipientTermOptions): Promise<Uint8Array> {
  const { getEvidence, evidenceDeadlineMs } = options
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    const late = (): void =>
      reject(
        new KmsError(
          'ERR_KMS_EVIDENCE',
          `getEvidence gave no Evidence within ${evidenceDeadlineMs} ms`,
        ),
      )
    timer = setTimeout(late, evidenceDeadlineMs)
  })
  try {
    const asked = Promise.resolve(getEvidence({ publicKey: key.publicKey.slice() }))
    const document = await Promise.race([asked, deadline])
    if (!(document instanceof Uint8Array)) {
      throw new KmsError('ERR_KMS_EVIDENCE', 'getEvidence must give a Uint8Array')
    }
    if (document.length === 0 || document.length > EVIDENCE_MAX_BYTES) {
      throw new KmsError(
        'ERR_KMS_EVIDENCE',
        `getEvidence gave ${document.length} bytes; KMS takes 1 to ${EVIDENCE_MAX_BYTES}`,
      )
    }
    return new Uint8Array(document)
  } catch (error) {
    if (error instanceof KmsError) throw error
    throw new KmsError('ERR_KMS_EVIDENCE', 'getEvidence gave no Evidence for the recipient key', {
      cause: error,
    })
  } finally {
    clearTimeout(timer)
  }
}
