import { VsockError } from './error.ts'

/** Options of `MessageClient.request`. */
export interface MessageRequestOptions {
  /** Gives the request up. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds, waiting and connecting included: 1 to 2147483647. That of the client unless given. */
  readonly deadline?: number | undefined
}

/** A request from its call to its response, its error, its deadline or its abort, whichever comes first. */
export class PendingRequest {
  readonly response: Promise<Uint8Array>
  readonly #timer: NodeJS.Timeout
  readonly #signal: AbortSignal | undefined
  readonly #abort = (): void => this.reject(this.#signal?.reason)
  #frame: Uint8Array | undefined
  #resolve: (message: Uint8Array) => void = () => {}
  #reject: (reason: unknown) => void = () => {}
  #settled = false

  constructor(frame: Uint8Array, deadline: number, signal: AbortSignal | undefined) {
    this.#frame = frame
    this.#signal = signal
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#timer = setTimeout(() => {
      this.reject(
        new VsockError('ERR_VSOCK_MESSAGE_DEADLINE', `no response within ${deadline} milliseconds`),
      )
    }, deadline)
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** Whether nobody waits for the response any more. */
  get settled(): boolean {
    return this.#settled
  }

  /** What is sent. It can be taken once. */
  takeFrame(): Uint8Array {
    const frame = this.#frame as Uint8Array
    this.#frame = undefined
    return frame
  }

  resolve(message: Uint8Array): void {
    this.#settle()
    this.#resolve(message)
  }

  reject(reason: unknown): void {
    this.#settle()
    this.#reject(reason)
  }

  #settle(): void {
    this.#settled = true
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#abort)
  }
}
