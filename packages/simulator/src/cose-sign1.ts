import { sign, type KeyObject } from 'node:crypto'
import { encodeCbor } from './cbor.ts'
import { concat } from './der.ts'

/** What goes into a COSE_Sign1; everything but the payload and the key has Nitro's form by default. */
export interface CoseSign1Input {
  /** The bytes that the payload's byte string holds; they are what is signed. */
  readonly payload: Uint8Array
  /** The private key; ECDSA with SHA-384 on P-384 for a genuine form. */
  readonly privateKey: KeyObject
  /** The bytes that the protected header's byte string holds. Default `a1013822`, {1: -35}. */
  readonly protected?: Uint8Array | undefined
  /** The unprotected header as one CBOR item. Default `a0`. */
  readonly unprotected?: Uint8Array | undefined
  /** Puts tag 18 in front. Default false, as on Nitro. */
  readonly tagged?: boolean | undefined
  /** Bytes of the external_aad that are signed. Default none. */
  readonly externalAad?: Uint8Array | undefined
  /** Hash of the signature. Default `sha384`. */
  readonly signatureHash?: 'sha256' | 'sha384' | 'sha512' | undefined
  /** One CBOR item to write in the payload's place; what is signed stays `payload`. */
  readonly payloadItem?: Uint8Array | undefined
  /** One CBOR item to write in the protected header's place; what is signed stays `protected`. */
  readonly protectedItem?: Uint8Array | undefined
  /** Last change to the signature's bytes, r and s. */
  readonly mutateSignature?: ((signature: Uint8Array) => Uint8Array) | undefined
  /** One CBOR item to write in the signature's place. */
  readonly signatureItem?: Uint8Array | undefined
}

const PROTECTED_ES384 = Uint8Array.of(0xa1, 0x01, 0x38, 0x22)
const EMPTY_MAP = Uint8Array.of(0xa0)
const NOTHING = new Uint8Array()

/** The bytes that a COSE_Sign1 signature covers (RFC 9052 §4.4). */
export function sigStructure(
  protectedHeader: Uint8Array,
  payload: Uint8Array,
  externalAad: Uint8Array = NOTHING,
): Uint8Array {
  return encodeCbor(['Signature1', protectedHeader, externalAad, payload])
}

/**
 * Signs a COSE_Sign1 (RFC 9052 §4.2) with r and s in 48 bytes each and s as it comes: half of
 * all signatures have it in the upper half of the group, as on Nitro. Nothing is checked.
 */
export function signCoseSign1(input: CoseSign1Input): Uint8Array {
  const { payload, privateKey, unprotected = EMPTY_MAP, tagged = false } = input
  const protectedHeader = input.protected ?? PROTECTED_ES384
  const signed = sigStructure(protectedHeader, payload, input.externalAad)
  const raw = new Uint8Array(
    sign(input.signatureHash ?? 'sha384', signed, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  )
  const signature = input.mutateSignature?.(raw) ?? raw
  return concat(
    tagged ? Uint8Array.of(0xd2, 0x84) : Uint8Array.of(0x84),
    input.protectedItem ?? encodeCbor(protectedHeader),
    unprotected,
    input.payloadItem ?? encodeCbor(payload),
    input.signatureItem ?? encodeCbor(signature),
  )
}
