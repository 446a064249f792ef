import { describe, expect, test } from 'vitest'
import { ecdsaSignatureToP1363 } from '../src/index.ts'
import { element, hex, SEQUENCE } from './certificate-bytes.ts'
import { refusal } from './refusal.ts'

const FULL = 'ff'.repeat(48)

function convert(...integers: readonly string[]): Uint8Array {
  return ecdsaSignatureToP1363(element(SEQUENCE, ...integers.map((one) => element(2, one))), 48)
}

describe('ecdsaSignatureToP1363', () => {
  test('pads small integers on the left', () => {
    const signature = convert('01', '7f')
    expect(Buffer.from(signature).toString('hex')).toBe(`${'00'.repeat(47)}01${'00'.repeat(47)}7f`)
  })

  test('drops the sign octet', () => {
    expect(convert(`00${FULL}`, '0080')).toEqual(hex(`${FULL}${'00'.repeat(47)}80`))
  })

  test.each([
    ['zero', ['00', '01']],
    ['zero as s', ['01', '00']],
    ['a negative integer', ['ff', '01']],
    ['a negative integer of full width', [`80${FULL.slice(2)}`, '01']],
    ['49 octets', [`01${FULL}`, '01']],
    ['49 octets behind a sign octet', [`00ff${FULL}`, '01']],
  ])('refuses %s', (_, integers) => {
    expect(refusal(() => convert(...integers))).toMatch(/out of range/)
  })

  test.each([
    ['one integer', '3003 020101', /Cut short/],
    ['three integers', '3009 020101 020101 020101', /Trailing/],
    ['an integer that is not minimal', '3007 02020001 020101', /not minimal/],
    ['an empty integer', '3005 0200 020101', /Empty INTEGER/],
    ['bytes behind it', '3006 020101 020101 00', /Trailing/],
    ['a SET', '3106 020101 020101', /Tag 48 expected/],
    ['a length that is not minimal', '308106 020101 020101', /Length not minimal/],
    ['an indefinite length', '3080 020101 020101 0000', /octets of length/],
    ['nothing', '', /Cut short/],
    ['r‖s without DER', FULL + FULL, /several octets/],
  ])('refuses %s', (_, bytes, message) => {
    expect(refusal(() => ecdsaSignatureToP1363(hex(bytes), 48))).toMatch(message)
  })
})
