import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { changePath } from '@enclavejs/simulator/forge'
import { part, recipe, tbs, until, unusedBits } from './certificate-change.ts'
import { contents, hex, indefiniteLength, longLength, rebuild, Tbs, tlv } from './der.ts'
import { PLACE, type Row, type Workshop } from './workshop.ts'

const DER = 'X.690 §10.1'

export function tbsRows(shop: Workshop): Row[] {
  const serial = (digits: string): Row[3] => part(shop, [Tbs.serialNumber], () => hex(digits))
  const version = (digits: string): Row[3] => part(shop, [Tbs.version], () => hex(digits))
  const key = Tbs.subjectPublicKeyInfo
  return [
    [
      'certificate/v1',
      'the version is 3: without a version it is 1',
      'RFC 5280 §4.1.2.1',
      recipe(shop, (one) => ({ ...one, version: 1 })),
    ],
    [
      'certificate/v1-ca',
      'a CA is of version 3',
      'RFC 5280 §6.1.4 (k)',
      recipe(shop, (one) => ({ ...one, version: 1 }), 'zonal'),
      { certificate: PLACE.zonal },
    ],
    ['certificate/v1-written', 'a default is left out', 'X.690 §11.5', version('a003020100')],
    [
      'certificate/v2',
      'the version is 3',
      'RFC 5280 §4.1.2.1',
      recipe(shop, (one) => ({ ...one, version: 2 })),
    ],
    [
      'certificate/v4',
      'the version is 3',
      'RFC 5280 §4.1.2.1',
      recipe(shop, (one) => ({ ...one, version: 4 })),
    ],
    [
      'certificate/version-of-two-octets',
      'INTEGERs are minimal',
      'X.690 §8.3.2',
      version('a00402020002'),
    ],
    [
      'certificate/version-twice',
      'nothing follows inside of an element',
      'RFC 5280 §4.1',
      version('a006020102020102'),
    ],
    [
      'certificate/serial-negative',
      'a serial number is positive',
      'RFC 5280 §4.1.2.2',
      serial('020180'),
    ],
    [
      'certificate/serial-zero',
      'a serial number is positive',
      'RFC 5280 §4.1.2.2',
      serial('020100'),
    ],
    ['certificate/serial-empty', 'an INTEGER has contents', 'X.690 §8.3.1', serial('0200')],
    ['certificate/serial-not-minimal', 'INTEGERs are minimal', 'X.690 §8.3.2', serial('02020001')],
    [
      'certificate/serial-of-21-octets',
      'a serial number has at most 20 octets',
      'RFC 5280 §4.1.2.2',
      serial(`0215${'11'.repeat(21)}`),
    ],
    ['certificate/serial-text', 'a serial number is an INTEGER', 'RFC 5280 §4.1', serial('0c0131')],
    ['certificate/tbs-length-not-minimal', 'lengths are minimal', DER, tbs(shop, longLength)],
    ['certificate/tbs-length-indefinite', 'lengths are definite', DER, tbs(shop, indefiniteLength)],
    [
      'certificate/tbs-trailing-element',
      'nothing follows the extensions',
      'RFC 5280 §4.1',
      tbs(shop, (whole) => rebuild(whole, (parts) => [...parts, hex('0500')])),
    ],
    [
      'certificate/tbs-order',
      'the fields stand in their order',
      'RFC 5280 §4.1',
      tbs(shop, (whole) => rebuild(whole, swap(Tbs.issuer, Tbs.validity))),
    ],
    [
      'certificate/issuer-unique-id',
      'unique identifiers are not used',
      'RFC 5280 §4.1.2.8',
      tbs(shop, (whole) => rebuild(whole, insert(Tbs.extensions, hex('81020001')))),
    ],
    [
      'certificate/subject-unique-id',
      'unique identifiers are not used',
      'RFC 5280 §4.1.2.8',
      tbs(shop, (whole) => rebuild(whole, insert(Tbs.extensions, hex('82020001')))),
    ],
    [
      'certificate/issuer-unique-id-ca',
      'unique identifiers are not used',
      'RFC 5280 §4.1.2.8',
      tbs(shop, (whole) => rebuild(whole, insert(Tbs.extensions, hex('81020001'))), 'zonal'),
      { certificate: PLACE.zonal },
    ],
    [
      'certificate/key-trailing-element',
      'nothing follows the key',
      'RFC 5280 §4.1',
      part(shop, [key], (spki) => rebuild(spki, (parts) => [...parts, hex('0500')])),
    ],
    [
      'certificate/key-unused-bits',
      'a key is a whole number of octets',
      'RFC 5480 §2.2',
      keyWithUnusedBit(shop),
    ],
    [
      'certificate/key-length-not-minimal',
      'lengths are minimal',
      DER,
      part(shop, [key, 1], longLength),
    ],
    [
      'certificate/key-octet-string',
      'a key is a BIT STRING',
      'RFC 5280 §4.1',
      part(shop, [key, 1], (bits) => tlv(0x04, contents(bits))),
    ],
  ]
}

function swap(a: number, b: number): (parts: Uint8Array[]) => Uint8Array[] {
  return (parts) =>
    parts.map((one, index) => parts[index === a ? b : index === b ? a : index] ?? one)
}

function insert(index: number, element: Uint8Array): (parts: Uint8Array[]) => Uint8Array[] {
  return (parts) => parts.toSpliced(index, 0, element)
}

/** As above, with the key. */
function keyWithUnusedBit(shop: Workshop): Row[3] {
  const leaf = until(
    () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
    (key) => (createPublicKey(key).export({ format: 'der', type: 'spki' }).at(-1) ?? 0) % 2 === 0,
  )
  const path = changePath(shop.path, { keys: { leaf } })
  return part({ ...shop, path }, [Tbs.subjectPublicKeyInfo, 1], (bits) => unusedBits(bits, 1))
}
