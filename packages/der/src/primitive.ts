import type { DerElement, DerReader } from './element.ts'
import { DerError } from './error.ts'
import { BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER } from './tag.ts'

/** An INTEGER's contents, which must be the shortest two's complement form (X.690 §8.3.2). */
export function readInteger(reader: DerReader): DerElement {
  const element = reader.read(INTEGER)
  if (element.length === 0) throw new DerError('Empty INTEGER', element.offset)
  const first = element.octet(0)
  const second = element.octet(1)
  if (
    element.length > 1 &&
    ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))
  ) {
    throw new DerError('INTEGER not minimal', element.offset)
  }
  return element
}

/** A BIT STRING's octets and the number of unused bits in the last one, which must be zero bits (X.690 §11.2.1). */
export function readBitString(reader: DerReader): {
  readonly octets: Uint8Array
  readonly unused: number
} {
  const { source, offset } = reader
  const start = reader.pass(BIT_STRING)
  const end = reader.offset
  const unused = source[start] as number
  const last = source[end - 1] as number
  const valid =
    start < end &&
    (unused === 0 || (unused < 8 && end - start > 1 && (last & ((1 << unused) - 1)) === 0))
  if (!valid) throw new DerError('Unused bits', offset)
  return { octets: reader.since(start + 1), unused }
}

/** A BOOLEAN, which in DER is 00 or FF (X.690 §11.1). */
export function readBoolean(reader: DerReader): boolean {
  const { source, offset } = reader
  const start = reader.pass(BOOLEAN)
  const octet = source[start] as number
  if (reader.offset - start !== 1 || (octet !== 0 && octet !== 0xff)) {
    throw new DerError('BOOLEAN neither 00 nor FF', offset)
  }
  return octet === 0xff
}

/**
 * An OBJECT IDENTIFIER in dotted form; every arc minimal (X.690 §8.19.2) and below 2^52. With `checkOnly` it is checked
 * and not written out.
 */
export function readObjectIdentifier(reader: DerReader, checkOnly = false): string {
  const { source, offset } = reader
  let dotted = ''
  let arc = 0
  let open = true
  for (let at = reader.pass(OBJECT_IDENTIFIER); at < reader.offset; at++) {
    const octet = source[at] as number
    if ((arc === 0 && octet === 0x80) || arc >= 2 ** 45) {
      throw new DerError('OBJECT IDENTIFIER not minimal or too large', offset)
    }
    arc = arc * 128 + (octet & 0x7f)
    open = octet >= 0x80
    if (open) continue
    if (!checkOnly) {
      const root = Math.min(Math.floor(arc / 40), 2)
      dotted += dotted === '' ? `${root}.${arc - 40 * root}` : `.${arc}`
    }
    arc = 0
  }
  if (open) throw new DerError('OBJECT IDENTIFIER cut short', offset)
  return dotted
}
