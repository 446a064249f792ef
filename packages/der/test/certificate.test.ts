import { describe, expect, test } from 'vitest'
import { decodeCertificate } from '../src/index.ts'
import {
  ascii,
  BASIC_CONSTRAINTS_CA,
  certificateOf,
  ECDSA_SHA384,
  element,
  extensionsOf,
  hex,
  KEY_USAGE_CA,
  NAME,
  P384,
  SEQUENCE,
  type Parts,
} from './certificate-bytes.ts'
import { refusal } from './refusal.ts'

const RSA_SHA256 = hex('300d06092a864886f70d01010b0500')
const UNKNOWN = hex('300c 06022a03 0101ff 0403 010203')

function validity(notBefore: string, notAfter: string): Uint8Array {
  return element(
    SEQUENCE,
    element(0x17, ascii(notBefore)),
    element(notAfter.length > 13 ? 0x18 : 0x17, ascii(notAfter)),
  )
}

test('reads every part', () => {
  const bytes = certificateOf({
    extensions: extensionsOf(
      ...[BASIC_CONSTRAINTS_CA, KEY_USAGE_CA, UNKNOWN],
      hex('3007 06022a04 040104'),
    ),
    validity: validity('240101000000Z', '20500101000000Z'),
  })
  const certificate = decodeCertificate(bytes)
  expect(certificate.bytes).toBe(bytes)
  expect(certificate.tbsCertificate[0]).toBe(SEQUENCE)
  expect(certificate.tbsCertificate.byteOffset).toBe(bytes.byteOffset + 4)
  expect(certificate.serialNumber).toEqual(hex('1234'))
  expect(certificate.signatureAlgorithm).toEqual(ECDSA_SHA384)
  expect(certificate.issuer).toEqual(NAME)
  expect(certificate.subject).toEqual(NAME)
  expect(new Date(certificate.notBefore).toISOString()).toBe('2024-01-01T00:00:00.000Z')
  expect(new Date(certificate.notAfter).toISOString()).toBe('2050-01-01T00:00:00.000Z')
  expect(certificate.publicKeyAlgorithm).toEqual(P384)
  expect(certificate.publicKey.length).toBe(97)
  expect(certificate.subjectPublicKeyInfo.length).toBe(120)
  expect(certificate.basicConstraints).toEqual({ ca: true, pathLenConstraint: undefined })
  expect(certificate.keyUsage).toBe((1 << 5) | (1 << 6))
  expect(certificate.signature).toEqual(hex('3006020101020101'))
  expect(certificate.extensions).toEqual([
    { oid: '2.5.29.19', critical: true, value: hex('30030101ff') },
    { oid: '2.5.29.15', critical: true, value: hex('03020106') },
    { oid: '1.2.3', critical: true, value: hex('010203') },
    { oid: '1.2.4', critical: false, value: hex('04') },
  ])
})

describe('accepts', () => {
  test.each<[string, Partial<Parts>]>([
    ['no extensions', { extensions: null }],
    ['a serial number of 20 octets', { serialNumber: element(2, '7f'.repeat(20)) }],
    ['20 octets behind a sign octet', { serialNumber: element(2, '00', 'ff'.repeat(20)) }],
    ['another algorithm', { innerAlgorithm: RSA_SHA256, outerAlgorithm: RSA_SHA256 }],
    ['an empty subject', { subject: element(SEQUENCE) }],
    ['an extension that is not critical', { extensions: extensionsOf(hex('300706022a03040100')) }],
    ['an extension with an empty value', { extensions: extensionsOf(hex('300606022a030400')) }],
  ])('%s', (_, change) => {
    expect(refusal(() => decodeCertificate(certificateOf(change)))).toBe('accepted')
  })

  test('absent extensions as undefined', () => {
    const { basicConstraints, keyUsage, extensions } = decodeCertificate(
      certificateOf({ extensions: null }),
    )
    expect([basicConstraints, keyUsage, extensions]).toEqual([undefined, undefined, []])
  })
})

