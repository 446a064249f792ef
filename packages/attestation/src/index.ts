export { AttestationError, CertificateError, PcrError, type AttestationErrorCode } from './error.ts'
export { decodeAttestationDocument } from './attestation-document.ts'
export type { UnverifiedAttestationDocument } from './attestation-document.ts'
export { decodeCertificate, type UnverifiedCertificate } from './unverified-certificate.ts'
export { createVerifier, verifyArchivedAttestation, verifyAttestation } from './verify.ts'
export type {
  ArchivedAttestationResult,
  AttestationResult,
  Verifier,
  VerifierOptions,
  VerifyArchivedAttestationOptions,
  VerifyAttestationOptions,
} from './verify.ts'
export type { AppraisalPolicyOptions, ExpectedFields } from './appraisal-policy.ts'
export type { ReferenceValues } from './reference-values.ts'
export type { Partition, TrustAnchor } from './trust-anchor.ts'
export type { Subtle, SubtleKey } from './signature.ts'
export { computeInstancePcr, computeRolePcr, computeSigningCertificatePcr } from './pcr.ts'
