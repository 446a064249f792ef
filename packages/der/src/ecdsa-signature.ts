import { DerReader, Tag } from './element.ts'
import { DerError } from './error.ts'
import { readInteger } from './primitive.ts'

/**
 * An Ecdsa-Sig-Value (RFC 3279 §2.2.3) as r‖s, each `size` bytes, the form that WebCrypto takes.
 *
 * @throws {DerError} when it is not strict DER, or r or s is not positive, or is wider than `size`.
 */
export function ecdsaSignatureToP1363(der: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const outer = new DerReader(der)
  const inner = outer.enter(Tag.SEQUENCE)
  outer.end()
  const signature = new Uint8Array(2 * size)
  for (const end of [size, 2 * size]) {
    const { contents, offset } = readInteger(inner)
    const magnitude = contents[0] === 0 ? contents.subarray(1) : contents
    if ((contents[0] as number) >= 0x80 || magnitude.length === 0 || magnitude.length > size) {
      throw new DerError('r or s out of range', offset)
    }
    signature.set(magnitude, end - magnitude.length)
  }
  inner.end()
  return signature
}
