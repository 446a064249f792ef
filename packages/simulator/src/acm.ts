export type { AcmKeyAlgorithm } from './acm/certificate-record.ts'
export type { CertificateOptions } from './acm/certificate-store.ts'
export type { IssuedCertificate, IssueOptions } from './acm/issuer.ts'
export {
  createSimulatedAcm,
  type AcmFault,
  type SimulatedAcm,
  type SimulatedAcmOptions,
} from './acm/server.ts'
