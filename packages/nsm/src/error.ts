/** Every code an {@link NsmError} can carry. */
export type NsmErrorCode =
  /** There is no device and no simulator: the process does not run in an enclave. */
  | 'ERR_NSM_NOT_FOUND'
  /** The device exists and may not be opened. */
  | 'ERR_NSM_ACCESS'
  /** The device could not be opened for another reason; see `errno`. */
  | 'ERR_NSM_OPEN'
  /** The native addon is missing or does not load: no Linux, or an architecture without a prebuilt addon. */
  | 'ERR_NSM_BINDING'
  /** A simulator is registered where a real device exists. */
  | 'ERR_NSM_SIMULATOR_CONFLICT'
  /** What is registered as the simulator does not have the form of one. */
  | 'ERR_NSM_SIMULATOR_INVALID'
  /** The driver failed; see `errno`. */
  | 'ERR_NSM_IOCTL'
  /** No answer within the deadline. The command may still take effect. */
  | 'ERR_NSM_DEADLINE'
  /** The device was closed. */
  | 'ERR_NSM_CLOSED'
  /** Too many calls wait for the device (1024). */
  | 'ERR_NSM_BUSY'
  /** The answer is not the one that the protocol gives to this command. */
  | 'ERR_NSM_RESPONSE'
  /** The driver cut an answer that did not fit its buffer of 12288 bytes. */
  | 'ERR_NSM_TRUNCATED'
  /** The PCR to measure into holds something already. */
  | 'ERR_NSM_PCR_NOT_ZERO'
  /** A check of the platform failed; the error is an `NsmPlatformError`. */
  | 'ERR_NSM_PLATFORM'
  /** The kernel's entropy pool could not be seeded; see `errno`. */
  | 'ERR_NSM_ENTROPY'
  /** The NSM refused the command: `InvalidArgument`. */
  | 'ERR_NSM_INVALID_ARGUMENT'
  /** The NSM refused the command: `InvalidIndex`, no PCR of this index. */
  | 'ERR_NSM_INVALID_INDEX'
  /** The NSM refused the command: `InvalidResponse`. */
  | 'ERR_NSM_INVALID_RESPONSE'
  /** The NSM refused the command: `ReadOnlyIndex`, the PCR is locked. */
  | 'ERR_NSM_READ_ONLY_INDEX'
  /** The NSM refused the command: `InvalidOperation`. */
  | 'ERR_NSM_INVALID_OPERATION'
  /** The NSM refused the command: `BufferTooSmall`. */
  | 'ERR_NSM_BUFFER_TOO_SMALL'
  /** The NSM refused the command: `InputTooLarge`. */
  | 'ERR_NSM_INPUT_TOO_LARGE'
  /** The NSM refused the command: `InternalError`. */
  | 'ERR_NSM_INTERNAL_ERROR'
  /** The NSM refused the command with a name that this version does not know; see `nsmCode`. */
  | 'ERR_NSM_UNKNOWN_ERROR'

/** What an {@link NsmError} may carry beside its code. */
export interface NsmErrorDetails {
  readonly cause?: unknown
  readonly nsmCode?: string
  readonly errno?: number
  readonly syscall?: 'open' | 'ioctl'
}

/**
 * Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`).
 *
 * @example
 * ```ts
 * import { NsmError, openNsm } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * try {
 *   await nsm.extendPcr(16, new TextEncoder().encode('configuration'))
 * } catch (error) {
 *   if (!(error instanceof NsmError && error.code === 'ERR_NSM_READ_ONLY_INDEX')) throw error
 * }
 * ```
 */
export class NsmError extends Error {
  readonly code: NsmErrorCode
  /** AWS's name of the error, as the NSM gave it: `ReadOnlyIndex`. Only where the NSM itself refused. */
  readonly nsmCode: string | undefined
  /** The number of a failed system call, positive as in errno(3). */
  readonly errno: number | undefined
  /** The system call that failed. */
  readonly syscall: 'open' | 'ioctl' | undefined

  constructor(code: NsmErrorCode, message: string, details: NsmErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'NsmError'
    this.code = code
    this.nsmCode = details.nsmCode
    this.errno = details.errno
    this.syscall = details.syscall
  }
}
