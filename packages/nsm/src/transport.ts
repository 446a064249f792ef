import { constants } from 'node:os'
import type { NsmBinding, NsmHandle } from './binding.ts'
import { NsmError } from './error.ts'
import { ioctlFailure, openFailure } from './failure.ts'
import { REQUEST_MAX } from './request.ts'

/**
 * One NSM exchange: CBOR request in, CBOR response out. The ioctl of `/dev/nsm` is one, the simulator another. An error
 * that the NSM answers with is a response like any other here; a rejection means that there was no exchange.
 */
export interface NsmTransport {
  (request: Uint8Array): Promise<Uint8Array>
  /** The same on the calling thread, which waits for the device. Absent where a transport cannot. */
  readonly requestSync?: (request: Uint8Array) => Uint8Array
}

/** A transport that holds a descriptor. */
export interface OpenTransport extends NsmTransport {
  readonly requestSync: (request: Uint8Array) => Uint8Array
  /** Refuses further calls; the descriptor is closed when the last accepted one has returned. Any number of times. */
  readonly close: () => void
}

type Settle = (result: Uint8Array | number) => void

/** Apart from everything that knows the handle: the addon holds this function, and the handle must stay collectable. */
function completer(
  pending: Map<number, Settle>,
): (id: number, result: Uint8Array | number) => void {
  return (id, result) => {
    const settle = pending.get(id)
    pending.delete(id)
    settle?.(result)
  }
}

/**
 * Opens the device.
 *
 * @param milliseconds - a call that has not begun by then is dropped
 * @throws {NsmError} `ERR_NSM_NOT_FOUND`, `ERR_NSM_ACCESS`, `ERR_NSM_OPEN`
 */
export function openTransport(
  binding: NsmBinding,
  path: string,
  milliseconds: number,
): OpenTransport {
  const pending = new Map<number, Settle>()
  const opened = binding.open(path, completer(pending))
  if (typeof opened === 'number') throw openFailure(path, opened)
  return onHandle(binding, opened, pending, milliseconds)
}

function onHandle(
  binding: NsmBinding,
  handle: NsmHandle,
  pending: Map<number, Settle>,
  milliseconds: number,
): OpenTransport {
  let last = 0
  let closed = false
  const check = (bytes: Uint8Array): void => {
    checkRequest(bytes)
    if (closed) throw closedError()
  }
  const request = (bytes: Uint8Array): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      check(bytes)
      const id = ++last
      const errno = binding.submit(handle, id, bytes, milliseconds)
      if (errno !== 0) return reject(submitFailure(errno))
      pending.set(id, (result) => {
        if (typeof result !== 'number') resolve(result)
        else if (result === constants.errno.ECANCELED) reject(deadlineError(milliseconds, true))
        else reject(ioctlFailure(result))
      })
    })
  const requestSync = (bytes: Uint8Array): Uint8Array => {
    check(bytes)
    const result = binding.requestSync(handle, bytes)
    if (typeof result === 'number') throw ioctlFailure(result)
    return result
  }
  const close = (): void => {
    closed = true
    binding.close(handle)
  }
  return Object.assign(request, { requestSync, close })
}

function submitFailure(errno: number): NsmError {
  if (errno === constants.errno.EBADF) return closedError()
  const reason =
    errno === constants.errno.EBUSY ? '1024 calls wait already' : 'no memory or no thread is left'
  return new NsmError('ERR_NSM_BUSY', `The NSM takes no further call: ${reason}`, { errno })
}

/** Bounds that the driver enforces, or that break QEMU's device for good (an empty request). */
export function checkRequest(bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('request must be a Uint8Array')
  if (bytes.length === 0 || bytes.length > REQUEST_MAX) {
    throw new RangeError(`request must have 1 to ${REQUEST_MAX} bytes, and has ${bytes.length}`)
  }
}

export function closedError(): NsmError {
  return new NsmError('ERR_NSM_CLOSED', 'The NSM device was closed')
}

function deadlineError(milliseconds: number, dropped: boolean): NsmError {
  const fate = dropped ? 'the command was not sent' : 'the command may still take effect'
  return new NsmError(
    'ERR_NSM_DEADLINE',
    `The NSM did not answer within ${milliseconds} ms; ${fate}`,
  )
}

/**
 * Rejects when there is no answer in time. The timer also keeps the process alive while a call is under way, which the
 * addon does not: a call that is stuck must not hold up the exit.
 */
export function withDeadline(
  answer: Promise<Uint8Array>,
  milliseconds: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(deadlineError(milliseconds, false)), milliseconds)
    const settle = (): void => clearTimeout(timer)
    answer.then(
      (bytes) => {
        settle()
        resolve(bytes)
      },
      (error: unknown) => {
        settle()
        reject(error as Error)
      },
    )
  })
}
