import type { AttestationErrorCode } from '@enclavejs/attestation'
import type { EifErrorCode } from '@enclavejs/eif'
import type { InspectorErrorCode } from './inspector-error.ts'

const FORM = 'It is no attestation document, or it was damaged on its way.'
const FORGED = 'Altered, forged, or not made by a Nitro enclave of this trust anchor.'
const PATH = 'Nitro issues no such certificate: the certification path is altered or forged.'
const GENUINE = 'The signature is good, but'

const ATTESTATION: Readonly<Record<AttestationErrorCode, string>> = {
  ERR_ATTESTATION_SIZE: `${FORM} A document has 1 byte to 16 KiB.`,
  ERR_ATTESTATION_CBOR: `${FORM} What was given is not strict CBOR.`,
  ERR_ATTESTATION_COSE_SIGN1: `${FORM} What was given is no COSE_Sign1.`,
  ERR_ATTESTATION_ALGORITHM: 'Nitro signs with ES384 and says so; this says something else.',
  ERR_ATTESTATION_UNPROTECTED_HEADER: 'There are unsigned parts in it that Nitro does not write.',
  ERR_ATTESTATION_SIGNATURE_LENGTH: 'A P-384 signature has 96 bytes; this one has not.',
  ERR_ATTESTATION_NITROTPM:
    'The parent instance made it, not an enclave. It says nothing about any enclave.',
  ERR_ATTESTATION_FIELD_ABSENT: `${FORM} A field is missing that every document has.`,
  ERR_ATTESTATION_FIELD_UNKNOWN: 'It has a field that no enclave writes.',
  ERR_ATTESTATION_MODULE_ID: `${FORM} It does not name its enclave.`,
  ERR_ATTESTATION_DIGEST: 'Its PCRs are said to be of another hash than SHA-384.',
  ERR_ATTESTATION_TIMESTAMP: `${FORM} It has no time that a date can hold.`,
  ERR_ATTESTATION_PCRS: `${FORM} Its PCRs are not 1 to 32 entries of 48 bytes.`,
  ERR_ATTESTATION_CERTIFICATE_SIZE: `${FORM} The certificate is empty or too large.`,
  ERR_ATTESTATION_CABUNDLE: `${FORM} The certification path has the wrong length.`,
  ERR_ATTESTATION_PUBLIC_KEY_SIZE: 'The public key is longer than an enclave can ask for.',
  ERR_ATTESTATION_USER_DATA_SIZE: 'The user data are longer than an enclave can ask for.',
  ERR_ATTESTATION_NONCE_SIZE: 'The nonce is longer than an enclave can ask for.',
  ERR_ATTESTATION_TRUST_ANCHOR:
    'The path ends in another root than the one that you trust. GovCloud, a simulator and forgers have roots of their own.',
  ERR_ATTESTATION_CERTIFICATE_MALFORMED: PATH,
  ERR_ATTESTATION_CERTIFICATE_ALGORITHM: PATH,
  ERR_ATTESTATION_CERTIFICATE_KEY: PATH,
  ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID:
    'At the time of judging a certificate was not valid yet. Is the clock right?',
  ERR_ATTESTATION_CERTIFICATE_EXPIRED:
    'At the time of judging a certificate had ended. Documents end within three hours; an older one can only be judged as of its own time.',
  ERR_ATTESTATION_CERTIFICATE_ISSUER: PATH,
  ERR_ATTESTATION_CERTIFICATE_NOT_CA: PATH,
  ERR_ATTESTATION_CERTIFICATE_IS_CA: PATH,
  ERR_ATTESTATION_CERTIFICATE_PATH_LENGTH: PATH,
  ERR_ATTESTATION_CERTIFICATE_KEY_USAGE: PATH,
  ERR_ATTESTATION_CERTIFICATE_EXTENSION: PATH,
  ERR_ATTESTATION_CERTIFICATE_SIGNATURE: FORGED,
  ERR_ATTESTATION_SIGNATURE: `${FORGED} Not one byte of it can be believed.`,
  ERR_ATTESTATION_TIMESTAMP_FUTURE: `${GENUINE} it claims to come from the future. Is the clock right?`,
  ERR_ATTESTATION_TIMESTAMP_VALIDITY: `${GENUINE} its time lies outside of its certificate's.`,
  ERR_ATTESTATION_TOO_OLD: `${GENUINE} it is older than you allow: it may be a recording.`,
  ERR_ATTESTATION_DEBUG_MODE: `${GENUINE} the enclave runs in debug mode: the parent reads its console, and its image is not measured.`,
  ERR_ATTESTATION_PCR_ABSENT: `${GENUINE} a PCR that must be known is not in it.`,
  ERR_ATTESTATION_PCR: `${GENUINE} the enclave runs another image than the one beside it.`,
  ERR_ATTESTATION_NONCE: `${GENUINE} it does not answer your nonce: it may be a recording.`,
  ERR_ATTESTATION_PUBLIC_KEY: `${GENUINE} it carries another public key.`,
  ERR_ATTESTATION_USER_DATA: `${GENUINE} it carries other user data.`,
}

