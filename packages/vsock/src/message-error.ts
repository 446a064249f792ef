import { VsockError } from './error.ts'

/** What a code on the wire looks like. */
export const MESSAGE_CODE: RegExp = /^[A-Z][A-Z0-9_]{0,63}$/

/**
 * What a handler throws to tell the peer a code: this code and nothing else is sent. Whatever else a handler throws, the
 * peer sees `INTERNAL`.
 *
 * @example
 * ```ts
 * import { MessageError } from '@enclavejs/vsock'
 *
 * function handle(message: Uint8Array): Uint8Array {
 *   if (message.length !== 32) throw new MessageError('BAD_LENGTH')
 *   return message
 * }
 * ```
 */
export class MessageError extends Error {
  readonly code: string

  /**
   * @param code - 1 to 64 of `A`–`Z`, `0`–`9` and `_`, a letter first
   * @param message - for yourself; it is not sent. Default: the code
   * @throws {TypeError} The code is not of this form.
   */
  constructor(code: string, message: string = code, options?: { readonly cause?: unknown }) {
    if (typeof code !== 'string' || !MESSAGE_CODE.test(code)) {
      throw new TypeError('code: expected 1 to 64 of A-Z, 0-9 and _, a letter first')
    }
    super(message, options)
    this.name = 'MessageError'
    this.code = code
  }
}

/** The server's answer is a code in place of a message: `ERR_VSOCK_MESSAGE_REMOTE`. */
export class MessageRemoteError extends VsockError {
  /** The code: `INTERNAL`, `TIMEOUT`, `TOO_LARGE`, `TRUNCATED`, `BUSY`, or one that the handler chose. */
  readonly remoteCode: string

  constructor(remoteCode: string) {
    super('ERR_VSOCK_MESSAGE_REMOTE', `the server answered with ${remoteCode}, not with a message`)
    this.remoteCode = remoteCode
  }
}
