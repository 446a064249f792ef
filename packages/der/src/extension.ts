import { DerReader } from './element.ts'
import { DerError } from './error.ts'
import { readBitString, readBoolean, readInteger } from './primitive.ts'
import { BOOLEAN, SEQUENCE } from './tag.ts'

/** RFC 5280 §4.2.1.9. */
export interface BasicConstraints {
  readonly ca: boolean
  readonly pathLenConstraint: number | undefined
}

/** Bits of `Certificate.keyUsage` (RFC 5280 §4.2.1.3). */
export const KeyUsage: {
  readonly digitalSignature: number
  readonly nonRepudiation: number
  readonly keyCertSign: number
  readonly cRLSign: number
} = { digitalSignature: 1 << 0, nonRepudiation: 1 << 1, keyCertSign: 1 << 5, cRLSign: 1 << 6 }

/** @throws {DerError} for anything but the DER of BasicConstraints; a path length on a certificate that is no CA too. */
export function decodeBasicConstraints(value: Uint8Array): BasicConstraints {
  const reader = new DerReader(value)
  reader.open(SEQUENCE)
  const ca = reader.sees(BOOLEAN)
  if (ca && !readBoolean(reader)) throw new DerError('cA: the default FALSE written out', 0)
  let pathLenConstraint: number | undefined
  if (!reader.atEnd) {
    const integer = readInteger(reader)
    if (!ca) throw new DerError('pathLenConstraint without cA', 0)
    pathLenConstraint = integer.octet(0)
    if (integer.length > 1 || pathLenConstraint > 127) {
      throw new DerError('pathLenConstraint outside 0 to 127', 0)
    }
  }
  reader.close()
  reader.end()
  return { ca, pathLenConstraint }
}

/** @throws {DerError} for anything but the DER of KeyUsage with at least one bit set. */
export function decodeKeyUsage(value: Uint8Array): number {
  const reader = new DerReader(value)
  const { octets, unused } = readBitString(reader)
  reader.end()
  const last = octets[octets.length - 1] ?? 0
  // X.690 §11.2.2: a named bit list ends with a one bit.
  const unknown = octets.length > 2 || ((octets[1] ?? 0) & 0x7f) !== 0
  if (unknown || ((last >> unused) & 1) === 0) {
    throw new DerError('keyUsage: no bit set, zeros at the end, or unknown bits', 0)
  }
  let bits = 0
  for (let bit = 0; bit < 9; bit++) {
    if (((octets[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) bits |= 1 << bit
  }
  return bits
}
