import type { Socket } from 'node:net'
import { messageLength } from './frame.ts'
import { MESSAGE_CODE, MessageError } from './message-error.ts'
import { errorName } from './message-event.ts'

/** Who sent a request, as the socket says it. It does not authenticate a program. */
export interface MessageRemote {
  /** On vsock. */
  readonly cid?: number
  /** On vsock and TCP. */
  readonly port?: number
  /** On TCP. */
  readonly address?: string
}

/** What a handler is told beside the message. */
export interface MessageContext {
  /** Aborted when the answer is of no use any more: after `handlerTimeout`, and when the connection is gone. */
  readonly signal: AbortSignal
  readonly remote: MessageRemote
  /** The connection, for what it knows of its peer (`getPeerCertificate()` of TLS). Do not read or write it. */
  readonly socket: Socket
}

/**
 * Answers a request. The message is the handler's own. What it throws reaches the peer as a code: that of a
 * {@link MessageError}, `INTERNAL` otherwise.
 */
export type MessageHandler = (
  message: Uint8Array,
  context: MessageContext,
) => Uint8Array | Promise<Uint8Array>

/** How a handler ended. */
export interface Outcome {
  /** `OK`, or the code for the peer. */
  readonly status: string
  readonly message?: Uint8Array
  readonly errorName?: string
}

/** Calls a handler. It never rejects. */
export async function callHandler(
  handler: MessageHandler,
  request: Uint8Array,
  context: MessageContext,
  maxMessageLength: number,
): Promise<Outcome> {
  try {
    const message: unknown = await handler(request, context)
    if (!(message instanceof Uint8Array)) throw new TypeError('response: expected a Uint8Array')
    if (messageLength(message) > maxMessageLength)
      throw new RangeError('response: maxMessageLength')
    return { status: 'OK', message }
  } catch (error) {
    return { status: codeOf(error), errorName: errorName(error) }
  }
}

/** The code for the peer. What an error holds can be anything: whoever made it may have assigned to it. */
function codeOf(error: unknown): string {
  try {
    const code: unknown = error instanceof MessageError ? error.code : undefined
    return typeof code === 'string' && MESSAGE_CODE.test(code) ? code : 'INTERNAL'
  } catch {
    return 'INTERNAL'
  }
}

export function remoteOf(socket: Socket): MessageRemote {
  const cid: unknown = Reflect.get(socket, 'remoteCid')
  const { remotePort, remoteAddress } = socket
  return {
    ...(typeof cid === 'number' && { cid }),
    ...(remotePort !== undefined && { port: remotePort }),
    ...(remoteAddress !== undefined && { address: remoteAddress }),
  }
}
