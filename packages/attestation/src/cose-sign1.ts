import { CborTag, decode, type CborValue } from '@enclavejs/cbor'
import { copyBytes, equalBytes, fromHex, toHex } from './bytes.ts'
import { AttestationError } from './error.ts'
import { unexpected } from './unexpected.ts'

/** A COSE_Sign1 message (RFC 9052 §4.2) in the one form that the NSM gives: ES384, nothing unprotected. */
export interface CoseSign1 {
  /** The serialized protected header, as received. */
  readonly protected: Uint8Array
  readonly payload: Uint8Array
  /** r‖s, 96 bytes. */
  readonly signature: Uint8Array
}

/** AWS bounds the payload at 16 KiB and the device its answer at 12 KiB; real documents have 4 to 8 KiB. */
const MAX_SIZE = 16_384
const TAG_COSE_SIGN1 = 18
/** The map `{1: -35}`: alg is ES384 (RFC 9053 §2.1), with the deterministic encoding that the NSM gives. */
const PROTECTED_ES384 = fromHex('a1013822') as Uint8Array
/** `Sig_structure` up to the payload: an array of four, the text "Signature1", the protected header, an empty aad. */
const SIG_STRUCTURE_HEAD = fromHex('846a5369676e61747572653144a101382240') as Uint8Array

/**
 * Reads a copy of a COSE_Sign1, untagged or with the one tag 18. The signature is not verified by it.
 *
 * @throws {TypeError} when it is no Uint8Array.
 * @throws {AttestationError} `ERR_ATTESTATION_SIZE`, `_CBOR`, `_COSE_SIGN1`, `_ALGORITHM`, `_UNPROTECTED_HEADER`,
 *   `_SIGNATURE_LENGTH`.
 */
export function decodeCoseSign1(input: Uint8Array): CoseSign1 {
  // What is refused for its size is not copied before.
  const large = input instanceof Uint8Array && input.length > MAX_SIZE
  const bytes = large ? input : copyBytes(input, 'bytes')
  if (large || bytes.length === 0 || bytes.length > MAX_SIZE) {
    throw unexpected('ERR_ATTESTATION_SIZE', 'The document', '1 to 16384 bytes', input)
  }
  // Tag, array, unprotected header, what that holds: what is one level too deep is refused by the rule it breaks.
  const item = decodeStrict(bytes, 'The message', { tags: [TAG_COSE_SIGN1], maxDepth: 4 })
  const message = item instanceof CborTag ? item.value : item
  if (!Array.isArray(message) || message.length !== 4) {
    throw unexpected('ERR_ATTESTATION_COSE_SIGN1', 'The message', 'an array of 4', message)
  }
  const protectedHeader = byteString(message[0], 'protected')
  const unprotected = message[1] as CborValue
  const payload = byteString(message[2], 'payload')
  const signature = byteString(message[3], 'signature')
  if (!equalBytes(protectedHeader, PROTECTED_ES384)) {
    throw new AttestationError(
      'ERR_ATTESTATION_ALGORITHM',
      `protected: ${toHex(PROTECTED_ES384)} (ES384 and nothing else) expected, ${toHex(protectedHeader.subarray(0, 16))} of ${protectedHeader.length} bytes seen`,
    )
  }
  if (!(unprotected instanceof Map) || unprotected.size > 0) {
    throw unexpected(
      'ERR_ATTESTATION_UNPROTECTED_HEADER',
      'unprotected',
      'an empty map',
      unprotected,
    )
  }
  if (signature.length !== 96) {
    throw unexpected('ERR_ATTESTATION_SIGNATURE_LENGTH', 'signature', '96 bytes, r‖s', signature)
  }
  return { protected: protectedHeader, payload, signature }
}

function byteString(value: CborValue, name: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw unexpected('ERR_ATTESTATION_COSE_SIGN1', name, 'a byte string', value)
}

/** The bytes that the signature covers (RFC 9052 §4.4), around the payload as it was received. */
export function sigStructure(message: CoseSign1): Uint8Array<ArrayBuffer> {
  const { length } = message.payload
  const head =
    length < 24
      ? [0x40 | length]
      : length < 256
        ? [0x58, length]
        : [0x59, length >> 8, length & 0xff]
  const structure = new Uint8Array(SIG_STRUCTURE_HEAD.length + head.length + length)
  structure.set(SIG_STRUCTURE_HEAD)
  structure.set(head, SIG_STRUCTURE_HEAD.length)
  structure.set(message.payload, SIG_STRUCTURE_HEAD.length + head.length)
  return structure
}

/** Strict CBOR, with the reader's error as the cause. */
export function decodeStrict(
  bytes: Uint8Array,
  what: string,
  options: Parameters<typeof decode>[1],
): CborValue {
  try {
    return decode(bytes, options)
  } catch (cause) {
    const reason = (cause as Error).message
    throw new AttestationError('ERR_ATTESTATION_CBOR', `${what} is not strict CBOR: ${reason}`, {
      cause,
    })
  }
}
