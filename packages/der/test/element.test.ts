import { describe, expect, test } from 'vitest'
import { DerError, DerReader } from '../src/index.ts'
import { hex } from './certificate-bytes.ts'
import { refusal } from './refusal.ts'

function readAll(bytes: string): string {
  return refusal(() => {
    const reader = new DerReader(hex(bytes))
    while (!reader.atEnd) reader.read()
  })
}

describe('DerReader accepts', () => {
  test.each([
    ['an empty element', '0500', 0],
    ['a length of 127', `0c7f${'61'.repeat(127)}`, 127],
    ['a length of 128', `0c8180${'61'.repeat(128)}`, 128],
    ['a length of 255', `0c81ff${'61'.repeat(255)}`, 255],
    ['a length of 256', `0c820100${'61'.repeat(256)}`, 256],
    ['a length of 65,535', `0c82ffff${'61'.repeat(65_535)}`, 65_535],
    ['a length of 65,536', `0c83010000${'61'.repeat(65_536)}`, 65_536],
  ])('%s', (_, bytes, length) => {
    const reader = new DerReader(hex(bytes))
    const element = reader.read()
    expect(element.length).toBe(length)
    expect(element.contents.length).toBe(length)
    expect(element.bytes).toEqual(hex(bytes))
    expect(reader.atEnd).toBe(true)
    reader.end()
  })

  test('elements one after the other, inside of their parent alone', () => {
    const bytes = hex('ff 3006 020105 020106 ff')
    const outer = new DerReader(bytes, 1, 9)
    expect(outer.sees(0x30)).toBe(true)
    expect(outer.sees(0x02)).toBe(false)
    const inner = outer.enter(0x30)
    expect(outer.atEnd).toBe(true)
    expect(inner.read(0x02).octet(0)).toBe(5)
    const last = inner.read(0x02)
    expect([last.tag, last.offset, last.start, last.end]).toEqual([2, 6, 8, 9])
    expect(last.contents.buffer).toBe(bytes.buffer)
    inner.end()
    expect(inner.sees(0xff)).toBe(false)
  })
})

describe('DerReader refuses', () => {
  test.each([
    ['no bytes where an element is read', '02', /Cut short.*byte 1/],
    ['a length that is cut short', '0482 01', /Cut short/],
    ['contents that are cut short', '0402 01', /2 bytes expected, 1 left.*byte 0/],
    ['an indefinite length', '3080 0000', /0 octets of length/],
    ['a length of four octets', '0484 00000001 00', /4 octets of length/],
    ['a length of 127 octets', '04ff 00', /127 octets of length/],
    ['0 in two octets', '0481 00', /Length not minimal/],
    ['127 in two octets', `04817f${'00'.repeat(127)}`, /Length not minimal/],
    ['255 in three octets', `048200ff${'00'.repeat(255)}`, /Length not minimal/],
    ['65,535 in four octets', `048300ffff${'00'.repeat(65_535)}`, /Length not minimal/],
    ['2^24 - 1 octets announced', '0483ffffff 00', /16777215 bytes expected, 1 left/],
    ['a tag of several octets', '1f01 00', /several octets/],
    ['a constructed tag of several octets', 'bf8101 00', /several octets/],
    ['the second element, not the first', '0500 0401', /byte 2/],
  ])('%s', (_, bytes, message) => {
    expect(readAll(bytes)).toMatch(message)
  })

  test('another tag than the one asked for', () => {
    expect(refusal(() => new DerReader(hex('0400')).read(0x02))).toMatch(/Tag 2 expected, 4 seen/)
    expect(refusal(() => new DerReader(hex('3100')).enter(0x30))).toMatch(/Tag 48 expected/)
  })

  test('bytes after the last element', () => {
    expect(refusal(() => new DerReader(hex('00')).end())).toMatch(/Trailing bytes.*byte 0/)
  })

  test('an inner element that reaches beyond its parent into bytes that are there', () => {
    const inner = new DerReader(hex('3003 0402 01 02')).enter(0x30)
    expect(refusal(() => inner.read())).toMatch(/2 bytes expected, 1 left/)
  })
})

test('a DerError names the byte', () => {
  const error = new DerError('What', 7)
  expect([error.name, error.code, error.offset]).toEqual(['DerError', 'ERR_DER_MALFORMED', 7])
})
