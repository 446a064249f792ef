import { DerReader } from './element.ts'
import { DerError } from './error.ts'
import { readInteger } from './primitive.ts'
import { SEQUENCE } from './tag.ts'

/**
 * An Ecdsa-Sig-Value (RFC 3279 §2.2.3) as r‖s, each `size` bytes, the form that WebCrypto takes.
 *
 * @throws {DerError} when it is not strict DER, or r or s is not positive, or is wider than `size`.
 */
export function ecdsaSignatureToP1363(der: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const reader = new DerReader(der)
  reader.open(SEQUENCE)
  const signature = new Uint8Array(2 * size)
  for (const end of [size, 2 * size]) {
    const integer = readInteger(reader)
    // A sign octet stands before a magnitude with its first bit set.
    const skip = integer.octet(0) === 0 ? 1 : 0
    const length = integer.length - skip
    if (integer.octet(0) >= 0x80 || length === 0 || length > size) {
      throw new DerError('r or s out of range', integer.offset)
    }
    for (let at = 1; at <= length; at++) signature[end - at] = der[integer.end - at] as number
  }
  reader.close()
  reader.end()
  return signature
}
