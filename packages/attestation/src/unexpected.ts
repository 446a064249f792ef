import type { CborKey, CborValue } from '@enclavejs/cbor'
import { AttestationError, type AttestationErrorCode } from './error.ts'

/** The refusal of a value that is not what its field holds: what was expected, and what was seen. */
export function unexpected(
  code: AttestationErrorCode,
  field: string,
  expected: string,
  value: CborValue,
): AttestationError {
  return new AttestationError(code, `${field}: ${expected} expected, ${shape(value)} seen`)
}

/** A text as the sender wrote it, made harmless: it goes into messages that reach terminals. */
export function printable(text: CborKey): string {
  return String(text)
    .slice(0, 40)
    .replace(/[^ -~]/g, '?')
}

/** What a value is; of texts the beginning, of others the size. */
function shape(value: CborValue): string {
  if (value === null || value === undefined) return String(value)
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof Map) return `a map of ${value.size}`
  if (typeof value === 'string') return `the text "${printable(value)}" of ${value.length}`
  if (typeof value === 'number' || typeof value === 'bigint') return `the integer ${value}`
  return 'another type'
}
