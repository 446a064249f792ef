import { DerReader } from './element.ts'
import { DerError } from './error.ts'
import { readObjectIdentifier } from './primitive.ts'
import { IA5_STRING, PRINTABLE_STRING, SEQUENCE, SET, UTF8_STRING } from './tag.ts'

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const SHORT: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
}

/** Reads a Name (RFC 5280 §4.1.2.4) and checks its form; its bytes are what names are compared by. */
export function readName(reader: DerReader): { readonly bytes: Uint8Array } {
  const { offset } = reader
  walkName(reader)
  return { bytes: reader.since(offset) }
}

/**
 * A Name for people, most specific first as in RFC 4514, from the DER that `decodeCertificate` gives. Characters that
 * could forge a line of output or an attribute are escaped.
 *
 * @throws {DerError} when the bytes are no Name.
 */
export function describeName(name: Uint8Array): string {
  const reader = new DerReader(name)
  const attributes: string[] = []
  walkName(reader, (type, value) => {
    attributes.unshift(`${SHORT[type] ?? type}=${escape(UTF8.decode(value))}`)
  })
  reader.end()
  return attributes.join(',')
}

/** Visits each attribute in the order of the bytes; its value is a string type of the right characters. */
function walkName(reader: DerReader, visit?: (type: string, value: Uint8Array) => void): void {
  const { source } = reader
  reader.open(SEQUENCE)
  while (!reader.atEnd) {
    reader.open(SET)
    let previous = -1
    do {
      const { offset } = reader
      reader.open(SEQUENCE)
      const type = readObjectIdentifier(reader, visit === undefined)
      const at = reader.offset
      const start = reader.pass()
      if (!isText(source, source[at] as number, start, reader.offset)) {
        throw new DerError('Name: empty, or no UTF8String, PrintableString or IA5String', at)
      }
      visit?.(type, reader.since(start))
      reader.close()
      if (previous >= 0 && !ascends(source, previous, offset, reader.offset)) {
        throw new DerError('SET OF not in order', offset)
      }
      previous = offset
    } while (!reader.atEnd)
    reader.close()
  }
  reader.close()
}

function isText(source: Uint8Array, tag: number, start: number, end: number): boolean {
  const printable = tag === PRINTABLE_STRING
  let ascii = start < end
  for (let index = start; index < end; index++) {
    const octet = source[index] as number
    if (printable && !isPrintable(octet)) return false
    if (octet >= 0x80) ascii = false
  }
  if (ascii) return printable || tag === UTF8_STRING || tag === IA5_STRING
  if (tag !== UTF8_STRING || start === end) return false
  try {
    UTF8.decode(source.subarray(start, end))
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

/** X.690 §11.6: the elements of a SET OF ascend. One starts at `start`, the next at `middle`. */
function ascends(source: Uint8Array, start: number, middle: number, end: number): boolean {
  for (let index = 0; start + index < middle && middle + index < end; index++) {
    const difference = (source[middle + index] as number) - (source[start + index] as number)
    if (difference !== 0) return difference > 0
  }
  return end - middle > middle - start
}

function escape(value: string): string {
  return value.replace(/[,+"\\<>;=]|[^ -~]/gu, (character) =>
    character >= ' ' && character <= '~'
      ? `\\${character}`
      : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}
