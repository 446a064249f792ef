export {
  associateCertificate,
  associatedRoleStatements,
  disassociateCertificate,
  getAssociatedRoles,
  ownRoleStatements,
  type AssociationOptions,
  type CertificateAssociation,
  type PolicyStatement,
} from './association.ts'
export type { AttestedWay, AwsWay } from './aws-way.ts'
export { decodeBundle, type UnverifiedBundle } from './bundle.ts'
export {
  createAcmCertificate,
  type AcmCertificate,
  type AcmCertificateState,
} from './certificate.ts'
export type { AcmCertificateEvent } from './certificate-event.ts'
export type { AcmCertificateOptions, TlsSettings } from './certificate-options.ts'
export {
  createCertificateRequest,
  type CertificateRequest,
  type CertificateRequestOptions,
  type RequestKeyAlgorithm,
} from './certificate-request.ts'
export type { CertificateSource } from './certificate-source.ts'
export { acceptProxied, claimedAddressOf, type ClaimedClient } from './defaults.ts'
export { AcmError, AcmServiceError, type AcmErrorCode } from './error.ts'
export { importExportableCertificate, type ImportOptions } from './import-exportable-certificate.ts'
export {
  publishCertificate,
  type IssuedCertificate,
  type PublishedBundle,
  type PublishOptions,
} from './publish.ts'
export { sniCallback, type SniCallback } from './sni-callback.ts'
export {
  fromAssociatedCertificate,
  type AssociatedCertificateOptions,
} from './source/associated-certificate.ts'
export {
  fromBundleObject,
  type BundleLocation,
  type BundleObjectOptions,
} from './source/bundle-object.ts'
export { fromBytes, type BytesOptions } from './source/bytes.ts'
