/** Every code a {@link KmsError} can carry. */
export type KmsErrorCode =
  /** `CiphertextForRecipient` does not have the form that KMS gives it, or does not open under this key: one error for all. */
  | 'ERR_KMS_CMS'
  /** A plaintext beside, or instead of, `CiphertextForRecipient`: whoever answered took no notice of the attestation. */
  | 'ERR_KMS_UNATTESTED_PLAINTEXT'
  /** KMS refused, or failed; a `KmsServiceError` with KMS's own code in `kmsCode`. */
  | 'ERR_KMS_SERVICE'
  /** The answer is not one that KMS gives to this operation: no JSON, a member missing or of the wrong form. */
  | 'ERR_KMS_RESPONSE'
  /** The head of the answer has more than 16 KiB, or its body more than 64 KiB. */
  | 'ERR_KMS_RESPONSE_SIZE'
  /** The answer names another key than the one that the client is bound to. */
  | 'ERR_KMS_KEY_MISMATCH'
  /** What was opened does not have the length that was asked for. */
  | 'ERR_KMS_PLAINTEXT_LENGTH'
  /** No stream to KMS, or one that broke: refused, reset, ended too early. */
  | 'ERR_KMS_CONNECTION'
  /** The TLS handshake failed: certificate, host name, version, or no TLS at all. */
  | 'ERR_KMS_TLS'
  /** A deadline passed; the message says which. */
  | 'ERR_KMS_DEADLINE'
  /** No credentials, or none that may be used: the source failed, or gave malformed or expired ones. */
  | 'ERR_KMS_CREDENTIALS'
  /** The client, or a source of recipient keys, was closed. */
  | 'ERR_KMS_CLOSED'
  /** A package that the defaults need is not installed. */
  | 'ERR_KMS_PACKAGE'
  /** The key that the answer is encrypted to was destroyed before the answer was opened; the request can be sent again. */
  | 'ERR_KMS_RECIPIENT_DESTROYED'
  /** `getEvidence` failed, took too long, or gave something that cannot be Evidence. */
  | 'ERR_KMS_EVIDENCE'
  /** An envelope does not have the form of one, or not of the only suite that is opened. */
  | 'ERR_KMS_ENVELOPE_FORMAT'
  /** An envelope ends before its final frame. */
  | 'ERR_KMS_ENVELOPE_TRUNCATED'
  /** An envelope was sealed with another context. */
  | 'ERR_KMS_ENVELOPE_CONTEXT'
  /** An envelope's data key is not one, or of another KMS key. */
  | 'ERR_KMS_ENVELOPE_KEY'
  /** An envelope does not commit to its data key. */
  | 'ERR_KMS_ENVELOPE_COMMITMENT'
  /** An envelope's header or a frame of it is not what was sealed. */
  | 'ERR_KMS_ENVELOPE_AUTHENTICATION'
  /** A key policy has more than 32 KiB. */
  | 'ERR_KMS_POLICY_SIZE'
  /** A key policy is not strict JSON, or nests deeper than a policy does. */
  | 'ERR_KMS_POLICY_JSON'
  /** A key policy has an object with the same key twice, of which a reader may see either. */
  | 'ERR_KMS_POLICY_DUPLICATE_KEY'
  /** A key policy's `Version` is not `2012-10-17`. */
  | 'ERR_KMS_POLICY_VERSION'
  /** An element of a key policy that is not understood (`NotAction`, `NotPrincipal`, …), missing, or of the wrong type. */
  | 'ERR_KMS_POLICY_ELEMENT'
  /** A principal that is not understood: not the ARN of a role, a user or a root; or everyone, in an Allow. */
  | 'ERR_KMS_POLICY_PRINCIPAL'
  /** An action that is not understood; or a wildcard in an Allow, which opens what does not exist yet. */
  | 'ERR_KMS_POLICY_ACTION'
  /** A statement's `Resource` is neither `*` nor the key. */
  | 'ERR_KMS_POLICY_RESOURCE'
  /** A condition that is not understood: its operator, its key or its value. */
  | 'ERR_KMS_POLICY_CONDITION'
  /** Plaintext can be had with PCRs that are not those of an expected image, or without a document. */
  | 'ERR_KMS_POLICY_PCR'
  /** An image is pinned by its signer alone, and debug mode is not excluded. */
  | 'ERR_KMS_POLICY_DEBUG_MODE'
  /** An action that leads around the attestation is allowed: CreateGrant, ReEncryptFrom, ReplicateKey, … */
  | 'ERR_KMS_POLICY_ESCAPE'
  /** The policy can be replaced, and `locked` is expected. */
  | 'ERR_KMS_POLICY_NOT_LOCKED'
  /** A principal may do what was not expected of it. */
  | 'ERR_KMS_POLICY_STRANGER'
  /** A grant that allows more than what yields nothing secret, or allows a stranger. */
  | 'ERR_KMS_POLICY_GRANT'
  /** The list of grants is not complete. */
  | 'ERR_KMS_POLICY_GRANTS_TRUNCATED'
  /** DescribeKey or ListGrants speaks of another key. */
  | 'ERR_KMS_POLICY_KEY'
  /** The key is AWS's own, or of a usage that cannot be attested. */
  | 'ERR_KMS_POLICY_KEY_KIND'
  /** The key material does not come from where it was expected to come from. */
  | 'ERR_KMS_POLICY_ORIGIN'
  /** A multi-Region key: each replica has a policy of its own. */
  | 'ERR_KMS_POLICY_MULTI_REGION'
  /** What is said to be an answer of DescribeKey or ListGrants does not have its form. */
  | 'ERR_KMS_POLICY_ANSWER'

/** What a {@link KmsError} may carry beside its code. */
export interface KmsErrorDetails {
  readonly cause?: unknown
}

/** Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`). */
export class KmsError extends Error {
  readonly code: KmsErrorCode

  constructor(code: KmsErrorCode, message: string, details: KmsErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'KmsError'
    this.code = code
  }
}
