import { AttestedTlsError } from './error.ts'

/** The longest deadline of an option: ten minutes. */
export const LONGEST_DEADLINE = 600_000

/**
 * Waits for `promise` no longer than `milliseconds`, and no longer than `signal` lets. What it gives afterwards goes to `late`;
 * what it fails with afterwards is nobody's.
 *
 * @throws {AttestedTlsError} `ERR_ATTESTED_TLS_DEADLINE`; the reason of `signal`.
 */
export function within<T>(
  promise: Promise<T>,
  milliseconds: number,
  what: string,
  options: { readonly signal?: AbortSignal | undefined; readonly late?: (value: T) => void } = {},
): Promise<T> {
  const { signal, late } = options
  return new Promise<T>((resolve, reject) => {
    let open = true
    const settle = (action: () => void): void => {
      if (!open) return
      open = false
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
      action()
    }
    const aborted = (): void => settle(() => reject(signal?.reason as Error))
    // On a busy machine what has arrived meanwhile is looked at first: the second timer comes after it.
    let timer = setTimeout(() => {
      timer = setTimeout(() => settle(() => reject(expired(what, milliseconds))), 0)
    }, milliseconds)
    promise.then(
      (value) => (open ? settle(() => resolve(value)) : late?.(value)),
      (error: unknown) => settle(() => reject(error as Error)),
    )
    if (signal?.aborted === true) aborted()
    else signal?.addEventListener('abort', aborted, { once: true })
  })
}

function expired(what: string, milliseconds: number): AttestedTlsError {
  return new AttestedTlsError('ERR_ATTESTED_TLS_DEADLINE', `${what} within ${milliseconds} ms`)
}

/** A signal whose reason is our own error. */
export function deadlineSignal(timeout: number, signal?: AbortSignal | null): AbortSignal {
  const controller = new AbortController()
  const expired = AbortSignal.timeout(timeout)
  const message = `No answer within ${timeout} ms`
  const late = (): void =>
    controller.abort(new AttestedTlsError('ERR_ATTESTED_TLS_DEADLINE', message))
  expired.addEventListener('abort', late, { once: true })
  return signal ? AbortSignal.any([controller.signal, signal]) : controller.signal
}

/** The promise's outcome, or the signal's reason if that comes first: whoever was given the signal need not heed it. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
