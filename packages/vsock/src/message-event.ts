import { channel } from 'node:diagnostics_channel'

/** A message on the diagnostics channel `enclavejs:vsock:message`, after each request to a server. Never holds payload. */
export interface VsockMessageEvent {
  /** What the peer was told: `OK`, or the code. */
  readonly status: string
  /** Bytes of the request; of one that did not arrive whole, as many as did, its header included. */
  readonly requestBytes: number
  /** Bytes of the response with its frame. Absent when the connection was gone. */
  readonly responseBytes?: number
  /** Milliseconds in the handler; 0 where it was not called. */
  readonly duration: number
  /** The name of what the handler threw: `TypeError`. */
  readonly errorName?: string
}

const messages = channel('enclavejs:vsock:message')

export function publishMessage(event: VsockMessageEvent): void {
  if (messages.hasSubscribers) messages.publish(event)
}

/** The name of an error's class. Its `name` could be any text, and its `constructor` anything. It never throws. */
export function errorName(error: unknown): string {
  try {
    if (!(error instanceof Error)) return typeof error
    const name: unknown = error.constructor.name
    return typeof name === 'string' && /^[\w$]{1,64}$/.test(name) ? name : 'Error'
  } catch {
    return 'Error'
  }
}
