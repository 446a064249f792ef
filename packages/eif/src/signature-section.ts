import { CborTag, decode, encode, type CborValue } from '@enclavejs/cbor'
import { EifError } from './error.ts'

/** One entry of a signature section. */
export interface SignatureEntry {
  /** The PEM file that was given to the signer, byte for byte. */
  readonly certificatePem: Uint8Array
  /** A COSE_Sign1. */
  readonly signature: Uint8Array
  /** Whether it is encoded as `nitro-cli` does: two keys in order, bytes as arrays of integers. */
  readonly usual: boolean
}

/** SIGNATURE_MAX_SIZE of AWS's image format. */
export const MAX_SIGNATURE_SIZE = 32_768
const CERTIFICATE = 'signing_certificate'
const SIGNATURE = 'signature'

/**
 * Reads a signature section: an array of maps, the first of which counts.
 *
 * @throws {EifError} `ERR_EIF_SIGNATURE` when it is anything else.
 */
export function decodeSignatureSection(
  bytes: Uint8Array,
  size: number,
): readonly [SignatureEntry, ...SignatureEntry[]] {
  if (size > MAX_SIGNATURE_SIZE) {
    throw refuse(`has ${size} bytes, more than ${MAX_SIGNATURE_SIZE}`)
  }
  let section: CborValue
  try {
    section = decode(bytes, { maxDepth: 4 })
  } catch (cause) {
    throw refuse(`is not strict CBOR: ${(cause as Error).message}`, cause)
  }
  if (!Array.isArray(section) || section.length === 0) throw refuse('is no array of signatures')
  return section.map(readEntry) as [SignatureEntry, ...SignatureEntry[]]
}

function readEntry(item: CborValue): SignatureEntry {
  if (!(item instanceof Map) || item.size !== 2) {
    throw refuse('has an entry that is no map of certificate and signature')
  }
  const certificate = item.get(CERTIFICATE) as CborValue
  const signature = item.get(SIGNATURE) as CborValue
  const [first] = item.keys()
  return {
    certificatePem: readBytes(certificate, CERTIFICATE),
    signature: readBytes(signature, SIGNATURE),
    usual: Array.isArray(certificate) && Array.isArray(signature) && first === CERTIFICATE,
  }
}

function readBytes(value: CborValue, name: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  const isByte = (item: CborValue): item is number =>
    typeof item === 'number' && item >= 0 && item <= 255
  if (Array.isArray(value) && value.every(isByte)) return Uint8Array.from(value)
  throw refuse(`has a ${name} that is no bytes`)
}

function refuse(what: string, cause?: unknown): EifError {
  return new EifError('ERR_EIF_SIGNATURE', `The signature section ${what}; PCR8 is unknown`, {
    cause,
  })
}

/** Writes a section with one entry, as `nitro-cli` does. */
export function encodeSignatureSection(
  certificatePem: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  const entry = new Map<string, CborValue>([
    [CERTIFICATE, [...certificatePem]],
    [SIGNATURE, [...signature]],
  ])
  return encode([entry])
}

/** A COSE_Sign1 (RFC 9052 §4.2), as far as it is needed. */
export interface CoseSign1 {
  readonly protected: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  /** COSE algorithm number of the protected header, its only parameter. */
  readonly alg: number
}

/** Reads a COSE_Sign1, untagged or with tag 18; undefined when it is none, or has other headers than `alg`. */
export function decodeCoseSign1(bytes: Uint8Array): CoseSign1 | undefined {
  try {
    const item = decode(bytes, { tags: [18], maxDepth: 3 })
    const message = item instanceof CborTag ? item.value : item
    if (!Array.isArray(message) || message.length !== 4) return undefined
    const [protectedHeader, unprotected, payload, signature] = message as CborValue[]
    if (
      !(protectedHeader instanceof Uint8Array) ||
      !(unprotected instanceof Map && unprotected.size === 0) ||
      !(payload instanceof Uint8Array) ||
      !(signature instanceof Uint8Array)
    ) {
      return undefined
    }
    const header = decode(protectedHeader, { maxDepth: 2 })
    if (!(header instanceof Map) || header.size !== 1) return undefined
    const alg = header.get(1)
    if (typeof alg !== 'number') return undefined
    return { protected: protectedHeader, payload, signature, alg }
  } catch {
    return undefined
  }
}

/** An untagged COSE_Sign1 with nothing but `alg` in its headers. */
export function encodeCoseSign1(
  alg: number,
  payload: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  return encode([protectedHeader(alg), new Map(), payload, signature])
}

/** The serialized protected header `{1: alg}`. */
export function protectedHeader(alg: number): Uint8Array {
  return encode(new Map([[1, alg]]))
}

/** What the signature covers (RFC 9052 §4.4). */
export function sigStructure(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array {
  return encode(['Signature1', protectedBytes, new Uint8Array(), payload])
}

/** The payload that an image with this PCR0 must have: `{register_index: 0, register_value: [48 integers]}`. */
export function pcr0Payload(pcr0: string): Uint8Array {
  const value = (pcr0.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))
  return encode(
    new Map<string, CborValue>([
      ['register_index', 0],
      ['register_value', value],
    ]),
  )
}
