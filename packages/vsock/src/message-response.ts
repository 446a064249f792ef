import { VsockError } from './error.ts'
import { encodeFrame } from './frame.ts'
import { MESSAGE_CODE, MessageRemoteError } from './message-error.ts'

// A request is a frame whose message is the request. A response is a frame whose message begins with one byte of status:
// 0: the response follows; 1: a code follows, in ASCII.
const OK = new Uint8Array([0])
const ERROR = new Uint8Array([1])
/** What a response is longer than its message. */
export const STATUS_LENGTH = 1
/** The longest code and its status: a response may be this long whatever `maxMessageLength` is. */
export const LONGEST_ERROR = 65

/** The frame of a response. The message is copied. */
export function encodeResponse(message: Uint8Array): Uint8Array {
  return encodeFrame(OK, message)
}

/** The frame of a code in place of a response. */
export function encodeErrorResponse(code: string): Uint8Array {
  return encodeFrame(ERROR, new TextEncoder().encode(code))
}

/**
 * The message of a response without its frame, in memory of its own.
 *
 * @throws {VsockError} `ERR_VSOCK_MESSAGE_REMOTE` for a code, `ERR_VSOCK_MESSAGE_RESPONSE` for what is neither
 */
export function decodeResponse(response: Uint8Array): Uint8Array {
  if (response[0] === OK[0]) return response.slice(STATUS_LENGTH)
  if (response[0] === ERROR[0] && response.length <= LONGEST_ERROR) {
    const code = String.fromCharCode(...response.subarray(STATUS_LENGTH))
    if (MESSAGE_CODE.test(code)) throw new MessageRemoteError(code)
  }
  throw new VsockError(
    'ERR_VSOCK_MESSAGE_RESPONSE',
    `expected a response that begins with 0 or with 1 and a code, got ${response.length} bytes of another form; is this ` +
      'the port of a MessageServer?',
  )
}
