import type { CborKey, CborValue } from '@enclavejs/cbor'
import { decodeCoseSign1, decodeStrict } from './cose-sign1.ts'
import { AttestationError, type AttestationErrorCode } from './error.ts'
import { printable, unexpected } from './unexpected.ts'

/**
 * What a document says, read and bounded by AWS's specification, and **not verified**: whoever relays a document can
 * write anything here.
 */
export interface UnverifiedAttestationDocument {
  /** The enclave's name, `i-…-enc…`. */
  readonly moduleId: string
  /** Always `SHA384`, the digest of the PCRs. */
  readonly digest: 'SHA384'
  /** When the NSM made the document, in whole milliseconds. */
  readonly timestamp: Date
  /** Index to 48 bytes, for the PCRs that were locked: 0 to 15, and those the application locked. */
  readonly pcrs: ReadonlyMap<number, Uint8Array>
  /** The certificate (DER) whose key signed the document. */
  readonly certificate: Uint8Array
  /** Certificates (DER) from the root down to the issuer of `certificate`. */
  readonly cabundle: readonly Uint8Array[]
  /** The application's bytes; null where it gave none, empty where it gave none at a length of zero. */
  readonly publicKey: Uint8Array | null
  readonly userData: Uint8Array | null
  readonly nonce: Uint8Array | null
}

const FIELDS = new Set<CborKey>([
  ...['module_id', 'digest', 'timestamp', 'pcrs', 'certificate', 'cabundle'],
  ...['public_key', 'user_data', 'nonce'],
])
const MAX_DATE = 8.64e15
/** Octets of a certificate, and of what the application gives. */
export const MAX_FIELD = 1024

/**
 * Reads a document without verifying anything of it: for display, or to find out whom to ask. Use `verifyAttestation`
 * for everything else.
 *
 * ```ts
 * import { decodeAttestationDocument } from '@enclavejs/attestation'
 *
 * export function claimedModule(document: Uint8Array): string {
 *   return decodeAttestationDocument(document).moduleId
 * }
 * ```
 *
 * @param bytes COSE_Sign1, untagged or tagged 18, at most 16 KiB. It is copied.
 * @throws {AttestationError} when the bytes break a rule of the format (RFC 9052 §4.2; AWS, "attestation process" §3.2).
 */
export function decodeAttestationDocument(bytes: Uint8Array): UnverifiedAttestationDocument {
  return decodePayload(decodeCoseSign1(bytes).payload)
}

/** Reads the payload of a document; the views it returns lie in `payload`. */
export function decodePayload(payload: Uint8Array): UnverifiedAttestationDocument {
  // AWS moved the outermost map from definite to indefinite length in August 2025; everything inside stayed definite.
  const fields = decodeStrict(payload, 'The payload', { indefiniteMapLevels: 1, maxDepth: 3 })
  if (!(fields instanceof Map)) {
    throw unexpected('ERR_ATTESTATION_COSE_SIGN1', 'payload', 'a map', fields)
  }
  refuseNitroTpm(fields)
  ;(fields as Fields).forEach((_, field) => {
    if (FIELDS.has(field)) return
    throw new AttestationError(
      'ERR_ATTESTATION_FIELD_UNKNOWN',
      `No enclave document has a field ${printable(field)}`,
    )
  })
  return {
    moduleId: moduleId(required(fields, 'module_id')),
    digest: digest(required(fields, 'digest')),
    timestamp: timestamp(required(fields, 'timestamp')),
    pcrs: pcrs(required(fields, 'pcrs')),
    certificate: certificate(required(fields, 'certificate')),
    cabundle: cabundle(required(fields, 'cabundle')),
    publicKey: optional(fields, 'public_key', 'ERR_ATTESTATION_PUBLIC_KEY_SIZE'),
    userData: optional(fields, 'user_data', 'ERR_ATTESTATION_USER_DATA_SIZE'),
    nonce: optional(fields, 'nonce', 'ERR_ATTESTATION_NONCE_SIZE'),
  }
}

type Fields = ReadonlyMap<CborKey, CborValue>

/**
 * The parent instance can have its own NitroTPM sign any user data, nonce and key under the same root and the same
 * instance CA; only the name of the PCR field and of the module tell.
 */
function refuseNitroTpm(fields: Fields): void {
  const id = fields.get('module_id')
  if (fields.has('nitrotpm_pcrs') || (typeof id === 'string' && /-tpm[0-9a-f]*$/.test(id))) {
    throw new AttestationError(
      'ERR_ATTESTATION_NITROTPM',
      'module_id: an enclave expected, a NitroTPM seen, which speaks of the parent instance',
    )
  }
}

function required(fields: Fields, field: string): CborValue {
  if (!fields.has(field)) {
    throw new AttestationError('ERR_ATTESTATION_FIELD_ABSENT', `The field ${field} is absent`)
  }
  return fields.get(field)
}

function moduleId(value: CborValue): string {
  if (typeof value === 'string' && value !== '') return value
  throw unexpected('ERR_ATTESTATION_MODULE_ID', 'module_id', 'a non-empty text', value)
}

function digest(value: CborValue): 'SHA384' {
  if (value === 'SHA384') return value
  throw unexpected('ERR_ATTESTATION_DIGEST', 'digest', 'the text SHA384', value)
}

function timestamp(value: CborValue): Date {
  if (typeof value === 'number' && value > 0 && value <= MAX_DATE) return new Date(value)
  throw unexpected('ERR_ATTESTATION_TIMESTAMP', 'timestamp', 'milliseconds since 1970', value)
}

function pcrs(value: CborValue): ReadonlyMap<number, Uint8Array> {
  if (!(value instanceof Map) || value.size === 0 || value.size > 32) {
    throw unexpected('ERR_ATTESTATION_PCRS', 'pcrs', 'a map of 1 to 32 entries', value)
  }
  ;(value as Fields).forEach((pcr, index) => {
    if (typeof index !== 'number' || index < 0 || index > 31) {
      throw unexpected('ERR_ATTESTATION_PCRS', 'pcrs', 'an index of 0 to 31', index)
    }
    if (!(pcr instanceof Uint8Array) || pcr.length !== 48) {
      throw unexpected('ERR_ATTESTATION_PCRS', `pcrs[${index}]`, '48 bytes', pcr)
    }
  })
  return value as ReadonlyMap<number, Uint8Array>
}

function certificate(value: CborValue): Uint8Array {
  if (isBytes(value, 1)) return value
  throw unexpected('ERR_ATTESTATION_CERTIFICATE_SIZE', 'certificate', '1 to 1024 bytes', value)
}

function cabundle(value: CborValue): readonly Uint8Array[] {
  if (!Array.isArray(value) || value.length < 2 || value.length > 8) {
    throw unexpected(
      'ERR_ATTESTATION_CABUNDLE',
      'cabundle',
      'an array of 2 to 8 certificates',
      value,
    )
  }
  ;(value as CborValue[]).forEach((item, index) => {
    if (!isBytes(item, 1)) {
      throw unexpected('ERR_ATTESTATION_CABUNDLE', `cabundle[${index}]`, '1 to 1024 bytes', item)
    }
  })
  return value as readonly Uint8Array[]
}

/** Real documents write null where the application gave nothing; an absent field says the same. */
function optional(fields: Fields, field: string, code: AttestationErrorCode): Uint8Array | null {
  const value = fields.has(field) ? fields.get(field) : null
  if (value === null || isBytes(value, 0)) return value
  throw unexpected(code, field, 'null or 0 to 1024 bytes', value)
}

function isBytes(value: CborValue, least: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length >= least && value.length <= MAX_FIELD
}
