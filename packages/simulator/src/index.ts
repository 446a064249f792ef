export { issueAttestationDocument, type AttestationFields } from './attestation-document.ts'
export {
  createCertificateAuthority,
  importCertificateAuthority,
  loadCertificateAuthority,
  openCertificateAuthority,
  type CertificateAuthority,
  type CertificateAuthorityOptions,
} from './certificate-authority.ts'
export type { CertificationPath, Leaf, PathMember } from './certification-path.ts'
export { SimulatorError, type SimulatorErrorCode } from './error.ts'
export type { LeafIssuer, SimulatedNsmOptions } from './nsm-options.ts'
export { createSimulatedNsm, type NsmErrorName, type SimulatedNsm } from './nsm.ts'