describe('refuses, by one change', () => {
  test.each<[string, Partial<Parts>, RegExp]>([
    ['no version, which is v1', { version: null }, /Tag 160 expected/],
    ['v1 written out', { version: hex('a003020100') }, /not v3/],
    ['v2', { version: hex('a003020101') }, /not v3/],
    ['v4', { version: hex('a003020103') }, /not v3/],
    ['a version of two octets', { version: hex('a00402020100') }, /not v3/],
    ['something behind the version', { version: hex('a0050201020500') }, /Trailing/],
    ['no serial number', { serialNumber: null }, /Tag 2 expected/],
    ['serial number 0', { serialNumber: hex('020100') }, /serialNumber/],
    ['a negative serial number', { serialNumber: hex('0201ff') }, /serialNumber/],
    ['the serial number -128', { serialNumber: hex('020180') }, /serialNumber/],
    ['a serial number of 21 octets', { serialNumber: element(2, '7f'.repeat(21)) }, /serialNumber/],
    [
      '21 octets, a sign octet',
      { serialNumber: element(2, '00', 'ff'.repeat(21)) },
      /serialNumber/,
    ],
    ['a serial number that is not minimal', { serialNumber: hex('02020001') }, /not minimal/],
    ['two algorithms of one length', { innerAlgorithm: hex('300a06082a8648ce3d040302') }, /differ/],
    ['two algorithms', { innerAlgorithm: RSA_SHA256 }, /differ/],
    [
      'two algorithms that differ in their parameters alone',
      { outerAlgorithm: hex('300c06082a8648ce3d0403030500') },
      /differ/,
    ],
    [
      'an algorithm that is no identifier',
      { innerAlgorithm: hex('3002 0500'), outerAlgorithm: hex('3002 0500') },
      /Tag 6 expected/,
    ],
    [
      'an algorithm with two parameters',
      { innerAlgorithm: hex('300706012a05000500'), outerAlgorithm: hex('300706012a05000500') },
      /Trailing/,
    ],
    [
      'a key algorithm that is no identifier',
      { subjectPublicKeyInfo: element(SEQUENCE, '30020500', element(3, '0004')) },
      /Tag 6 expected/,
    ],
    [
      'a key algorithm whose parameters are cut short',
      { subjectPublicKeyInfo: element(SEQUENCE, '300506012a0603', element(3, '0004')) },
      /3 bytes expected, 0 left/,
    ],
    [
      'a key algorithm with two parameters',
      { subjectPublicKeyInfo: element(SEQUENCE, '300706012a05000500', element(3, '0004')) },
      /Trailing/,
    ],
    ['no issuer', { issuer: null }, /Tag 49 expected/],
    ['an empty issuer', { issuer: element(SEQUENCE) }, /issuer is empty/],
    ['an issuer that is no name', { issuer: hex('3002 0500') }, /Tag 49 expected/],
    ['a subject that is no name', { subject: hex('3002 0500') }, /Tag 49 expected/],
    [
      'one time',
      { validity: element(SEQUENCE, element(0x17, ascii('240101000000Z'))) },
      /Cut short/,
    ],
    [
      'three times',
      {
        validity: element(
          SEQUENCE,
          ...Array<Uint8Array>(3).fill(element(0x17, ascii('240101000000Z'))),
        ),
      },
      /Trailing/,
    ],
    [
      'a date that does not exist',
      { validity: validity('240230000000Z', '250101000000Z') },
      /date/,
    ],
    [
      'GeneralizedTime before 2050',
      { validity: validity('240101000000Z', '20491231235959Z') },
      /before 2050/,
    ],
    ['no key', { subjectPublicKeyInfo: null }, /Tag 48 expected/],
    [
      'a key of broken bits',
      { subjectPublicKeyInfo: element(SEQUENCE, P384, element(3, '0480')) },
      /Unused bits/,
    ],
    [
      'something behind the key',
      { subjectPublicKeyInfo: element(SEQUENCE, P384, element(3, '0004'), '0500') },
      /Trailing/,
    ],
    ['an issuer unique identifier', { identifiers: hex('810200ff') }, /Tag 163 expected/],
    ['a subject unique identifier', { identifiers: hex('820200ff') }, /Tag 163 expected/],
    ['an empty list of extensions', { extensions: hex('a3023000') }, /Cut short/],
    ['an empty wrapper of extensions', { extensions: hex('a300') }, /Cut short/],
    [
      'two lists of extensions',
      { extensions: element(0xa3, element(SEQUENCE, UNKNOWN), element(SEQUENCE, UNKNOWN)) },
      /Trailing/,
    ],
    [
      'an extension twice',
      { extensions: extensionsOf(UNKNOWN, BASIC_CONSTRAINTS_CA, UNKNOWN) },
      /1\.2\.3 twice/,
    ],
    [
      'critical FALSE written out',
      { extensions: extensionsOf(hex('300a 06022a03 010100 040100')) },
      /default FALSE/,
    ],
    [
      'critical as 01',
      { extensions: extensionsOf(hex('300a 06022a03 010101 040100')) },
      /neither 00 nor FF/,
    ],
    [
      'an extension without a value',
      { extensions: extensionsOf(hex('3004 06022a03')) },
      /Cut short/,
    ],
    [
      'an extension whose value is no OCTET STRING',
      { extensions: extensionsOf(hex('3007 06022a03 030100')) },
      /Tag 4 expected/,
    ],
    [
      'something behind the value of an extension',
      { extensions: extensionsOf(hex('3009 06022a03 040100 0500')) },
      /Trailing/,
    ],
    [
      'broken basicConstraints',
      { extensions: extensionsOf(hex('300c 0603551d13 0405 3003010100')) },
      /default FALSE/,
    ],
    [
      'broken keyUsage',
      { extensions: extensionsOf(hex('300a 0603551d0f 0403 030100')) },
      /no bit set/,
    ],
    ['something behind the extensions', { tbsEnd: hex('0500') }, /Trailing/],
    ['no outer algorithm', { outerAlgorithm: null }, /Tag 48 expected/],
    ['no signature', { signature: null }, /Cut short/],
    ['a signature of broken bits', { signature: hex('03020480') }, /Unused bits/],
    ['something behind the signature', { end: hex('0500') }, /Trailing/],
  ])('%s', (_, change, message) => {
    expect(refusal(() => decodeCertificate(certificateOf(change)))).toMatch(message)
    expect(refusal(() => decodeCertificate(certificateOf()))).toBe('accepted')
  })

  test('something behind the certificate', () => {
    const bytes = certificateOf()
    expect(refusal(() => decodeCertificate(Uint8Array.of(...bytes, 0)))).toMatch(/Trailing/)
  })

  test('every true prefix', () => {
    const bytes = certificateOf()
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(() => decodeCertificate(bytes.subarray(0, length)))).not.toBe('accepted')
    }
  })

  test('every length octet in a longer form', () => {
    // The outermost SEQUENCE: 30 82 xx xx becomes 30 83 00 xx xx.
    const bytes = certificateOf()
    expect([...bytes.subarray(0, 2)]).toEqual([0x30, 0x82])
    const longer = Uint8Array.of(0x30, 0x83, 0, ...bytes.subarray(2))
    expect(refusal(() => decodeCertificate(longer))).toMatch(/not minimal/)
    const indefinite = Uint8Array.of(0x30, 0x80, ...bytes.subarray(4), 0, 0)
    expect(refusal(() => decodeCertificate(indefinite))).toMatch(/octets of length/)
  })
})
