/** Every code that a refusal can carry. Codes are API: match them, not messages, and not `instanceof`. */
export type AttestationErrorCode =
  /** The bytes are empty or more than 16 KiB. */
  | 'ERR_ATTESTATION_SIZE'
  /** The message or its payload is not strict CBOR. */
  | 'ERR_ATTESTATION_CBOR'
  /** Not the four-element array of RFC 9052 §4.2, untagged or with tag 18; or an element has the wrong type. */
  | 'ERR_ATTESTATION_COSE_SIGN1'
  /** The protected header is not exactly `{1: -35}`, ES384. */
  | 'ERR_ATTESTATION_ALGORITHM'
  /** The unprotected header is not an empty map. */
  | 'ERR_ATTESTATION_UNPROTECTED_HEADER'
  /** The signature is not 96 bytes, r‖s. */
  | 'ERR_ATTESTATION_SIGNATURE_LENGTH'
  /** A NitroTPM document: signed under the same root, at the request of the parent instance, not of an enclave. */
  | 'ERR_ATTESTATION_NITROTPM'
  /** A field that every document has is absent. */
  | 'ERR_ATTESTATION_FIELD_ABSENT'
  /** A field that AWS's specification does not know. */
  | 'ERR_ATTESTATION_FIELD_UNKNOWN'
  /** `module_id` is not a non-empty text. */
  | 'ERR_ATTESTATION_MODULE_ID'
  /** `digest` is not `SHA384`. */
  | 'ERR_ATTESTATION_DIGEST'
  /** `timestamp` is not a positive integer that a date can hold. */
  | 'ERR_ATTESTATION_TIMESTAMP'
  /** `pcrs` is not a map of 1 to 32 indices below 32 to 48 bytes each. */
  | 'ERR_ATTESTATION_PCRS'
  /** `certificate` is not 1 to 1024 bytes. */
  | 'ERR_ATTESTATION_CERTIFICATE_SIZE'
  /** `cabundle` is not 2 to 8 certificates of 1 to 1024 bytes each. */
  | 'ERR_ATTESTATION_CABUNDLE'
  /** `public_key` is neither null nor 0 to 1024 bytes. */
  | 'ERR_ATTESTATION_PUBLIC_KEY_SIZE'
  /** `user_data` is neither null nor 0 to 1024 bytes. */
  | 'ERR_ATTESTATION_USER_DATA_SIZE'
  /** `nonce` is neither null nor 0 to 1024 bytes. */
  | 'ERR_ATTESTATION_NONCE_SIZE'
  /** The first certificate of `cabundle` is, as a whole, none of the trust anchors. */
  | 'ERR_ATTESTATION_TRUST_ANCHOR'
  /** A certificate is not the strict DER of X.509 v3. */
  | 'ERR_ATTESTATION_CERTIFICATE_MALFORMED'
  /** A certificate is not signed with ecdsa-with-SHA384. */
  | 'ERR_ATTESTATION_CERTIFICATE_ALGORITHM'
  /** A certificate's key is not an uncompressed point on the named curve P-384. */
  | 'ERR_ATTESTATION_CERTIFICATE_KEY'
  /** A certificate's validity has not begun. */
  | 'ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID'
  /** A certificate's validity has ended. */
  | 'ERR_ATTESTATION_CERTIFICATE_EXPIRED'
  /** A certificate's issuer is not the subject of the certificate before it, or it stands in the path twice. */
  | 'ERR_ATTESTATION_CERTIFICATE_ISSUER'
  /** A certificate that should issue the next one is no CA. */
  | 'ERR_ATTESTATION_CERTIFICATE_NOT_CA'
  /** The certificate that signs the document is a CA. */
  | 'ERR_ATTESTATION_CERTIFICATE_IS_CA'
  /** More CA certificates follow than a pathLenConstraint allows. */
  | 'ERR_ATTESTATION_CERTIFICATE_PATH_LENGTH'
  /** keyUsage lacks keyCertSign on a CA or digitalSignature on the target, or the target may sign certificates. */
  | 'ERR_ATTESTATION_CERTIFICATE_KEY_USAGE'
  /** An extension is critical and not known here, or limits the path in a way that is not evaluated here. */
  | 'ERR_ATTESTATION_CERTIFICATE_EXTENSION'
  /** A certificate's signature does not verify under the key of the certificate before it. */
  | 'ERR_ATTESTATION_CERTIFICATE_SIGNATURE'
  /** The document's signature does not verify under the key of `certificate`. */
  | 'ERR_ATTESTATION_SIGNATURE'
  /** The document's timestamp lies in the future. */
  | 'ERR_ATTESTATION_TIMESTAMP_FUTURE'
  /** The document's timestamp lies outside the validity of the certificate that signed it. */
  | 'ERR_ATTESTATION_TIMESTAMP_VALIDITY'
  /** The document is older than `maxAge`. */
  | 'ERR_ATTESTATION_TOO_OLD'
  /** The enclave runs in debug mode: its console is open to the parent and its PCR0, 1 and 2 are zero. */
  | 'ERR_ATTESTATION_DEBUG_MODE'
  /** A PCR that must be known is not in the document. */
  | 'ERR_ATTESTATION_PCR_ABSENT'
  /** A PCR differs from every set of reference values. */
  | 'ERR_ATTESTATION_PCR'
  /** `nonce` is not the one expected. */
  | 'ERR_ATTESTATION_NONCE'
  /** `public_key` is not the one expected. */
  | 'ERR_ATTESTATION_PUBLIC_KEY'
  /** `user_data` is not the one expected. */
  | 'ERR_ATTESTATION_USER_DATA'

/**
 * Evidence was refused. Nothing of the document may be used after this is thrown. The message names the field, what was
 * expected and what was seen; it never carries keys, user data or nonces.
 */
export class AttestationError extends Error {
  readonly code: AttestationErrorCode

  constructor(code: AttestationErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'AttestationError'
    this.code = code
  }
}

/** A refusal because of one certificate of the path: codes `ERR_ATTESTATION_CERTIFICATE_…` and `…_TRUST_ANCHOR`. */
export class CertificateError extends AttestationError {
  /** Where it stands in the document: `cabundle[0]` … or `certificate`. */
  readonly certificate: string
  /** Its subject for people, escaped; undefined where it could not be read. */
  readonly subject: string | undefined

  constructor(
    code: AttestationErrorCode,
    message: string,
    where: { certificate: string; subject?: string },
    options?: { cause?: unknown },
  ) {
    const subject = where.subject === undefined ? '' : ` (${where.subject})`
    super(code, `${where.certificate}${subject}: ${message}`, options)
    this.name = 'CertificateError'
    this.certificate = where.certificate
    this.subject = where.subject
  }
}

/** A refusal because of one PCR: codes `ERR_ATTESTATION_PCR` and `ERR_ATTESTATION_PCR_ABSENT`. */
export class PcrError extends AttestationError {
  readonly pcr!: number
  /** Hex of the reference value; undefined where any value but none was expected. */
  readonly expected: string | undefined
  /** Hex of what the document has; undefined where it has none. */
  readonly actual: string | undefined
  /** The set of reference values that came closest. */
  readonly label: string | undefined

  constructor(
    code: AttestationErrorCode,
    message: string,
    detail: {
      pcr: number
      expected?: string | undefined
      actual?: string | undefined
      label?: string | undefined
    },
  ) {
    super(code, message)
    this.name = 'PcrError'
    Object.assign(this, detail)
  }
}
