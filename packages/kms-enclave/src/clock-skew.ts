/** KMS takes signatures of five minutes before and after its own time; a difference below four is left alone. */
const THRESHOLD_MS = 240_000
const HTTP_DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/

/**
 * How far KMS's clock is from ours, learned from the `Date` of its answers. It serves to sign and for nothing else: the validity
 * of certificates is judged by the enclave's own clock. Only answers that came over an authenticated connection may be
 * shown to it.
 */
export class ClockSkew {
  readonly #now: () => Date
  #offset = 0

  constructor(now: () => Date) {
    this.#now = now
  }

  /** The time to sign with. */
  signingDate(): Date {
    return new Date(this.#now().getTime() + this.#offset)
  }

  /**
   * Looks at an answer.
   *
   * @param age - the `Age` header: an answer out of a cache says nothing about now
   */
  learn(date: unknown, age?: unknown): void {
    if (typeof date !== 'string' || !HTTP_DATE.test(date) || age !== undefined) return
    const server = Date.parse(date)
    if (Number.isNaN(server)) return
    const difference = server - this.#now().getTime()
    if (Math.abs(difference - this.#offset) >= THRESHOLD_MS) this.#offset = difference
  }

  /** Whether a request that was signed with this time would now be signed with one that is four minutes or more away. */
  isOff(signingDate: Date): boolean {
    return Math.abs(this.signingDate().getTime() - signingDate.getTime()) >= THRESHOLD_MS
  }
}
