import { describe, expect, test } from 'vitest'
import { DerReader, describeName } from '../src/index.ts'
import { readName } from '../src/name.ts'
import { ascii, element, hex, NAME, SEQUENCE } from './certificate-bytes.ts'
import { refusal } from './refusal.ts'

const CN = '0603550403'
const O = '060355040a'

function attribute(oid: string, tag: number, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  return element(SEQUENCE, oid, element(tag, bytes))
}

function nameOf(...attributes: readonly Uint8Array[]): Uint8Array {
  return element(SEQUENCE, ...attributes.map((one) => element(0x31, one)))
}

describe('describeName', () => {
  test.each([
    ['an empty name', nameOf(), ''],
    ['CN=a', NAME, 'CN=a'],
    [
      'most specific first',
      nameOf(attribute(O, 0x0c, 'Amazon'), attribute(CN, 0x0c, 'aws.nitro-enclaves')),
      'CN=aws.nitro-enclaves,O=Amazon',
    ],
    [
      'every short name',
      nameOf(
        ...['060355040a', '060355040b', '0603550408', '0603550407', '0603550406', CN].map((oid) =>
          attribute(oid, 0x13, 'x'),
        ),
      ),
      'CN=x,C=x,L=x,ST=x,OU=x,O=x',
    ],
    ['another attribute by its number', nameOf(attribute('0603550405', 0x13, '7')), '2.5.4.5=7'],
    ['IA5String', nameOf(attribute('0603550405', 0x16, 'a@b')), '2.5.4.5=a@b'],
    [
      'all of PrintableString',
      nameOf(attribute(CN, 0x13, "AZaz09 '()-./:?")),
      "CN=AZaz09 '()-./:?",
    ],
    [
      'PrintableString with comma, plus and equals',
      nameOf(attribute(CN, 0x13, 'a,b+c=d')),
      'CN=a\\,b\\+c\\=d',
    ],
    ['what could end an attribute', nameOf(attribute(CN, 0x0c, 'a"\\<>;')), 'CN=a\\"\\\\\\<\\>\\;'],
    [
      'what could forge a line, or hide',
      nameOf(attribute(CN, 0x0c, 'a\nO=b\u0000\u001b\u202eü😀')),
      'CN=a\\u{a}O\\=b\\u{0}\\u{1b}\\u{202e}\\u{fc}\\u{1f600}',
    ],
    [
      'two attributes in one set, in order',
      element(SEQUENCE, element(0x31, attribute(CN, 0x0c, 'a'), attribute(O, 0x0c, 'b'))),
      'O=b,CN=a',
    ],
  ])('%s', (_, name, text) => {
    expect(describeName(name)).toBe(text)
  })
})

describe('readName', () => {
  test('gives the bytes that names are compared by', () => {
    const reader = new DerReader(hex(`${Buffer.from(NAME).toString('hex')}0500`))
    expect(readName(reader).bytes).toEqual(NAME)
    expect(reader.sees(5)).toBe(true)
  })

  test.each([
    ['a SET in place of the SEQUENCE', element(0x31), /Tag 48 expected, 49 seen/],
    ['a SEQUENCE in place of the SET', element(SEQUENCE, NAME.subarray(4)), /Tag 49 expected/],
    ['an empty SET', element(SEQUENCE, element(0x31)), /Cut short/],
    ['an empty attribute', nameOf(element(SEQUENCE)), /Cut short/],
    ['an attribute without a value', nameOf(element(SEQUENCE, CN)), /Cut short/],
    ['an attribute with two values', nameOf(element(SEQUENCE, CN, '0c0161', '0c0161')), /Trailing/],
    [
      'an attribute whose type is no identifier',
      nameOf(element(SEQUENCE, '0c0161', '0c0161')),
      /Tag 6/,
    ],
    ['an empty value', nameOf(attribute(CN, 0x0c, '')), /empty/],
    ['a TeletexString', nameOf(attribute(CN, 0x14, 'a')), /UTF8String/],
    ['a BMPString', nameOf(attribute(CN, 0x1e, hex('0061'))), /UTF8String/],
    ['a UniversalString', nameOf(attribute(CN, 0x1c, hex('00000061'))), /UTF8String/],
    ['an OCTET STRING', nameOf(attribute(CN, 0x04, 'a')), /UTF8String/],
    ['a UTF8String that is no UTF-8', nameOf(attribute(CN, 0x0c, hex('c0ae'))), /UTF8String/],
    ['an IA5String beyond ASCII', nameOf(attribute(CN, 0x16, hex('61ff'))), /UTF8String/],
    ['an IA5String with 0x80', nameOf(attribute(CN, 0x16, hex('6180'))), /UTF8String/],
    ['a PrintableString beyond ASCII', nameOf(attribute(CN, 0x13, hex('61ff'))), /UTF8String/],
    [
      'a SET OF that descends',
      element(SEQUENCE, element(0x31, attribute(O, 0x0c, 'b'), attribute(CN, 0x0c, 'a'))),
      /not in order/,
    ],
    [
      'a SET OF with an element twice',
      element(SEQUENCE, element(0x31, attribute(CN, 0x0c, 'a'), attribute(CN, 0x0c, 'a'))),
      /not in order/,
    ],
  ])('refuses %s', (_, name, message) => {
    expect(refusal(() => readName(new DerReader(name)))).toMatch(message)
    expect(refusal(() => describeName(name))).toMatch(message)
  })

  test.each([...'*@&_!#$%"<>;[]^`{|}~\\\u0000\u007f'])(
    'refuses %j in a PrintableString',
    (character) => {
      const name = nameOf(attribute(CN, 0x13, ascii(`a${character}`)))
      expect(refusal(() => readName(new DerReader(name)))).toMatch(/PrintableString/)
    },
  )

  test('describeName refuses bytes behind the name', () => {
    expect(refusal(() => describeName(hex('3000 00')))).toMatch(/Trailing/)
  })
})
