import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { CKR, CryptokiError } from './cryptoki.ts'

/** Wrong PINs that are taken at once. */
export const PIN_FAILURES = 10
/** Then one more for each of these milliseconds. */
export const PIN_FORGIVEN_MS = 60_000

/**
 * The PIN of a token. Compared in constant time, and no more often wrongly than {@link PIN_FAILURES} at once and then
 * once a minute, whoever asks on whatever connection. While none is left the right PIN is refused too, so that a lock
 * answers no question. A right PIN gives no attempts back: whoever guesses could wait for others to log in.
 */
export class Pin {
  readonly #key = randomBytes(32)
  readonly #hash: Uint8Array
  readonly #now: () => number
  #left = PIN_FAILURES
  #since: number

  /** @param now milliseconds of a clock that only goes forward */
  constructor(pin: string, now: () => number = () => performance.now()) {
    this.#hash = this.#hashOf(new TextEncoder().encode(pin))
    this.#now = now
    this.#since = now()
  }

  #hashOf(pin: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#key).update(pin).digest()
  }

  #refill(): void {
    const now = this.#now()
    const forgiven = Math.floor((now - this.#since) / PIN_FORGIVEN_MS)
    if (forgiven <= 0) return
    this.#left = Math.min(PIN_FAILURES, this.#left + forgiven)
    this.#since += forgiven * PIN_FORGIVEN_MS
  }

  /** How many wrong PINs would be taken now. */
  get attemptsLeft(): number {
    this.#refill()
    return this.#left
  }

  /** @throws {CryptokiError} CKR_PIN_INCORRECT, CKR_PIN_LOCKED */
  verify(pin: Uint8Array): void {
    if (this.attemptsLeft === 0) throw new CryptokiError(CKR.PIN_LOCKED)
    if (timingSafeEqual(this.#hashOf(pin), this.#hash)) return
    if (this.#left === PIN_FAILURES) this.#since = this.#now()
    this.#left--
    throw new CryptokiError(CKR.PIN_INCORRECT)
  }
}
