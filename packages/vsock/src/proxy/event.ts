import { channel } from 'node:diagnostics_channel'
import type { VsockErrorCode } from '../error.ts'

/**
 * Why a connection was not served: too many are open, another CID, no CONNECT request, a host that is not allowed, or
 * accept(2) failed, as for want of descriptors.
 */
export type RefusedReason = 'cap' | 'cid' | 'head' | 'not-allowed' | 'accept'

/** How a connection ended: both sides done, nothing sent for too long, one side broken, or cut at the end of a drain. */
export type CloseReason = 'end' | 'idle' | 'error' | 'drain'

/**
 * A message on the diagnostics channel `enclavejs:vsock:proxy`. Names, sizes and durations in milliseconds; never a byte
 * that was sent.
 */
export type ProxyEvent =
  /** A listener is ready; `port` is the one it got. */
  | { readonly type: 'listening'; readonly listener: string; readonly port: number }
  /** A connection was closed before anything was connected for it. */
  | {
      readonly type: 'refused'
      readonly listener: string
      readonly reason: RefusedReason
      /** HTTP status, on a CONNECT door. */
      readonly status?: number
    }
  /** The other end could not be reached. */
  | {
      readonly type: 'failed'
      readonly listener: string
      readonly destination: string
      readonly code: VsockErrorCode | (string & {})
      readonly message: string
      readonly duration: number
    }
  /** Both ends are connected. */
  | {
      readonly type: 'open'
      readonly listener: string
      readonly id: number
      readonly destination: string
      /** The IP address that was connected to; absent where the destination is an enclave. */
      readonly address?: string
      /** Whether the address came from an answer of DNS whose TTL had passed. */
      readonly stale?: boolean
      readonly duration: number
    }
  /** A connection that was open has ended. */
  | {
      readonly type: 'close'
      readonly listener: string
      readonly id: number
      readonly reason: CloseReason
      /** Of the end that broke. */
      readonly code?: string
      /** From the side that connected, and to it. */
      readonly bytesUp: number
      readonly bytesDown: number
      readonly duration: number
    }
  /** DNS was asked. After a failure the old answer is used, of `addresses` addresses. */
  | {
      readonly type: 'dns'
      readonly host: string
      readonly result: 'answered' | 'failed'
      readonly addresses: number
      /** Seconds. */
      readonly ttl?: number
      readonly code?: string
    }

const events = channel('enclavejs:vsock:proxy')

export function publish(event: ProxyEvent): void {
  if (events.hasSubscribers) events.publish(event)
}
