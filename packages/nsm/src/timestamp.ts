import { CborError, CborTag, decode, type CborValue } from '@enclavejs/cbor'
import { unexpected } from './response.ts'

/**
 * The time inside an attestation document that this enclave's own NSM has just given, in milliseconds since 1970. Nothing
 * is verified: between the NSM and its enclave there is nobody but the kernel. Documents of others go to
 * `@enclavejs/attestation`.
 */
export function readTimestamp(document: Uint8Array): number {
  try {
    const outer = decode(document, { tags: [18] })
    const sign1 = outer instanceof CborTag ? outer.value : outer
    const payload = Array.isArray(sign1) ? (sign1 as CborValue[])[2] : undefined
    const claims =
      payload instanceof Uint8Array ? decode(payload, { indefiniteMapLevels: 1 }) : null
    const timestamp = claims instanceof Map ? (claims.get('timestamp') as CborValue) : undefined
    if (typeof timestamp === 'number' && timestamp > 0) return timestamp
  } catch (cause) {
    if (!(cause instanceof CborError)) throw cause
    throw unexpected('Attestation', 'a document that is not COSE_Sign1', cause)
  }
  throw unexpected('Attestation', 'a document without a timestamp')
}
