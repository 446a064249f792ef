/**
 * A timer that means what it says on a busy event loop: when it fires, what has arrived meanwhile is looked at first, and
 * whoever stops it then is in time. It can be paused, and does not keep the process alive.
 */
export class Deadline {
  readonly #expired: () => void
  #timer: NodeJS.Timeout | undefined
  #turn: NodeJS.Immediate | undefined
  #left: number | undefined
  #since = 0

  constructor(expired: () => void) {
    this.#expired = expired
  }

  /** Whether it was started and not stopped, be it paused or not. */
  get started(): boolean {
    return this.#left !== undefined
  }

  /** Begins anew. */
  start(milliseconds: number): void {
    this.stop()
    this.#left = milliseconds
    this.resume()
  }

  /** Goes on where it was paused. */
  resume(): void {
    if (this.#left === undefined || this.#timer !== undefined || this.#turn !== undefined) return
    this.#since = performance.now()
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#turn = setImmediate(() => {
        this.#turn = this.#left = undefined
        this.#expired()
      })
    }, this.#left)
    this.#timer.unref()
  }

  pause(): void {
    if (this.#timer === undefined || this.#left === undefined) return
    const left = this.#left - (performance.now() - this.#since)
    this.stop()
    this.#left = Math.max(1, left)
  }

  stop(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#turn)
    this.#timer = this.#turn = this.#left = undefined
  }
}
