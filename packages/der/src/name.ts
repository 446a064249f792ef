import { DerReader, Tag, type DerElement } from './element.ts'
import { DerError } from './error.ts'
import { readObjectIdentifier } from './primitive.ts'

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const SHORT: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
}

/** Reads a Name (RFC 5280 §4.1.2.4) and checks its form; the element's bytes are what names are compared by. */
export function readName(reader: DerReader): DerElement {
  const element = reader.read(Tag.SEQUENCE)
  walkName(element)
  return element
}

/**
 * A Name for people, most specific first as in RFC 4514, from the DER that `decodeCertificate` gives. Characters that
 * could forge a line of output or an attribute are escaped.
 *
 * @throws {DerError} when the bytes are no Name.
 */
export function describeName(name: Uint8Array): string {
  const reader = new DerReader(name)
  const element = reader.read(Tag.SEQUENCE)
  reader.end()
  const attributes: string[] = []
  walkName(element, (type, value) => {
    attributes.unshift(`${SHORT[type] ?? type}=${escape(UTF8.decode(value))}`)
  })
  return attributes.join(',')
}

/** Visits each attribute in the order of the bytes; its value is a string type of the right characters. */
function walkName(element: DerElement, visit?: (type: string, value: Uint8Array) => void): void {
  const { source } = element
  const sets = DerReader.inside(element)
  while (!sets.atEnd) {
    const set = sets.enter(Tag.SET)
    let previous = -1
    do {
      const { offset } = set
      const attribute = set.enter(Tag.SEQUENCE)
      if (
        previous >= 0 &&
        !ascends(source.subarray(previous, offset), source.subarray(offset, set.offset))
      ) {
        throw new DerError('SET OF not in order', offset)
      }
      previous = offset
      const type = readObjectIdentifier(attribute, visit === undefined)
      const value = attribute.any()
      if (value.length === 0 || !isText(value)) {
        throw new DerError(
          'Name: empty, or no UTF8String, PrintableString or IA5String',
          value.offset,
        )
      }
      attribute.end()
      visit?.(type, value.contents)
    } while (!set.atEnd)
  }
}

function isText(value: DerElement): boolean {
  const { tag, length } = value
  const printable = tag === Tag.PRINTABLE_STRING
  let ascii = true
  for (let index = 0; index < length; index++) {
    const octet = value.octet(index)
    if (printable && !isPrintable(octet)) return false
    if (octet >= 0x80) ascii = false
  }
  if (ascii) return printable || tag === Tag.UTF8_STRING || tag === Tag.IA5_STRING
  if (tag !== Tag.UTF8_STRING) return false
  try {
    UTF8.decode(value.contents)
    return true
  } catch {
    return false
  }
}

/** X.680 §41.4: A–Z a–z 0–9 space ' ( ) + , - . / : = ? */
function isPrintable(octet: number): boolean {
  const letter = (octet | 0x20) >= 0x61 && (octet | 0x20) <= 0x7a
  if (letter) return true
  // From 0x27 to 0x3a all but the asterisk: ' ( ) + , - . / 0–9 :
  if (octet >= 0x27 && octet <= 0x3a) return octet !== 0x2a
  return octet === 0x20 || octet === 0x3d || octet === 0x3f
}

/** X.690 §11.6: the elements of a SET OF ascend. */
function ascends(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < a.length; index++) {
    const difference = (b[index] ?? -1) - (a[index] as number)
    if (difference !== 0) return difference > 0
  }
  return b.length > a.length
}

function escape(value: string): string {
  return value.replace(/[,+"\\<>;=]|[^ -~]/gu, (character) =>
    character >= ' ' && character <= '~'
      ? `\\${character}`
      : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}
