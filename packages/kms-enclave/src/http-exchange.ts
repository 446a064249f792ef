import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { buildConnector, Dispatcher } from 'undici'
import { deadlineError } from './deadline.ts'
import { KmsError } from './error.ts'

/** The most bytes of a head and of a body that are read. */
export const HEAD_MAX = 16_384
export const BODY_MAX = 65_536

export interface HttpResponse {
  readonly status: number
  /** With lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
}

/**
 * Makes one exchange, which `begin` hands to a client of undici, at once or later. Rejects with whatever ended it: an error of undici
 * or of the stream, the reason of `signal`, `ERR_KMS_DEADLINE`, `ERR_KMS_RESPONSE_SIZE`.
 */
export function exchange(
  begin: (one: Exchange) => void,
  timeout: number,
  signal?: AbortSignal,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error)
    const one = new Exchange(resolve, reject, signal, timeout)
    try {
      begin(one)
    } catch (error) {
      one.fail(error)
    }
  })
}

/** One request on its way, from the queue to the last byte of the answer. */
export class Exchange implements Dispatcher.DispatchHandler {
  /** Called once when undici has done with it: with its answer wholly read, or without. */
  left: ((answered: boolean) => void) | undefined
  #failure: unknown
  readonly #resolve: (response: HttpResponse) => void
  readonly #reject: (error: Error) => void
  readonly #signal: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout
  readonly #chunks: Uint8Array[] = []
  #size = 0
  #done = false
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: HttpResponse['headers'] = {}

  constructor(
    resolve: (response: HttpResponse) => void,
    reject: (error: Error) => void,
    signal: AbortSignal | undefined,
    timeout: number,
  ) {
    this.#resolve = resolve
    this.#reject = reject
    this.#signal = signal
    this.#timer = setTimeout(() => this.fail(deadlineError('KMS did not answer', timeout)), timeout)
    signal?.addEventListener('abort', this.#aborted, { once: true })
  }

  /** Whether it has its outcome. */
  get done(): boolean {
    return this.#done
  }

  /** Ends the exchange, and with it the socket that it is on: what else comes there belongs to nobody. */
  fail(error: unknown): void {
    if (!this.#end()) return
    this.#failure = error
    this.#controller?.abort(error instanceof Error ? error : new Error('failed'))
    this.#reject(error as Error)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#done) controller.abort(this.#failure as Error)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: HttpResponse['headers'],
  ): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#size += chunk.length
    if (this.#size > BODY_MAX) this.fail(sizeError('body', BODY_MAX))
    else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    // The next request goes out on the socket before this answer is looked at.
    this.#leave(true)
    if (!this.#end()) return
    const [first] = this.#chunks
    const body = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks)
    this.#resolve({ status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#leave(false)
    if (!this.#end()) return
    this.#failure = error
    this.#reject(error as Error)
  }

  #leave(answered: boolean): void {
    const { left } = this
    this.left = undefined
    left?.(answered)
  }

  #end(): boolean {
    if (this.#done) return false
    this.#done = true
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#aborted)
    return true
  }

  readonly #aborted = (): void => this.fail(this.#signal?.reason)
}

export function sizeError(part: string, limit: number): KmsError {
  return new KmsError(
    'ERR_KMS_RESPONSE_SIZE',
    `The ${part} of the answer has more than ${limit} bytes; KMS's have less, so something else answers`,
  )
}

/** Gives a stream, or why there is none, to undici, which takes callbacks. */
export async function answerCallback(
  opening: Promise<Duplex>,
  callback: buildConnector.Callback,
): Promise<void> {
  let stream: Duplex
  try {
    stream = await opening
  } catch (error) {
    callback(error as Error, null)
    return
  }
  // What has ended already will not say so again: undici would wait for an answer.
  if (!stream.readable || !stream.writable) {
    stream.destroy()
    const message = 'The stream ended before it was used'
    callback(new KmsError('ERR_KMS_CONNECTION', message), null)
    return
  }
  // What undici does with a socket any Duplex can.
  callback(null, stream as Socket)
}
