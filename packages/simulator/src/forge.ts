/**
 * The forger's bench: certificates and attestation documents that are wrong in exactly one place
 * and right, and rightly signed, everywhere else. It exists to test verifiers. Nothing here checks
 * anything, and nothing here can be signed under AWS's root.
 *
 * @example
 * ```ts
 * import { createCertificateAuthority } from '@enclavejs/simulator'
 * import { basicConstraints, changePath, issueAttestationDocument, leafOf, withExtension } from '@enclavejs/simulator/forge'
 *
 * const authority = await createCertificateAuthority()
 * const path = changePath(authority.certificationPath(), {
 *   recipes: {
 *     zonal: (recipe) => ({
 *       ...recipe,
 *       extensions: withExtension(recipe.extensions, basicConstraints({ ca: false })),
 *     }),
 *   },
 * })
 * const pcrs = new Map(Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(1)]))
 * const forged = issueAttestationDocument(
 *   { moduleId: authority.moduleId, timestamp: Date.now(), pcrs },
 *   leafOf(path),
 * )
 * ```
 *
 * @module
 */
export {
  attestationEntries,
  encodePayload,
  entry,
  issueAttestationDocument,
  type AttestationFields,
  type PayloadEntry,
} from './attestation-document.ts'
export { encodeCbor, type CborWritable } from './cbor.ts'
export {
  ecdsaAlgorithm,
  issueCertificate,
  type CertificateRecipe,
  type SignatureHash,
} from './certificate.ts'
export {
  changePath,
  leafOf,
  withExtension,
  withoutExtension,
  type CertificationPath,
  type Leaf,
  type PathChanges,
  type PathMember,
} from './certification-path.ts'
export { sigStructure, signCoseSign1, type CoseSign1Input } from './cose-sign1.ts'
export {
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoint,
  extensionOids,
  keyUsage,
  subjectKeyIdentifier,
  type Extension,
  type KeyUsage,
} from './extension.ts'
export { encodeName, type AttributeType, type DistinguishedName } from './name.ts'
export { levels, type Level, type NitroRecipe } from './nitro-profile.ts'
