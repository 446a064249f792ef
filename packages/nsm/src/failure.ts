import { getSystemErrorMessage, getSystemErrorName } from 'node:util'
import { NsmError, type NsmErrorCode } from './error.ts'

const SIMULATOR =
  'Outside an enclave, run the application with the simulator: `node --import @enclavejs/simulator/register app.js`.'

/** What the driver's errno numbers mean (Linux drivers/misc/nsm.c), where errno(3) alone would mislead. */
const IOCTL: Record<string, string> = {
  EMSGSIZE: 'the request is longer than 4096 bytes',
  EINVAL: 'the driver does not know this ioctl',
  EFAULT: 'the driver could not read the request or write the response',
  EIO: 'the device is broken',
  ENODATA: 'the device answered with a buffer of another command',
  ENOTTY: 'the opened file is not an NSM device',
  ETIMEDOUT:
    'the device did not answer in the 120 s that the driver waits; later commands may fail as well',
}

function nameOf(errno: number): string {
  try {
    return getSystemErrorName(-errno)
  } catch {
    return `errno ${errno}`
  }
}

function messageOf(errno: number): string {
  try {
    return getSystemErrorMessage(-errno) ?? 'unknown error'
  } catch {
    return 'unknown error'
  }
}

/** The error for a failed open(2) of the device. */
export function openFailure(path: string, errno: number): NsmError {
  const name = nameOf(errno)
  const details = { errno, syscall: 'open' } as const
  if (name === 'ENOENT') {
    const message = `There is no ${path}: this process does not run in a Nitro Enclave, or the kernel has no NSM driver (Linux 6.8 and later: CONFIG_NSM; AWS's kernel: nsm.ko). ${SIMULATOR}`
    return new NsmError('ERR_NSM_NOT_FOUND', message, details)
  }
  if (name === 'EACCES' || name === 'EPERM') {
    const message = `${path} exists and this user may not open it for reading and writing (${name}). The driver gives it mode 0666: look at the container or init that passes the node on.`
    return new NsmError('ERR_NSM_ACCESS', message, details)
  }
  if (name === 'ENXIO' || name === 'ENODEV') {
    const message = `${path} exists and has no device behind it (${name}): the driver is loaded outside an enclave. ${SIMULATOR}`
    return new NsmError('ERR_NSM_NOT_FOUND', message, details)
  }
  return new NsmError(
    'ERR_NSM_OPEN',
    `Opening ${path} failed: ${messageOf(errno)} (${name})`,
    details,
  )
}

/** The error for a failed ioctl(2). */
export function ioctlFailure(errno: number): NsmError {
  const name = nameOf(errno)
  if (name === 'EOVERFLOW') {
    const message = 'The driver reported a response longer than the buffer it was given'
    return new NsmError('ERR_NSM_RESPONSE', message, { errno, syscall: 'ioctl' })
  }
  const message = `The NSM driver failed: ${IOCTL[name] ?? messageOf(errno)} (${name})`
  return new NsmError('ERR_NSM_IOCTL', message, { errno, syscall: 'ioctl' })
}

/** The names of `ErrorCode` in aws-nitro-enclaves-nsm-api. */
const REFUSALS: Record<string, readonly [NsmErrorCode, string]> = {
  InvalidArgument: ['ERR_NSM_INVALID_ARGUMENT', 'an argument is not one that it takes'],
  InvalidIndex: ['ERR_NSM_INVALID_INDEX', 'it has no PCR of this index'],
  InvalidResponse: ['ERR_NSM_INVALID_RESPONSE', 'the answer does not fit the command'],
  ReadOnlyIndex: ['ERR_NSM_READ_ONLY_INDEX', 'the PCR is locked, until the enclave ends'],
  InvalidOperation: ['ERR_NSM_INVALID_OPERATION', 'it could not read or carry out the command'],
  BufferTooSmall: ['ERR_NSM_BUFFER_TOO_SMALL', 'its answer does not fit the buffer'],
  InputTooLarge: ['ERR_NSM_INPUT_TOO_LARGE', 'the request is too long'],
  InternalError: ['ERR_NSM_INTERNAL_ERROR', 'an error inside the module'],
}

/** The error for an `Error` response of the NSM to `command`. */
export function refusal(command: string, nsmCode: string): NsmError {
  const known = Object.hasOwn(REFUSALS, nsmCode) ? REFUSALS[nsmCode] : undefined
  const name = /^[\x21-\x7e]{1,64}$/.test(nsmCode) ? nsmCode : 'an unprintable name'
  if (known === undefined) {
    const message = `The NSM refused ${command}: ${name}, an error that this version does not know`
    return new NsmError('ERR_NSM_UNKNOWN_ERROR', message, { nsmCode })
  }
  return new NsmError(known[0], `The NSM refused ${command}: ${known[1]} (${name})`, { nsmCode })
}