const INSPECTOR: Readonly<Record<InspectorErrorCode, string>> = {
  ERR_INSPECTOR_SIZE: 'Too large to be what it should be; it was not read.',
  ERR_INSPECTOR_ENCODING: 'What was given is neither a binary document nor base64 nor hex.',
  ERR_INSPECTOR_FETCH: 'The document could not be fetched. Save it to a file and drop that.',
  ERR_INSPECTOR_READ: 'The browser could not read the file.',
  ERR_INSPECTOR_TRUST_ANCHOR: 'The trust anchor cannot be used, so nothing was verified.',
}

const IMAGE_FORM = 'It is no enclave image, or it was damaged on its way.'
const AMBIGUOUS = 'Two readers would read it differently, so it is not measured.'

/** Those that reading an image can end with. */
const EIF: Readonly<Partial<Record<EifErrorCode, string>>> = {
  ERR_EIF_TRUNCATED: `${IMAGE_FORM} The file ends too early.`,
  ERR_EIF_MAGIC: IMAGE_FORM,
  ERR_EIF_VERSION: 'A version of the format that is not known here.',
  ERR_EIF_SECTION_COUNT: IMAGE_FORM,
  ERR_EIF_RESERVED_BITS: IMAGE_FORM,
  ERR_EIF_OFFSET_OUT_OF_RANGE: IMAGE_FORM,
  ERR_EIF_OVERLAP: AMBIGUOUS,
  ERR_EIF_SECTION_ORDER: AMBIGUOUS,
  ERR_EIF_INVALID_SECTION: IMAGE_FORM,
  ERR_EIF_SIZE_MISMATCH: AMBIGUOUS,
  ERR_EIF_DUPLICATE_SECTION: AMBIGUOUS,
  ERR_EIF_MISSING_SECTION: `${IMAGE_FORM} A part that every image has is missing.`,
  ERR_EIF_TRAILING_BYTES: AMBIGUOUS,
  ERR_EIF_CRC: 'The file is damaged: its checksum does not fit. Fetch it again.',
  ERR_EIF_SIGNATURE: 'Its signature cannot be read, so PCR8 is not known.',
  ERR_EIF_READ: 'The browser could not read the file to its end. Was it changed meanwhile?',
}

const MEANINGS: Readonly<Record<string, string>> = { ...ATTESTATION, ...INSPECTOR, ...EIF }

/** What a code means, for a person. */
export function meaningOf(code: string | undefined): string {
  if (code !== undefined && Object.hasOwn(MEANINGS, code)) return MEANINGS[code] as string
  return 'It could not be judged.'
}

/** Refusals of documents whose signature and path were found good before. */
const AFTER_SIGNATURE: ReadonlySet<string | undefined> = new Set<AttestationErrorCode>([
  ...(['ERR_ATTESTATION_TIMESTAMP_FUTURE', 'ERR_ATTESTATION_TIMESTAMP_VALIDITY'] as const),
  ...(['ERR_ATTESTATION_TOO_OLD', 'ERR_ATTESTATION_DEBUG_MODE'] as const),
  ...(['ERR_ATTESTATION_PCR_ABSENT', 'ERR_ATTESTATION_PCR', 'ERR_ATTESTATION_NONCE'] as const),
  ...(['ERR_ATTESTATION_PUBLIC_KEY', 'ERR_ATTESTATION_USER_DATA'] as const),
])

/** Whether a document that was refused with this code is authentic all the same, only not wanted. */
export function isAuthentic(code: string | undefined): boolean {
  return AFTER_SIGNATURE.has(code)
}
