import { channel, type Channel } from 'node:diagnostics_channel'

/** A message on the diagnostics channel `enclavejs:kms:request`, after each attempt. Never holds payload. */
export interface KmsRequestEvent {
  /** The API operation: `Decrypt`. */
  readonly operation: string
  readonly host: string
  /** 1 for the first. */
  readonly attempt: number
  readonly requestBytes: number
  /** Absent, as the next three, when there was no answer. */
  readonly responseBytes?: number
  readonly status?: number
  readonly requestId?: string
  /** KMS's name of the error, or our code. Absent when the attempt succeeded. */
  readonly error?: string
  /** Milliseconds of this attempt, credentials, signing and waiting for a socket included. */
  readonly duration: number
}

export const requestEvents: Channel = channel('enclavejs:kms:request')
