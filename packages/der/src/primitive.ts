import { Tag, type DerElement, type DerReader } from './element.ts'
import { DerError } from './error.ts'

/** An INTEGER's contents, which must be the shortest two's complement form (X.690 §8.3.2). */
export function readInteger(reader: DerReader): DerElement {
  const element = reader.read(Tag.INTEGER)
  const [first, second] = element.contents
  if (first === undefined) throw new DerError('Empty INTEGER', element.offset)
  if (
    second !== undefined &&
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
  const { contents, offset } = reader.read(Tag.BIT_STRING)
  const unused = contents[0]
  const last = contents[contents.length - 1] ?? 0
  const valid =
    unused !== undefined &&
    (unused === 0 || (unused < 8 && contents.length > 1 && (last & ((1 << unused) - 1)) === 0))
  if (!valid) throw new DerError('Unused bits', offset)
  return { octets: contents.subarray(1), unused }
}

/** A BOOLEAN, which in DER is 00 or FF (X.690 §11.1). */
export function readBoolean(reader: DerReader): boolean {
  const { contents, offset } = reader.read(Tag.BOOLEAN)
  if (contents.length !== 1 || (contents[0] !== 0 && contents[0] !== 0xff)) {
    throw new DerError('BOOLEAN neither 00 nor FF', offset)
  }
  return contents[0] === 0xff
}

/** An OBJECT IDENTIFIER in dotted form; every arc minimal (X.690 §8.19.2) and below 2^52. */
export function readObjectIdentifier(reader: DerReader): string {
  const element = reader.read(Tag.OBJECT_IDENTIFIER)
  let dotted = ''
  let arc = 0
  let open = false
  for (let index = 0; index < element.length; index++) {
    const octet = element.octet(index)
    if ((!open && octet === 0x80) || arc >= 2 ** 45) {
      throw new DerError('OBJECT IDENTIFIER not minimal or too large', element.offset)
    }
    arc = arc * 128 + (octet & 0x7f)
    open = octet >= 0x80
    if (open) continue
    if (dotted === '') {
      const root = Math.min(Math.floor(arc / 40), 2)
      dotted = `${root}.${arc - 40 * root}`
    } else dotted += `.${arc}`
    arc = 0
  }
  if (open || dotted === '') {
    throw new DerError('OBJECT IDENTIFIER cut short', element.offset)
  }
  return dotted
}
