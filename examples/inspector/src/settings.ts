import type { Partition } from '@enclavejs/attestation'
import { readNonce, readPem } from './evidence.ts'
import { byId } from './element.ts'

/** How the person at the page wants documents judged. */
export interface Settings {
  /** Now, at the document's own time, or at a time of the past. */
  readonly at: 'now' | 'document' | Date
  /** Seconds; only with `now`. */
  readonly maxAge: number
  readonly nonce: Uint8Array | undefined
  readonly anchor: Partition | readonly Uint8Array[]
  readonly allowDebugMode: boolean
  readonly allowDoubtful: boolean
}

function chosen(name: string): string {
  const input = document.querySelector(`input[name="${name}"]:checked`)
  return input instanceof HTMLInputElement ? input.value : ''
}

/**
 * Reads the form.
 *
 * @throws {InspectorError | RangeError} for a setting that cannot be used; nothing is verified then.
 */
export function readSettings(): Settings {
  return {
    at: readAt(),
    maxAge: readMaxAge(),
    nonce: readNonce(byId('nonce', HTMLInputElement).value),
    anchor: readAnchor(),
    allowDebugMode: byId('allow-debug', HTMLInputElement).checked,
    allowDoubtful: byId('allow-doubtful', HTMLInputElement).checked,
  }
}

function readAt(): Settings['at'] {
  const at = chosen('at')
  if (at === 'now' || at === 'document') return at
  const date = new Date(`${byId('at-date', HTMLInputElement).value}Z`)
  if (!Number.isNaN(date.getTime())) return date
  throw new RangeError('Judge as of: a date and a time are expected')
}

function readMaxAge(): number {
  const seconds = Number(byId('max-age', HTMLInputElement).value)
  if (seconds >= 1 && seconds <= 3e9) return seconds
  throw new RangeError('Greatest age: 1 second or more is expected')
}

function readAnchor(): Settings['anchor'] {
  const anchor = chosen('anchor')
  if (anchor === 'aws' || anchor === 'aws-us-gov') return anchor
  return readPem(byId('anchor-pem', HTMLTextAreaElement).value)
}

/** Shows the fields that belong to a choice, and no other. */
export function arrangeSettings(): void {
  byId('max-age-field', HTMLDivElement).hidden = chosen('at') !== 'now'
  byId('at-date-field', HTMLDivElement).hidden = chosen('at') !== 'date'
  byId('anchor-pem-field', HTMLDivElement).hidden = chosen('anchor') !== 'own'
}

/** Chooses for the person, who asked by a button. */
export function choose(name: 'at' | 'anchor', value: string): void {
  const input = document.querySelector(`input[name="${name}"][value="${value}"]`)
  if (input instanceof HTMLInputElement) input.checked = true
  arrangeSettings()
}
