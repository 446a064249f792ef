import { describe, expect, test } from 'vitest'
import { DerReader } from '../src/index.ts'
import { readBitString, readBoolean, readInteger, readObjectIdentifier } from '../src/primitive.ts'
import { hex } from './certificate-bytes.ts'
import { refusal } from './refusal.ts'

const reader = (bytes: string): DerReader => new DerReader(hex(bytes))

describe('readInteger', () => {
  test.each(['020100', '02017f', '020180', '02020080', '0202ff7f', '0203010000'])(
    'accepts %s',
    (bytes) => {
      expect(readInteger(reader(bytes)).contents).toEqual(hex(bytes.slice(4)))
    },
  )
  test.each([
    ['an empty one', '0200', /Empty INTEGER/],
    ['a needless leading zero', '0202007f', /not minimal/],
    ['zero in two octets', '02020000', /not minimal/],
    ['a needless leading FF', '0202ff80', /not minimal/],
    ['an ENUMERATED', '0a0101', /Tag 2 expected, 10 seen/],
  ])('refuses %s', (_, bytes, message) => {
    expect(refusal(() => readInteger(reader(bytes)))).toMatch(message)
  })
})

describe('readBitString', () => {
  test.each([
    ['none', '030100', 0, ''],
    ['whole octets', '030200ff', 0, 'ff'],
    ['seven unused bits', '03020780', 7, '80'],
  ])('accepts %s', (_, bytes, unused, octets) => {
    const value = readBitString(reader(bytes))
    expect(value.unused).toBe(unused)
    expect(value.octets).toEqual(hex(octets))
  })
  test.each([
    ['one without the count of unused bits', '0300'],
    ['eight unused bits', '03020800'],
    ['unused bits of no octet', '030101'],
    ['an unused bit that is one', '03020101'],
    ['seven unused bits, one of them set', '030207c0'],
  ])('refuses %s', (_, bytes) => {
    expect(refusal(() => readBitString(reader(bytes)))).toMatch(/Unused bits/)
  })
  test('refuses the constructed form', () => {
    expect(refusal(() => readBitString(reader('2304030200ff')))).toMatch(/Tag 3 expected, 35 seen/)
  })
})

describe('readBoolean', () => {
  test('accepts 00 and FF', () => {
    expect([readBoolean(reader('010100')), readBoolean(reader('0101ff'))]).toEqual([false, true])
  })
  test.each(['0100', '010101', '0101fe', '0102ffff', '01020000'])('refuses %s', (bytes) => {
    expect(refusal(() => readBoolean(reader(bytes)))).toMatch(/neither 00 nor FF/)
  })
})

describe('readObjectIdentifier', () => {
  test.each([
    ['0603550403', '2.5.4.3'],
    ['06082a8648ce3d040303', '1.2.840.10045.4.3.3'],
    ['06052b81040022', '1.3.132.0.34'],
    ['060100', '0.0'],
    ['060127', '0.39'],
    ['060128', '1.0'],
    ['06014f', '1.39'],
    ['060150', '2.0'],
    ['06028837', '2.999'],
  ])('reads %s', (bytes, dotted) => {
    expect(readObjectIdentifier(reader(bytes))).toBe(dotted)
  })
  test.each([
    ['an empty one', '0600', /cut short/],
    ['one that ends inside an arc', '06022a86', /cut short/],
    ['an arc with a needless 80', '06032a8001', /not minimal/],
    ['a first arc with a needless 80', '06028001', /not minimal/],
    ['an arc of 64 bits', '060b2affffffffffffffffff7f', /too large/],
    ['a relative one', '0d0101', /Tag 6 expected/],
  ])('refuses %s', (_, bytes, message) => {
    expect(refusal(() => readObjectIdentifier(reader(bytes)))).toMatch(message)
  })

  test('the largest arc that it takes is exact', () => {
    // 2^45 - 1 and seven more bits: 52 bits, all exact in a double.
    expect(readObjectIdentifier(reader('06092a87ffffffffffff7f'))).toBe(`1.2.${2 ** 52 - 1}`)
    expect(refusal(() => readObjectIdentifier(reader('06092a88808080808000')))).not.toBe('accepted')
  })
})
