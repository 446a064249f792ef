import { integerOption } from './address.ts'
import { VsockError } from './error.ts'
import { ownOptions } from './option.ts'

/** The length before each message: unsigned, big-endian. */
export const FRAME_HEADER_LENGTH = 4
/** The longest message that is taken unless told otherwise: 1 MiB. */
export const DEFAULT_MAX_MESSAGE_LENGTH: number = 2 ** 20
/** The most that `maxMessageLength` can be. */
export const LONGEST_MESSAGE: number = 2 ** 31 - 1

const OPTIONS = new Set(['maxMessageLength'])

/** Options of {@link FrameEncoder} and {@link FrameDecoder}. */
export interface FrameOptions {
  /** The longest message in bytes, without its header: 0 to 2147483647. 1048576 (1 MiB) unless given. */
  readonly maxMessageLength?: number
}

/** @throws {TypeError | RangeError} It is no number of bytes, or an option is not known. */
export function readMaxMessageLength(options: FrameOptions, owner: string): number {
  const { maxMessageLength = DEFAULT_MAX_MESSAGE_LENGTH } = ownOptions(options, OPTIONS, owner)
  return integerOption('maxMessageLength', maxMessageLength, 0, LONGEST_MESSAGE)
}

const OWN_LENGTH = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  'length',
) as PropertyDescriptor & { get(): number }

/** By the getter of the language, past one of a subclass. */
function lengthOf(bytes: Uint8Array): number {
  return OWN_LENGTH.get.call(bytes)
}

/**
 * How many bytes are there, whatever a subclass says.
 *
 * @throws {TypeError} `message` is no Uint8Array.
 */
export function messageLength(message: Uint8Array): number {
  if (!(message instanceof Uint8Array)) throw new TypeError('message: expected a Uint8Array')
  return lengthOf(message)
}

/**
 * A message with its length before it, in one piece: 4 bytes big-endian, then the bytes of `parts` one after the other.
 * The parts are copied.
 *
 * @throws {TypeError} A part is no Uint8Array.
 */
export function encodeFrame(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + messageLength(part), 0)
  const header = new Uint8Array(FRAME_HEADER_LENGTH)
  new DataView(header.buffer).setUint32(0, length)
  return joinBytes([header, ...parts], FRAME_HEADER_LENGTH + length)
}

/** The pieces one after the other, in memory of their own, not of a pool. `length` is their sum. */
export function joinBytes(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole =
    length < 4096 ? new Uint8Array(length) : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer) // written to the end below
  let offset = 0
  for (const piece of pieces) {
    whole.set(piece, offset)
    offset += lengthOf(piece)
  }
  return whole
}

/** The refusal of a message by its length alone. */
export function tooLarge(length: number, maxMessageLength: number): VsockError {
  return new VsockError(
    'ERR_VSOCK_FRAME_TOO_LARGE',
    `expected a message of at most ${maxMessageLength} bytes (maxMessageLength), and its length is ${length}; ` +
      'nothing was allocated for it, and the stream cannot go on',
  )
}

/** The refusal of an end inside a message. */
export function truncated(received: number): VsockError {
  return new VsockError(
    'ERR_VSOCK_FRAME_TRUNCATED',
    `the stream ended inside a message, ${received} bytes after its beginning; on vsock a peer that dies ends like this, ` +
      'without an error',
  )
}
