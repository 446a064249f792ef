import { DerReader, Tag, type DerElement } from './element.ts'
import { DerError } from './error.ts'
import { readObjectIdentifier } from './primitive.ts'

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const PRINTABLE = /^[A-Za-z0-9 '()+,./:=?-]*$/
// eslint-disable-next-line no-control-regex -- IA5String is the seven-bit set, control characters included
const IA5 = /^[\x00-\x7f]*$/

const SHORT: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
}

interface Attribute {
  readonly type: string
  readonly value: string
}

/** Reads a Name (RFC 5280 §4.1.2.4) and checks its form; the element's bytes are what names are compared by. */
export function readName(reader: DerReader, what: string): DerElement {
  const element = reader.read(Tag.SEQUENCE, what)
  attributes(element, what)
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
  const element = reader.read(Tag.SEQUENCE, 'Name')
  reader.end('Name')
  return attributes(element, 'Name')
    .reverse()
    .map(({ type, value }) => `${SHORT[type] ?? type}=${escape(value)}`)
    .join(',')
}

function attributes(element: DerElement, what: string): Attribute[] {
  const found: Attribute[] = []
  const sequence = DerReader.inside(element)
  while (!sequence.atEnd) {
    const set = sequence.enter(Tag.SET, `${what}: RelativeDistinguishedName`)
    let previous: Uint8Array | undefined
    do {
      const attribute = set.read(Tag.SEQUENCE, `${what}: AttributeTypeAndValue`)
      if (previous !== undefined && !ascends(previous, attribute.bytes)) {
        throw new DerError(`${what}: a SET OF that is not in order`, attribute.offset)
      }
      previous = attribute.bytes
      const inner = DerReader.inside(attribute)
      const type = readObjectIdentifier(inner, `${what}: attribute type`)
      found.push({ type, value: text(inner.any(`${what}: attribute value`), what) })
      inner.end(`${what}: AttributeTypeAndValue`)
    } while (!set.atEnd)
  }
  return found
}

function text(element: DerElement, what: string): string {
  const { tag, contents, offset } = element
  if (contents.length === 0) throw new DerError(`${what}: an empty attribute value`, offset)
  try {
    const value = UTF8.decode(contents)
    if (tag === Tag.UTF8_STRING) return value
    if (tag === Tag.PRINTABLE_STRING && PRINTABLE.test(value)) return value
    if (tag === Tag.IA5_STRING && IA5.test(value)) return value
  } catch {
    // Not UTF-8: refused below.
  }
  throw new DerError(
    `${what}: an attribute value that is no UTF8String, PrintableString or IA5String`,
    offset,
  )
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
