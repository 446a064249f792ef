import { encodeCbor } from '@enclavejs/simulator/forge'
import { mapRows } from './cbor-map.ts'
import { chunkRows, messageRows } from './cbor-string.ts'
import type { Draft } from './corpus.ts'
import { ascii, concat, hex } from './der.ts'
import { accepted, NOW, refused, same, withValue, type Row, type Workshop } from './workshop.ts'

const STRICT = 'RFC 8949 §4.2.1'

/** Documents that are not strict CBOR, each in one place. */
export function cborCases(shop: Workshop): Draft[] {
  return [
    ...accepted(shop, [
      [
        'payload/indefinite-map',
        'the payload map has indefinite length, bf … ff, since August 2025',
        'real documents',
        {},
      ],
      [
        'payload/definite-map',
        'the payload map has definite length, a9, before August 2025',
        'real documents',
        { definite: true },
      ],
      [
        'payload/other-key-order',
        'a map has no order',
        'RFC 8949 §5.6',
        { entries: (all) => all.toReversed() },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_CBOR', [
      ...messageRows(),
      ...chunkRows(),
      ...lengthRows(),
      ...mapRows(shop),
      ...bombRows(),
    ]),
  ]
}

function bombRows(): Row[] {
  const bounded = 'RFC 8949 §10'
  const nested = (opening: string, depth: number, end: string): Uint8Array =>
    hex(opening.repeat(depth) + end)
  return [
    [
      'bomb/arrays',
      'depth is bounded: 11,000 arrays in arrays',
      bounded,
      withValue('user_data', () => nested('81', 11_000, '00')),
    ],
    [
      'bomb/maps',
      'depth is bounded: 5,500 maps in maps',
      bounded,
      withValue('user_data', () => nested('a100', 5_500, '00')),
    ],
    [
      'bomb/tags',
      'depth is bounded: 11,000 tags',
      bounded,
      withValue('user_data', () => nested('c6', 11_000, '00')),
    ],
    [
      'bomb/indefinite-arrays',
      'depth is bounded: 11,000 arrays that never end',
      bounded,
      withValue('user_data', () => nested('9f', 11_000, '')),
    ],
    [
      'bomb/message-arrays',
      'depth is bounded: the message is 16,000 arrays',
      bounded,
      { message: () => nested('81', 16_000, '00') },
    ],
    [
      'bomb/message-tags',
      'depth is bounded: the message is 16,000 tags 18',
      bounded,
      { message: () => nested('d2', 16_000, '80') },
    ],
    [
      'bomb/pcr-array',
      'nothing nests deeper than pcrs: a PCR here is an array of numbers',
      bounded,
      withValue('pcrs', (map) => concat(hex('b1'), map.subarray(1), hex('108101'))),
    ],
    [
      'bomb/cabundle-array',
      'nothing nests deeper than cabundle: a certificate here is an array of one',
      bounded,
      withValue('cabundle', (array) => concat(hex('85'), array.subarray(1), hex('81410 0'))),
    ],
    [
      'bomb/array-of-4-g',
      'a count is believed while the bytes could hold it',
      bounded,
      withValue('cabundle', () => hex('9affffffff')),
    ],
    [
      'bomb/array-of-2-64',
      'a count is believed while the bytes could hold it',
      bounded,
      withValue('cabundle', () => hex('9bffffffffffffffff')),
    ],
    [
      'bomb/map-of-4-g',
      'a count is believed while the bytes could hold it',
      bounded,
      withValue('pcrs', () => hex('baffffffff')),
    ],
    [
      'bomb/payload-map-of-4-g',
      'a count is believed while the bytes could hold it',
      bounded,
      { payload: (payload) => concat(hex('baffffffff'), payload.subarray(1)) },
    ],
    [
      'bomb/bytes-of-2-63',
      'a length is believed while the bytes could hold it',
      bounded,
      withValue('nonce', () => hex('5b7fffffffffffffff')),
    ],
    [
      'bomb/text-of-4-g',
      'a length is believed while the bytes could hold it',
      bounded,
      withValue('module_id', () => hex('7affffffff')),
    ],
    [
      'bomb/message-array-of-4-g',
      'a count is believed while the bytes could hold it',
      bounded,
      { message: (message) => concat(hex('9affffffff'), message.subarray(1)) },
    ],
  ]
}

function float(number: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, number)
  return bytes
}

