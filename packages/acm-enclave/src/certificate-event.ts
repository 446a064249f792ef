import { channel } from 'node:diagnostics_channel'
import type { AcmErrorCode } from './error.ts'

/** What is published on the diagnostics channel `enclavejs:acm:certificate`. No keys, no certificates. */
export interface AcmCertificateEvent {
  /**
   * `loaded`, the first; `renewed`, another in its place; `unchanged`; `failed`, nothing changed and `code` says why;
   * `expiring`, once a day when less than `warnBeforeMs` is left; `expired` and `stale`, nothing is served any more; `closed`.
   */
  readonly kind:
    'loaded' | 'renewed' | 'unchanged' | 'failed' | 'expiring' | 'expired' | 'stale' | 'closed'
  /** The source's description. */
  readonly source: string
  /** Of the certificate that is served. */
  readonly serialNumber: string | undefined
  readonly notAfter: Date | undefined
  readonly version: number | undefined
  /** Polls that failed since the last one that did not. */
  readonly failures: number
  /** Of `failed`. */
  readonly code?: AcmErrorCode | 'unknown'
  readonly message?: string
}

const events = channel('enclavejs:acm:certificate')

export function publishEvent(event: AcmCertificateEvent): void {
  if (events.hasSubscribers) events.publish(event)
}
