import { Agent, errors, type Dispatcher } from 'undici'

/**
 * An agent of undici that does not open a connection while one is about to be free. Its clients take the next request a turn of the
 * event loop after the last response, in case the server closes the connection; until then they count as busy. So a request that
 * directly follows a response would get another connection, and here an attestation with it. It waits for that turn; a
 * request that finds all connections at work does not.
 */
export class ReusingAgent extends Agent {
  #waiting = 0
  #closing = false

  override dispatch(options: Agent.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (!takesErrors(handler)) return super.dispatch(options, handler)
    if (this.#closing && !this.closed) {
      handler.onResponseError(null, new errors.ClientClosedError())
      return false
    }
    if (!this.#isAboutToBeFree(options)) return super.dispatch(options, handler)
    this.#waiting++
    setImmediate(() => {
      this.#waiting--
      super.dispatch(options, handler)
    })
    return true
  }

  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | void {
    // With a callback it is called again.
    if (callback === undefined) return super.close()
    this.#closing = true
    if (this.#waiting === 0) return super.close(callback)
    // What waits was taken before.
    setImmediate(() => this.close(callback))
  }

  /** Whether more connections are busy than have a request. */
  #isAboutToBeFree({ origin }: Agent.DispatchOptions): boolean {
    if (origin === undefined || !URL.canParse(String(origin))) return false
    const stats = this.stats[new URL(String(origin)).origin]
    return stats !== undefined && 'free' in stats && stats.connected - stats.free > stats.running
  }
}

type ErrorTaker = { readonly onResponseError: (controller: null, error: Error) => void }

/** Others are told of a mistake by an exception, which must reach who dispatches. */
function takesErrors(
  handler: Dispatcher.DispatchHandler | undefined,
): handler is Dispatcher.DispatchHandler & ErrorTaker {
  return typeof handler?.onResponseError === 'function'
}