function lengthRows(): Row[] {
  const shortest = 'integers and lengths are in their shortest form'
  return [
    [
      'payload/map-length-not-shortest',
      shortest,
      STRICT,
      { definite: true, payload: (payload) => concat(hex('b809'), payload.subarray(1)) },
    ],
    [
      'payload/key-length-not-shortest',
      shortest,
      STRICT,
      {
        entries: (all) =>
          all.map((pair) =>
            same(pair[0], encodeCbor('nonce'))
              ? [concat(hex('7805'), ascii('nonce')), pair[1]]
              : pair,
          ),
      },
    ],
    [
      'payload/module-id-length-not-shortest',
      shortest,
      STRICT,
      withValue('module_id', (item) => concat(hex('7900'), item.subarray(1))),
    ],
    [
      'payload/nonce-length-not-shortest',
      shortest,
      STRICT,
      withValue('nonce', (item) => concat(hex('5900'), item.subarray(1))),
    ],
    [
      'payload/certificate-length-not-shortest',
      shortest,
      STRICT,
      withValue('certificate', (item) => concat(hex('5a0000'), item.subarray(1))),
    ],
    [
      'payload/cabundle-count-not-shortest',
      shortest,
      STRICT,
      withValue('cabundle', (item) => concat(hex('9804'), item.subarray(1))),
    ],
    [
      'payload/pcrs-count-not-shortest',
      shortest,
      STRICT,
      withValue('pcrs', (item) => concat(hex('b810'), item.subarray(1))),
    ],
    [
      'payload/pcr-index-not-shortest',
      shortest,
      STRICT,
      withValue('pcrs', (item) => concat(hex('b01800'), item.subarray(2))),
    ],
    [
      'payload/pcr-length-not-shortest',
      shortest,
      STRICT,
      withValue('pcrs', (item) => concat(item.subarray(0, 2), hex('590030'), item.subarray(4))),
    ],
    [
      'payload/reserved-length',
      'additional information 28 to 30 is reserved',
      'RFC 8949 §3',
      withValue('user_data', () => hex('5c')),
    ],
    [
      'payload/timestamp-float',
      'timestamp is an integer',
      'AWS, attestation process §3.2.2.2',
      withValue('timestamp', () => concat(hex('fb'), float(NOW.getTime()))),
    ],
    [
      'payload/timestamp-bignum',
      'timestamp is an integer, not a tagged one',
      'AWS, attestation process §3.2.2.2',
      withValue('timestamp', () => hex(`c248${NOW.getTime().toString(16).padStart(16, '0')}`)),
    ],
    [
      'payload/timestamp-tag-1',
      'timestamp is an integer, not a tagged one',
      'AWS, attestation process §3.2.2.2',
      withValue('timestamp', (item) => concat(hex('c1'), item)),
    ],
    [
      'payload/module-id-not-utf-8',
      'text is UTF-8',
      'RFC 8949 §3.1',
      withValue('module_id', () => hex('62c328')),
    ],
    [
      'payload/module-id-surrogate',
      'text is UTF-8, which has no surrogates',
      'RFC 8949 §3.1',
      withValue('module_id', () => hex('63eda080')),
    ],
    [
      'payload/tagged-pcrs',
      'no tags inside of the payload',
      'AWS, attestation process §3.2.2.1',
      withValue('pcrs', (item) => concat(hex('d90100'), item)),
    ],
    [
      'payload/tagged-certificate',
      'no tags inside of the payload',
      'AWS, attestation process §3.2.2.1',
      withValue('certificate', (item) => concat(hex('d818'), item)),
    ],
  ]
}
