import { RecipientKey, type RecipientModulusLength } from './recipient-key.ts'

/** Threads of Node's pool (four unless told otherwise) that may make keys at a time. */
const GENERATIONS_MAX = 2

interface Waiting {
  readonly resolve: (key: RecipientKey) => void
  readonly reject: (reason: Error) => void
}

/** Makes keys ahead of need: keeps `ahead` of them ready, and makes a new one for each that is taken. */
export class RecipientKeySupply {
  readonly #modulusLength: RecipientModulusLength
  readonly #ahead: number
  readonly #ready: RecipientKey[] = []
  readonly #waiting: Waiting[] = []
  #running = 0
  #closed: Error | undefined

  constructor(modulusLength: RecipientModulusLength, ahead: number) {
    this.#modulusLength = modulusLength
    this.#ahead = ahead
    this.#refill()
  }

  /** A key that nobody has had. Those who wait are served in turn. */
  take(): Promise<RecipientKey> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    const key = this.#ready.shift()
    const taken =
      key === undefined
        ? new Promise<RecipientKey>((resolve, reject) => this.#waiting.push({ resolve, reject }))
        : Promise.resolve(key)
    this.#refill()
    return taken
  }

  /** Takes a key back that nobody has used. */
  giveBack(key: RecipientKey): void {
    this.#deliver(key)
  }

  /** Destroys what is ready and refuses those who wait with `reason`. */
  close(reason: Error): void {
    if (this.#closed !== undefined) return
    this.#closed = reason
    for (const key of this.#ready.splice(0)) key.destroy()
    for (const { reject } of this.#waiting.splice(0)) reject(reason)
  }

  #refill(): void {
    if (this.#closed !== undefined) return
    const wanted = this.#waiting.length + this.#ahead - this.#ready.length
    while (this.#running < Math.min(wanted, GENERATIONS_MAX)) {
      this.#running++
      RecipientKey.generate(this.#modulusLength).then(
        (key) => this.#made(key),
        (error: unknown) => this.#failed(error as Error),
      )
    }
  }

  #made(key: RecipientKey): void {
    this.#running--
    this.#deliver(key)
    this.#refill()
  }

  #deliver(key: RecipientKey): void {
    const next = this.#waiting.shift()
    if (this.#closed !== undefined) key.destroy()
    else if (next === undefined) this.#ready.push(key)
    else next.resolve(key)
  }

  /** One who waits hears of it. Where nobody waits, the next to take a key has it tried again. */
  #failed(error: Error): void {
    this.#running--
    const next = this.#waiting.shift()
    if (next === undefined) return
    next.reject(error)
    this.#refill()
  }
}
