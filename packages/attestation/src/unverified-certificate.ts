import { decodeCertificate as decode, describeName, KeyUsage } from '@enclavejs/der'
import { MAX_FIELD } from './attestation-document.ts'
import { copyBytes, toHex } from './bytes.ts'
import { AttestationError } from './error.ts'
import { unexpected } from './unexpected.ts'

/** What a certificate of a document says, for people; nothing of it is verified. */
export interface UnverifiedCertificate {
  /** As RFC 4514 writes names, most specific first, unusual characters escaped. */
  readonly subject: string
  readonly issuer: string
  /** Lower-case hex. */
  readonly serialNumber: string
  readonly notBefore: Date
  readonly notAfter: Date
  /** Whether basicConstraints makes it a CA, and how many CA certificates may follow. */
  readonly ca: boolean
  readonly pathLenConstraint: number | undefined
  /** Names of RFC 5280 §4.2.1.3. */
  readonly keyUsage: readonly string[]
}

/**
 * Reads a certificate (DER) of a document's `cabundle` or `certificate`, without verifying anything of it.
 *
 * @param der 1 to 1024 bytes, as AWS bounds them.
 * @throws {AttestationError} `ERR_ATTESTATION_CERTIFICATE_MALFORMED` when it is not the strict DER of X.509 v3;
 *   `ERR_ATTESTATION_CERTIFICATE_SIZE` when it is longer.
 */
export function decodeCertificate(der: Uint8Array): UnverifiedCertificate {
  // What is refused for its size is not copied before.
  if (der instanceof Uint8Array && der.length > MAX_FIELD) {
    throw unexpected('ERR_ATTESTATION_CERTIFICATE_SIZE', 'der', '1 to 1024 bytes', der)
  }
  const bytes = copyBytes(der, 'der')
  try {
    const certificate = decode(bytes)
    const { basicConstraints, keyUsage = 0 } = certificate
    return {
      subject: describeName(certificate.subject),
      issuer: describeName(certificate.issuer),
      serialNumber: toHex(certificate.serialNumber),
      notBefore: new Date(certificate.notBefore),
      notAfter: new Date(certificate.notAfter),
      ca: basicConstraints?.ca === true,
      pathLenConstraint: basicConstraints?.pathLenConstraint,
      keyUsage: Object.entries(KeyUsage)
        .filter(([, bit]) => (keyUsage & bit) !== 0)
        .map(([name]) => name),
    }
  } catch (cause) {
    throw new AttestationError(
      'ERR_ATTESTATION_CERTIFICATE_MALFORMED',
      `not strict DER of X.509 v3: ${(cause as Error).message}`,
      { cause },
    )
  }
}
