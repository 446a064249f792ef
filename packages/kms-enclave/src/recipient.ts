import { MODULUS_LENGTHS, type RecipientModulusLength } from './recipient-key.ts'
import { RecipientKeySupply } from './recipient-key-supply.ts'
import { RecipientTerm, type GetEvidence, type RecipientLease } from './recipient-term.ts'
import { KmsError } from './error.ts'
import { ownMembers } from './own-members.ts'

const MAX_AGE_MS = 60_000
/** KMS refuses a document of more than five minutes; what is on its way must have time to arrive. */
const MAX_AGE_MS_MAX = 120_000
const MAX_CALLS = 1000
const EVIDENCE_DEADLINE_MS = 10_000
/** Keys kept ready: one where a key serves for a while, more where each call takes one. */
const KEYS_AHEAD = 1
const KEYS_AHEAD_SINGLE_USE = 3

export interface RecipientSourceOptions {
  /** Asks the Attester for Evidence over a public key; `getEvidence` of `@enclavejs/nsm` is one. */
  readonly getEvidence: GetEvidence
  /** A new key and document for each call, and the key destroyed after one answer. Default: false. */
  readonly singleUse?: boolean
  /** For how many milliseconds a key and its document serve, from the moment its Evidence is asked for. 1 to 120000, default 60000. */
  readonly maxAgeMs?: number
  /** For how many calls a key and its document serve. 1 to 1000000, default 1000. */
  readonly maxCalls?: number
  /** Bits of the RSA keys. Default 2048, the only size that AWS documents; larger ones take longer to make and to open with. */
  readonly modulusLength?: RecipientModulusLength
  /** How long `getEvidence` may take, in milliseconds. Default 10000. */
  readonly evidenceDeadlineMs?: number
  /** For tests. Default: a clock that only runs forward (`performance.now`), which in a guest is the guest's own. */
  readonly now?: () => Date
}

/**
 * Keys that KMS encrypts its answers to, and the Evidence that binds them to this enclave.
 *
 * RSA keys are made off the event loop and ahead of need, and where several calls are under way answers are opened off it. A key and its document serve together for a bounded time and number of
 * calls; then no new call gets them, and the key is destroyed as soon as the last answer under way is opened or given up, at
 * the latest after `maxAgeMs` more. That more than one call uses a key is sound where the enclave's own TLS connection shows
 * that KMS sent the answer; wherever it does not, `singleUse` must be set.
 *
 * Private keys live in OpenSSL's memory and are never exported: destroyed means that nothing refers to the
 * key any more but the openings that have begun, whose outcome is then refused, and that OpenSSL overwrites it when the
 * collector comes by. JavaScript cannot promise when.
 */
export class RecipientSource implements Disposable {
  readonly #getEvidence: GetEvidence
  readonly #evidenceDeadlineMs: number
  readonly #singleUse: boolean
  readonly #maxAgeMs: number
  readonly #maxCalls: number
  readonly #supply: RecipientKeySupply
  readonly #clock: () => number
  readonly #terms: Set<RecipientTerm> = new Set()
  #current: RecipientTerm | undefined
  #next: Promise<RecipientTerm> | undefined
  #closed = false

  constructor(given: RecipientSourceOptions) {
    const options = ownMembers(given)
    const { getEvidence, singleUse = false, modulusLength = 2048, now } = options
    if (typeof getEvidence !== 'function') throw new TypeError('getEvidence must be a function')
    if (typeof singleUse !== 'boolean') throw new TypeError('singleUse must be a boolean')
    if (!MODULUS_LENGTHS.includes(modulusLength)) {
      throw new RangeError(`modulusLength must be ${MODULUS_LENGTHS.join(', ')} bits`)
    }
    if (now !== undefined && typeof now !== 'function')
      throw new TypeError('now must be a function')
    this.#getEvidence = getEvidence
    this.#singleUse = singleUse
    this.#maxAgeMs = bounded(options.maxAgeMs ?? MAX_AGE_MS, 'maxAgeMs', MAX_AGE_MS_MAX)
    this.#maxCalls = singleUse ? 1 : bounded(options.maxCalls ?? MAX_CALLS, 'maxCalls', 1_000_000)
    this.#evidenceDeadlineMs = bounded(
      options.evidenceDeadlineMs ?? EVIDENCE_DEADLINE_MS,
      'evidenceDeadlineMs',
      600_000,
    )
    this.#clock = now === undefined ? () => performance.now() : () => now().getTime()
    this.#supply = new RecipientKeySupply(
      modulusLength,
      singleUse ? KEYS_AHEAD_SINGLE_USE : KEYS_AHEAD,
    )
  }

  /**
   * A lease from the key that serves now, if there is one.
   *
   * Throws {@link KmsError}: `ERR_KMS_CLOSED` after {@link close}.
   */
  ready(): RecipientLease | undefined {
    if (this.#closed) throw closedError()
    return this.#lease()
  }

  /**
   * A lease for one call. Callers who come at the same time share the making of a key and the asking for Evidence.
   *
   * @param options.signal - gives up waiting; what was being made serves the next caller, or with `singleUse` is destroyed
   *
   * Throws {@link KmsError}: `ERR_KMS_EVIDENCE` when `getEvidence` fails, gives something other than 1 to 262144 bytes or
   * takes too long; `ERR_KMS_CLOSED` after {@link close}.
   */
  async acquire(options: { readonly signal?: AbortSignal } = {}): Promise<RecipientLease> {
    const { signal } = options
    for (;;) {
      signal?.throwIfAborted()
      const lease = this.ready()
      if (lease !== undefined) return lease
      if (this.#singleUse) {
        const lease = (await unlessAborted(this.#begin(), signal, (term) => term.destroy())).lease()
        if (lease !== undefined) return lease
      } else {
        await unlessAborted((this.#next ??= this.#renew()), signal)
      }
    }
  }

  /** Destroys all keys. Calls under way get `ERR_KMS_RECIPIENT_DESTROYED`, when they open their answer or while it is being opened. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#current = undefined
    this.#supply.close(closedError())
    for (const term of this.#terms) term.destroy()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #lease(): RecipientLease | undefined {
    const lease = this.#current?.lease()
    if (lease === undefined) this.#current = undefined
    return lease
  }

  async #renew(): Promise<RecipientTerm> {
    try {
      return (this.#current = await this.#begin())
    } finally {
      this.#next = undefined
    }
  }

  async #begin(): Promise<RecipientTerm> {
    const key = await this.#supply.take()
    let term
    try {
      term = await RecipientTerm.begin(key, {
        getEvidence: this.#getEvidence,
        evidenceDeadlineMs: this.#evidenceDeadlineMs,
        maxAgeMs: this.#maxAgeMs,
        maxCalls: this.#maxCalls,
        clock: this.#clock,
        ended: (one) => this.#terms.delete(one),
      })
    } catch (error) {
      this.#supply.giveBack(key)
      throw error
    }
    if (this.#closed) {
      term.destroy()
      throw closedError()
    }
    this.#terms.add(term)
    return term
  }
}

function bounded(value: number, name: string, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new RangeError(`${name} must be an integer from 1 to ${most}, and is ${value}`)
  }
  return value
}

function closedError(): KmsError {
  return new KmsError('ERR_KMS_CLOSED', 'the source of recipient keys was closed')
}

/** The promise's outcome, or the signal's reason if that comes first; what comes later goes to `late`. */
function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  late: (outcome: T) => void = () => {},
): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error)
      promise.then(late, () => {})
    }
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
