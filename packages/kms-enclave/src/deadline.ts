import { KmsError } from './error.ts'

/** How long each step may take, in milliseconds. */
export interface Deadlines {
  /** For `connect` to give a stream. Default 3000. */
  readonly connectTimeout?: number
  /** For the TLS handshake. Default 5000. */
  readonly handshakeTimeout?: number
  /** For one attempt: from its start to the last byte of the answer, connecting and waiting for a free socket included. Default 10000. */
  readonly requestTimeout?: number
  /** For a whole call with all its attempts. Default 30000. */
  readonly deadline?: number
}

export type RequiredDeadlines = Required<Deadlines>

const DEFAULTS: RequiredDeadlines = {
  connectTimeout: 3000,
  handshakeTimeout: 5000,
  requestTimeout: 10_000,
  deadline: 30_000,
}

/** @throws {RangeError} naming the option */
export function readDeadlines(options: Deadlines): RequiredDeadlines {
  const read = (name: keyof Deadlines): number => {
    const value = options[name] ?? DEFAULTS[name]
    if (!Number.isInteger(value) || value < 1 || value > 600_000) {
      throw new RangeError(`${name} must be an integer of 1 to 600000 milliseconds`)
    }
    return value
  }
  return {
    connectTimeout: read('connectTimeout'),
    handshakeTimeout: read('handshakeTimeout'),
    requestTimeout: read('requestTimeout'),
    deadline: read('deadline'),
  }
}

/** What went wrong by the clock. */
export function deadlineError(what: string, milliseconds: number): KmsError {
  return new KmsError('ERR_KMS_DEADLINE', `${what} within ${milliseconds} ms`)
}

/**
 * Waits for `promise` no longer than `milliseconds`, and no longer than `signal` lets. What it gives afterwards goes to `late`.
 *
 * @throws {KmsError} `ERR_KMS_DEADLINE` with `what` as its message's beginning; the reason of `signal`
 */
export function within<T>(
  promise: Promise<T>,
  milliseconds: number,
  what: string,
  signal?: AbortSignal,
  late?: (value: T) => void,
): Promise<T> {
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
    const timer = setTimeout(
      () => settle(() => reject(deadlineError(what, milliseconds))),
      milliseconds,
    )
    promise.then(
      (value) => (open ? settle(() => resolve(value)) : late?.(value)),
      (error: unknown) => settle(() => reject(error as Error)),
    )
    if (signal?.aborted === true) aborted()
    else signal?.addEventListener('abort', aborted, { once: true })
  })
}
