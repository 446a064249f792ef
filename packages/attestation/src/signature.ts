import { equalBytes, fromHex } from './bytes.ts'
import { AttestationError } from './error.ts'
import { ecdsaSignatureToP1363, type Certificate } from '@enclavejs/der'

/** A key as the crypto provider keeps it. */
export type SubtleKey = object

/**
 * What is used of WebCrypto's SubtleCrypto. `globalThis.crypto.subtle` is one; give another where the platform's lacks
 * P-384. Its answers decide what is accepted, so it is trusted like the verifier itself.
 */
export interface Subtle {
  importKey(
    format: 'spki',
    key: Uint8Array<ArrayBuffer>,
    algorithm: { readonly name: string; readonly namedCurve?: string; readonly hash?: string },
    extractable: boolean,
    usages: 'verify'[],
  ): Promise<SubtleKey>
  verify(
    algorithm: { readonly name: string; readonly hash: string },
    key: SubtleKey,
    signature: Uint8Array<ArrayBuffer>,
    data: Uint8Array<ArrayBuffer>,
  ): Promise<boolean>
  digest(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>
}

/** One way to sign certificates: what the certificates say of it, and what WebCrypto is told. */
export interface SignatureAlgorithm {
  /** AlgorithmIdentifier of a signature. */
  readonly signatureAlgorithm: Uint8Array
  /** AlgorithmIdentifier of the key that makes it. */
  readonly publicKeyAlgorithm: Uint8Array
  /** Whether the bits of subjectPublicKey have the one form that is taken. */
  isPublicKey(publicKey: Uint8Array): boolean
  /** Whether such bits are a key at all; asked before the provider reads them. Default: the provider knows. */
  isPoint?(publicKey: Uint8Array): boolean
  readonly importParameters: {
    readonly name: string
    readonly namedCurve?: string
    readonly hash?: string
  }
  readonly verifyParameters: { readonly name: string; readonly hash: string }
  /** The bits of signatureValue as WebCrypto takes them. */
  signature(bits: Uint8Array): Uint8Array<ArrayBuffer>
}

/** ecdsa-with-SHA384 (RFC 5758 §3.2) under an uncompressed point of the named curve P-384 (RFC 5480 §2). */
export const ECDSA_P384_SHA384: SignatureAlgorithm = {
  signatureAlgorithm: fromHex('300a06082a8648ce3d040303') as Uint8Array,
  publicKeyAlgorithm: fromHex('301006072a8648ce3d020106052b81040022') as Uint8Array,
  isPublicKey: (publicKey) => publicKey.length === 97 && publicKey[0] === 4,
  isPoint: isPointOfP384,
  importParameters: { name: 'ECDSA', namedCurve: 'P-384' },
  verifyParameters: { name: 'ECDSA', hash: 'SHA-384' },
  signature: (bits) => ecdsaSignatureToP1363(bits, 48),
}

/** p and b of P-384 (SP 800-186 §3.2.1.4). */
const P = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n
const B =
  0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn

/**
 * Whether an uncompressed point lies on the curve (SEC 1 §2.3.4, §3.2.2.1). Providers that read keys late, or not
 * strictly, would otherwise find out in another place, by another error, or not at all.
 */
function isPointOfP384(publicKey: Uint8Array): boolean {
  const view = new DataView(publicKey.buffer, publicKey.byteOffset, publicKey.length)
  const x = coordinate(view, 1)
  const y = coordinate(view, 49)
  return x < P && y < P && (y * y - (x * x - 3n) * x - B) % P === 0n
}

function coordinate(view: DataView, start: number): bigint {
  let value = view.getBigUint64(start)
  for (let at = start + 8; at < start + 48; at += 8) {
    value = (value << 64n) | view.getBigUint64(at)
  }
  return value
}

/** The algorithm of a list that these AlgorithmIdentifiers name; undefined for the signature's: whichever signs. */
export function findAlgorithm(
  algorithms: readonly SignatureAlgorithm[],
  publicKeyAlgorithm: Uint8Array,
  signatureAlgorithm?: Uint8Array,
): SignatureAlgorithm | undefined {
  for (const one of algorithms) {
    if (!equalBytes(one.publicKeyAlgorithm, publicKeyAlgorithm)) continue
    if (!signatureAlgorithm || equalBytes(one.signatureAlgorithm, signatureAlgorithm)) return one
  }
  return undefined
}

/**
 * @param point what `isPoint` said, where it was asked before.
 * @throws {AttestationError} for a point that is not on the curve, and whatever the provider throws.
 */
export function importPublicKey(
  certificate: Certificate,
  algorithm: SignatureAlgorithm,
  subtle: Subtle,
  point: boolean | undefined = algorithm.isPoint?.(certificate.publicKey),
): Promise<SubtleKey> {
  if (point === false) {
    throw new AttestationError('ERR_ATTESTATION_CERTIFICATE_KEY', 'Not a point on the curve')
  }
  const spki = certificate.subjectPublicKeyInfo as Uint8Array<ArrayBuffer>
  return subtle.importKey('spki', spki, algorithm.importParameters, false, ['verify'])
}
