import { sign, type KeyObject } from 'node:crypto'
import { bitString, concat, objectIdentifier, sequence, time, tlv, unsignedInteger } from './der.ts'
import { encodeExtension, type Extension } from './extension.ts'
import { encodeName, type DistinguishedName } from './name.ts'

/** Hashes that an issuer can sign with; the signature algorithm is `ecdsa-with-` this one. */
export type SignatureHash = 'sha256' | 'sha384' | 'sha512'

const ECDSA_OIDS: Readonly<Record<SignatureHash, string>> = {
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
}

/**
 * Everything that goes into one certificate, in the form that is easiest to change one thing of:
 * where DER is given instead of a value, it is written as it is.
 */
export interface CertificateRecipe {
  /** 1, 2 or 3; 1 is written by leaving the field out. Any other number is written as it is. Default 3. */
  readonly version?: number | undefined
  /** Serial number as unsigned big-endian octets. */
  readonly serialNumber: Uint8Array
  readonly issuer: DistinguishedName | Uint8Array
  readonly subject: DistinguishedName | Uint8Array
  /** Whole seconds; or a time in DER. */
  readonly notBefore: Date | Uint8Array
  /** Whole seconds; or a time in DER. */
  readonly notAfter: Date | Uint8Array
  /** The subject's key, or a SubjectPublicKeyInfo in DER. */
  readonly publicKey: KeyObject | Uint8Array
  /** In this order; an empty list leaves the field out. A `Uint8Array` is one whole Extension in DER. */
  readonly extensions: readonly (Extension | Uint8Array)[]
  /** The issuer's private key, on any curve. */
  readonly signingKey: KeyObject
  /** Default `sha384`. */
  readonly signatureHash?: SignatureHash | undefined
  /** AlgorithmIdentifier in DER to write inside the TBSCertificate in place of the true one. */
  readonly innerSignatureAlgorithm?: Uint8Array | undefined
  /** AlgorithmIdentifier in DER to write beside the signature in place of the true one. */
  readonly outerSignatureAlgorithm?: Uint8Array | undefined
  /** Last change to the TBSCertificate, made before it is signed. */
  readonly mutateTbs?: ((tbsCertificate: Uint8Array) => Uint8Array) | undefined
  /** Last change to the ECDSA-Sig-Value in DER. */
  readonly mutateSignature?: ((signature: Uint8Array) => Uint8Array) | undefined
}

/** The AlgorithmIdentifier of ECDSA with a hash, in DER, without parameters (RFC 5758 §3.2). */
export function ecdsaAlgorithm(hash: SignatureHash): Uint8Array {
  return sequence(objectIdentifier(ECDSA_OIDS[hash]))
}

/**
 * Writes and signs a certificate exactly as the recipe says (RFC 5280 §4.1). Nothing is checked:
 * a recipe that makes no sense gives a certificate that makes no sense.
 */
export function issueCertificate(recipe: CertificateRecipe): Uint8Array {
  const { version = 3, signatureHash = 'sha384' } = recipe
  const algorithm = ecdsaAlgorithm(signatureHash)
  const written = sequence(
    ...(version === 1 ? [] : [tlv(0xa0, unsignedInteger(Uint8Array.of(version - 1)))]),
    unsignedInteger(recipe.serialNumber),
    recipe.innerSignatureAlgorithm ?? algorithm,
    nameOf(recipe.issuer),
    sequence(timeOf(recipe.notBefore), timeOf(recipe.notAfter)),
    nameOf(recipe.subject),
    subjectPublicKeyInfo(recipe.publicKey),
    ...extensionsOf(recipe.extensions),
  )
  const tbsCertificate = recipe.mutateTbs?.(written) ?? written
  const signature = sign(signatureHash, tbsCertificate, recipe.signingKey)
  return sequence(
    tbsCertificate,
    recipe.outerSignatureAlgorithm ?? algorithm,
    bitString(recipe.mutateSignature?.(new Uint8Array(signature)) ?? signature),
  )
}

function nameOf(name: DistinguishedName | Uint8Array): Uint8Array {
  return name instanceof Uint8Array ? name : encodeName(name)
}

function timeOf(value: Date | Uint8Array): Uint8Array {
  return value instanceof Uint8Array ? value : time(value)
}

function subjectPublicKeyInfo(key: KeyObject | Uint8Array): Uint8Array {
  return key instanceof Uint8Array ? key : key.export({ format: 'der', type: 'spki' })
}

function extensionsOf(extensions: CertificateRecipe['extensions']): Uint8Array[] {
  if (extensions.length === 0) return []
  const encoded = extensions.map((extension) =>
    extension instanceof Uint8Array ? extension : encodeExtension(extension),
  )
  return [tlv(0xa3, sequence(concat(...encoded)))]
}
