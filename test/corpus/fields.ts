import type { AttestationErrorCode } from '@enclavejs/attestation'
import { encodeCbor, type CborWritable } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { ascii, concat, hex } from './der.ts'
import { accepted, NONCE, NOW, refused, withEntry, withoutEntry, withRecipe } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

const AWS = 'AWS, attestation process §3.2.2'

export function set(key: string, item: Uint8Array): Row[3] {
  return { entries: (all) => withEntry(all, key, item) }
}

function without(key: string): Row[3] {
  return { entries: (all) => withoutEntry(all, key) }
}

function added(key: CborWritable, value: CborWritable): Row[3] {
  return { entries: (all) => [...all, [encodeCbor(key), encodeCbor(value)]] }
}

/** The nine fields: those that every document has, and no others. */
export function presenceCases(shop: Workshop): Draft[] {
  const mandatory = ['module_id', 'digest', 'timestamp', 'pcrs', 'certificate', 'cabundle']
  const unknown = 'the fields are the nine of the specification'
  return [
    ...refused(shop, 'ERR_ATTESTATION_FIELD_ABSENT', [
      ...mandatory.map((key): Row => [
        `field/${key.replace('_', '-')}-absent`,
        `${key} is present`,
        `${AWS}.1`,
        without(key),
      ]),
      ['field/no-fields', 'the fields are present', `${AWS}.1`, { payload: () => hex('a0') }],
      [
        'field/no-fields-indefinite',
        'the fields are present',
        `${AWS}.1`,
        { payload: () => hex('bfff') },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_FIELD_UNKNOWN', [
      ['field/unknown', unknown, `${AWS}.1`, added('extra', null)],
      ['field/unknown-integer', unknown, `${AWS}.1`, added(1, null)],
      [
        'field/unknown-case',
        'field names know upper and lower case',
        `${AWS}.1`,
        added('PCRS', null),
      ],
      ['field/unknown-empty', unknown, `${AWS}.1`, added('', null)],
      [
        'field/unknown-proto',
        'a name that JavaScript objects answer to is a name like others',
        `${AWS}.1`,
        added('__proto__', new Map([['nonce', NONCE]])),
      ],
      [
        'field/unknown-constructor',
        'a name that JavaScript objects answer to is a name like others',
        `${AWS}.1`,
        added('constructor', null),
      ],
      ['field/unknown-nul', 'a name does not end at a NUL', `${AWS}.1`, added('nonce\0', NONCE)],
    ]),
  ]
}

/** What the mandatory fields may be. */
export function typeCases(shop: Workshop): Draft[] {
  const rows = (
    code: AttestationErrorCode,
    key: string,
    rule: string,
    items: Readonly<Record<string, Uint8Array>>,
  ): Draft[] =>
    refused(
      shop,
      code,
      Object.entries(items).map(([name, item]) => [
        `field/${key.replace('_', '-')}-${name}`,
        rule,
        `${AWS}.2`,
        set(key, item),
      ]),
    )
  return [
    ...rows('ERR_ATTESTATION_MODULE_ID', 'module_id', 'module_id is a non-empty text', {
      empty: encodeCbor(''),
      null: encodeCbor(null),
      bytes: encodeCbor(ascii('i-0123456789abcdef0-enc0123456789abcdef')),
      integer: encodeCbor(1),
      array: encodeCbor(['i-0123456789abcdef0-enc0123456789abcdef']),
    }),
    ...rows('ERR_ATTESTATION_DIGEST', 'digest', 'digest is the text SHA384', {
      sha256: encodeCbor('SHA256'),
      sha512: encodeCbor('SHA512'),
      'lower-case': encodeCbor('sha384'),
      empty: encodeCbor(''),
      null: encodeCbor(null),
      bytes: encodeCbor(ascii('SHA384')),
      hyphen: encodeCbor('SHA-384'),
    }),
    ...rows(
      'ERR_ATTESTATION_TIMESTAMP',
      'timestamp',
      'timestamp is milliseconds since 1970, a positive integer',
      {
        zero: encodeCbor(0),
        negative: hex(`3b${eightBytes(NOW.getTime() - 1)}`),
        'minus-1': encodeCbor(-1),
        null: encodeCbor(null),
        text: encodeCbor(NOW.toISOString()),
        bytes: encodeCbor(hex(eightBytes(NOW.getTime()))),
        true: encodeCbor(true),
        'beyond-dates': hex('1b001eb208c2dc0001'),
        'beyond-2-53': hex('1b0020000000000001'),
        'beyond-2-63': hex('1bffffffffffffffff'),
      },
    ),
    ...rows('ERR_ATTESTATION_CERTIFICATE_SIZE', 'certificate', 'certificate is 1 to 1024 bytes', {
      empty: encodeCbor(new Uint8Array()),
      null: encodeCbor(null),
      text: encodeCbor('certificate'),
      array: encodeCbor([shop.path.leaf.certificate]),
    }),
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_SIZE', [
      [
        'field/certificate-1025',
        'certificate is at most 1024 bytes; this one is good',
        `${AWS}.1`,
        { path: padded(shop, 'leaf', 1025) },
      ],
    ]),
    ...accepted(shop, [
      [
        'field/certificate-1024',
        'certificate may have 1024 bytes',
        `${AWS}.1`,
        { path: padded(shop, 'leaf', 1024) },
      ],
      [
        'field/cabundle-certificate-1024',
        'a certificate of the bundle may have 1024 bytes',
        `${AWS}.1`,
        { path: padded(shop, 'zonal', 1024) },
      ],
    ]),
    ...rows('ERR_ATTESTATION_CABUNDLE', 'cabundle', 'cabundle is an array of certificates', {
      null: encodeCbor(null),
      bytes: encodeCbor(shop.path.root.certificate),
      map: encodeCbor(new Map([[0, shop.path.root.certificate]])),
    }),
  ]
}

/** A path in which one certificate has exactly `size` bytes, by an extension that is not critical. */
export function padded(shop: Workshop, level: 'leaf' | 'zonal', size: number): Workshop['path'] {
  let filling = size - shop.path[level].certificate.length - 30
  // A signature's length varies by a few bytes, so the first attempt rarely fits.
  for (let attempt = 0; attempt < 1000; attempt++) {
    const value = concat(
      hex('0482'),
      Uint8Array.of(filling >> 8, filling & 0xff),
      new Uint8Array(filling),
    )
    const path = withRecipe(shop, level, (recipe) => ({
      ...recipe,
      extensions: [...recipe.extensions, { oid: '1.3.6.1.4.1.99999.1', critical: false, value }],
    }))
    const difference = size - path[level].certificate.length
    if (difference === 0) return path
    if (Math.abs(difference) > 1) filling += difference
  }
  throw new Error(`no certificate of ${size} bytes came about`)
}

function eightBytes(value: number): string {
  return value.toString(16).padStart(16, '0')
}
