/** Every code an {@link AcmError} can carry. */
export type AcmErrorCode =
  /** A bundle has more than 64 KiB. */
  | 'ERR_ACM_BUNDLE_SIZE'
  /** A bundle is no JSON object of texts: cut off, not UTF-8, nested. */
  | 'ERR_ACM_BUNDLE_JSON'
  /** A bundle has a member twice, of which a reader may see either. */
  | 'ERR_ACM_BUNDLE_DUPLICATE'
  /** A bundle lacks one of its four members, or has it empty. */
  | 'ERR_ACM_BUNDLE_MISSING'
  /** A bundle has a member that is not one of a bundle's. */
  | 'ERR_ACM_BUNDLE_UNKNOWN'
  /** `encryptedPrivateKey` is not base64 of a KMS ciphertext. */
  | 'ERR_ACM_BUNDLE_CIPHERTEXT'
  /** `version` of an own bundle is missing or no number. */
  | 'ERR_ACM_BUNDLE_VERSION'
  /** `certificate` is not one certificate in PEM, or `certificateChain` not up to ten. */
  | 'ERR_ACM_CERTIFICATE'
  /** The certificate is a CA's, or one that no server may use. */
  | 'ERR_ACM_CERTIFICATE_USAGE'
  /** The certificates form no path: an issuer is missing, did not sign, is no CA, or one belongs to another path. */
  | 'ERR_ACM_PATH'
  /** A CA of the path may not issue for a name of a certificate below it. */
  | 'ERR_ACM_NAME_CONSTRAINTS'
  /** A certificate of the path has a critical extension that is not understood here. */
  | 'ERR_ACM_CRITICAL_EXTENSION'
  /** A certificate of the path has ended. */
  | 'ERR_ACM_EXPIRED'
  /** A certificate of the path has not begun. */
  | 'ERR_ACM_NOT_YET_VALID'
  /** The certificate is not for a host name that is expected. */
  | 'ERR_ACM_NAME'
  /** What KMS decrypted is no private key in PEM or DER, or an encrypted one. */
  | 'ERR_ACM_KEY_FORM'
  /** The private key is neither RSA of 2048 to 8192 bits nor of P-256, P-384 or P-521. */
  | 'ERR_ACM_KEY_KIND'
  /** The private key is not that of the certificate. */
  | 'ERR_ACM_KEY_MISMATCH'
  /** The private key is encrypted under another KMS key than the one expected. */
  | 'ERR_ACM_FOREIGN_KEY'
  /** KMS cannot decrypt the private key: changed, cut off, or made for another ARN or version. */
  | 'ERR_ACM_CIPHERTEXT'
  /** KMS refuses this enclave: the key's policy does not name its PCRs or its role. */
  | 'ERR_ACM_DENIED'
  /** The key of an associated certificate is AWS's, and its policy refuses this enclave: probably it names AWS's own image alone. */
  | 'ERR_ACM_ASSOCIATED_KEY'
  /** The bundle is older than one seen before. */
  | 'ERR_ACM_ROLLBACK'
  /** S3 has no such object, or no such bucket. */
  | 'ERR_ACM_OBJECT_MISSING'
  /** S3 refuses: no permission, or the bucket is another account's. */
  | 'ERR_ACM_OBJECT_DENIED'
  /** S3 answered with something else than the object. */
  | 'ERR_ACM_OBJECT'
  /** S3 cannot be reached, or does not answer in time. */
  | 'ERR_ACM_STORE'
  /** KMS cannot be reached, or does not answer in time. */
  | 'ERR_ACM_KMS'
  /** No credentials, or none that AWS takes. */
  | 'ERR_ACM_CREDENTIALS'
  /** The parent handed no bytes in, or failed to. */
  | 'ERR_ACM_BYTES'
  /** There is no certificate that may be served: none was loaded yet, or the last good one has ended. */
  | 'ERR_ACM_NO_CERTIFICATE'
  /** EC2 or ACM refused a call, or failed; an {@link AcmServiceError} with AWS's own code. */
  | 'ERR_ACM_SERVICE'
  /** A certificate that was handed back does not belong to the request it answers. */
  | 'ERR_ACM_REQUEST'
  /** The certificate, or its source, was closed. */
  | 'ERR_ACM_CLOSED'
  /** A package that the defaults need is not installed. */
  | 'ERR_ACM_PACKAGE'
  /** A private key that no token serves, or that is not the certificate's. */
  | 'ERR_ACM_TOKEN_KEY'
  /** A certificate for a token that is none. */
  | 'ERR_ACM_TOKEN_CERTIFICATE'
  /** The token has a key of that id already, or none of it. */
  | 'ERR_ACM_TOKEN_ID'
  /** The token's native addon is missing or does not load: no Linux, or an architecture without a prebuilt addon. */
  | 'ERR_ACM_TOKEN_BINDING'
  /** The token in the enclave cannot be reached, does not answer in time, or answers with something else. */
  | 'ERR_ACM_TOKEN_ENCLAVE'
  /** The token in the enclave has more objects than a relay takes. */
  | 'ERR_ACM_TOKEN_OBJECTS'
  /** The token in the enclave refused the PIN, or takes no more attempts now. */
  | 'ERR_ACM_TOKEN_PIN'
  /** The token was closed. */
  | 'ERR_ACM_TOKEN_CLOSED'

/** Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`). */
export class AcmError extends Error {
  readonly code: AcmErrorCode

  constructor(code: AcmErrorCode, message: string, details: { readonly cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'AcmError'
    this.code = code
  }
}

/** EC2 or ACM refused a call. Always `ERR_ACM_SERVICE`; what AWS calls it is in `serviceCode`. */
export class AcmServiceError extends AcmError {
  /** The API operation: `AssociateEnclaveCertificateIamRole`. */
  readonly operation: string
  /** AWS's name of the error: `InvalidParameterValue`; `Unknown` where the answer had none. */
  readonly serviceCode: string
  /** The HTTP status. */
  readonly status: number

  constructor(operation: string, serviceCode: string, message: string, status: number) {
    super(
      'ERR_ACM_SERVICE',
      `${operation} was refused: ${serviceCode}: ${message} (HTTP ${status})`,
    )
    this.name = 'AcmServiceError'
    this.operation = operation
    this.serviceCode = serviceCode
    this.status = status
  }
}
