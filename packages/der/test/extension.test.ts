import { describe, expect, test } from 'vitest'
import { decodeBasicConstraints, decodeKeyUsage } from '../src/extension.ts'
import { KeyUsage } from '../src/index.ts'
import { hex } from './certificate-bytes.ts'
import { refusal } from './refusal.ts'

describe('basicConstraints', () => {
  test.each([
    ['3000', false, undefined],
    ['3003 0101ff', true, undefined],
    ['3006 0101ff 020100', true, 0],
    ['3006 0101ff 02017f', true, 127],
  ])('reads %s', (bytes, ca, pathLenConstraint) => {
    expect(decodeBasicConstraints(hex(bytes))).toEqual({ ca, pathLenConstraint })
  })

  test.each([
    ['nothing', '', /Cut short/],
    ['the default written out', '3003 010100', /default FALSE/],
    ['the default written out with a length', '3006 010100 020100', /default FALSE/],
    ['true as 01', '3003 010101', /neither 00 nor FF/],
    ['a path length without cA', '3003 020100', /without cA/],
    ['a negative path length', '3006 0101ff 0201ff', /0 to 127/],
    ['the path length -128', '3006 0101ff 020180', /0 to 127/],
    ['a path length of 128', '3007 0101ff 02020080', /0 to 127/],
    ['a path length of 2^32', '300a 0101ff 02050100000000', /0 to 127/],
    ['a path length that is not minimal', '3007 0101ff 02020001', /not minimal/],
    ['the path length first', '3006 020100 0101ff', /without cA/],
    ['something behind the path length', '3008 0101ff 020100 0500', /Trailing/],
    ['something behind the SEQUENCE', '3003 0101ff 00', /Trailing/],
    ['another type in it', '3005 0101ff 0500', /Tag 2 expected/],
    ['a SET', '3100', /Tag 48 expected/],
  ])('refuses %s', (_, bytes, message) => {
    expect(refusal(() => decodeBasicConstraints(hex(bytes)))).toMatch(message)
  })
})

describe('keyUsage', () => {
  test.each([
    ['03020780', KeyUsage.digitalSignature],
    ['030206c0', KeyUsage.digitalSignature | KeyUsage.nonRepudiation],
    ['03020204', KeyUsage.keyCertSign],
    ['03020186', KeyUsage.digitalSignature | KeyUsage.keyCertSign | KeyUsage.cRLSign],
    ['03020001', 1 << 7],
    ['0303070080', 1 << 8],
    ['0303070680', KeyUsage.keyCertSign | KeyUsage.cRLSign | (1 << 8)],
    ['030307ff80', 0x1ff],
  ])('reads %s', (bytes, bits) => {
    expect(decodeKeyUsage(hex(bytes))).toBe(bits)
  })

  test.each([
    ['no bit', '030100', /no bit set/],
    ['an octet of zeros', '03020000', /no bit set/],
    ['a zero bit at the end', '03020680', /zeros at the end/],
    ['zero octets at the end', '0303008000', /zeros at the end/],
    ['three octets', '030400800001', /unknown bits/],
    ['an unused bit that is one', '03020781', /Unused bits/],
    ['something behind it', '03020780 00', /Trailing/],
    ['nothing', '', /Cut short/],
    ['an OCTET STRING', '04020780', /Tag 3 expected/],
  ])('refuses %s', (_, bytes, message) => {
    expect(refusal(() => decodeKeyUsage(hex(bytes)))).toMatch(message)
  })

  test('refuses a bit beyond decipherOnly', () => {
    expect(refusal(() => decodeKeyUsage(hex('0303068040')))).toMatch(/unknown bits/)
    expect(refusal(() => decodeKeyUsage(hex('0303008001')))).toMatch(/unknown bits/)
  })
})
