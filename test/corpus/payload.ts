import { encodeCbor, entry, type PayloadEntry } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { ascii, concat, hex } from './der.ts'
import { accepted, NOW, refused, same, valueOf, withEntry, withoutEntry } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

const STRICT = 'RFC 8949 §4.2.1'
const INDEFINITE = 'profile: strings, arrays and inner maps are definite in all real documents'

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
      ...mapRows(),
      ...bombRows(),
    ]),
  ]
}

/** Replaces the value of a key. */
function value(key: string, change: (value: Uint8Array) => Uint8Array): Row[3] {
  return { entries: (all) => withEntry(all, key, change(valueOf(all, key))) }
}

function messageRows(): Row[] {
  const tag = (digits: string): Row[3] => ({ message: (message) => concat(hex(digits), message) })
  return [
    [
      'message/trailing-byte',
      'nothing follows the message',
      STRICT,
      { message: (message) => concat(message, hex('00')) },
    ],
    [
      'message/twice',
      'nothing follows the message',
      STRICT,
      { message: (message) => concat(message, message) },
    ],
    [
      'message/cut-short',
      'the message is whole',
      'RFC 8949 §5.3.1',
      { message: (message) => message.subarray(0, -1) },
    ],
    [
      'message/indefinite-array',
      'the array has a definite length',
      INDEFINITE,
      { message: (message) => concat(hex('9f'), message.subarray(1), hex('ff')) },
    ],
    [
      'message/array-length-not-shortest',
      'lengths are in their shortest form',
      STRICT,
      { message: (message) => concat(hex('9804'), message.subarray(1)) },
    ],
    [
      'message/tag-18-twice',
      'at most one tag 18',
      'RFC 9052 §4.2',
      { message: (message) => concat(hex('d2d2'), message) },
    ],
    ['message/tag-17', 'no other tag than 18: 17 is COSE_Mac0', 'RFC 9052 §2', tag('d1')],
    ['message/tag-98', 'no other tag than 18: 98 is COSE_Sign', 'RFC 9052 §2', tag('d862')],
    ['message/tag-61', 'no other tag than 18: 61 is a CWT', 'RFC 8392 §6', tag('d83d')],
    [
      'message/tag-55799',
      'no other tag than 18: 55799 says that this is CBOR',
      'RFC 8949 §3.4.6',
      tag('d9d9f7'),
    ],
    ['message/tag-18-not-shortest', 'tags are in their shortest form', STRICT, tag('d812')],
    [
      'message/protected-chunked',
      'strings are in one piece',
      INDEFINITE,
      { cose: { protectedItem: hex('5f44a1013822ff') } },
    ],
    [
      'message/protected-length-not-shortest',
      'lengths are in their shortest form',
      STRICT,
      { cose: { protectedItem: hex('5804a1013822') } },
    ],
    [
      'message/unprotected-indefinite',
      'maps have a definite length, the payload excepted',
      INDEFINITE,
      { cose: { unprotected: hex('bfff') } },
    ],
    [
      'message/unprotected-length-not-shortest',
      'lengths are in their shortest form',
      STRICT,
      { cose: { unprotected: hex('b800') } },
    ],
    [
      'message/unprotected-bytes-label',
      'a header label is an integer or text',
      'RFC 9052 §1.5',
      { cose: { unprotected: hex('a1410000') } },
    ],
    [
      'message/unprotected-label-twice',
      'a map has no key twice',
      'RFC 9052 §3',
      { cose: { unprotected: hex('a2044100044100') } },
    ],
    [
      'message/payload-huge-length',
      'a length is believed while the bytes could hold it',
      'RFC 8949 §5.3.1',
      { cose: { payloadItem: hex('5b7fffffffffffffff00') } },
    ],
    [
      'message/signature-chunked',
      'strings are in one piece',
      INDEFINITE,
      {
        message: (message) =>
          concat(message.subarray(0, -98), hex('5f'), message.subarray(-98), hex('ff')),
      },
    ],
    [
      'message/signature-length-not-shortest',
      'lengths are in their shortest form',
      STRICT,
      {
        message: (message) =>
          concat(message.subarray(0, -98), hex('590060'), message.subarray(-96)),
      },
    ],
    [
      'message/payload-chunked',
      'strings are in one piece',
      INDEFINITE,
      { message: (message) => around(message, (payload) => concat(hex('5f'), payload, hex('ff'))) },
    ],
    [
      'message/payload-length-not-shortest',
      'lengths are in their shortest form',
      STRICT,
      {
        message: (message) =>
          around(message, (payload) => concat(hex('5a0000'), payload.subarray(1))),
      },
    ],
    [
      'payload/empty',
      'the payload is one item',
      'RFC 8949 §5.3.1',
      { payload: () => new Uint8Array() },
    ],
    [
      'payload/trailing-byte',
      'nothing follows the map',
      STRICT,
      { payload: (payload) => concat(payload, hex('00')) },
    ],
    [
      'payload/cut-short',
      'the map is whole',
      'RFC 8949 §5.3.1',
      { payload: (payload) => payload.subarray(0, -1) },
    ],
    [
      'payload/tag-24',
      'no tags: 24 is CBOR in CBOR',
      'AWS, attestation process §3.2.2.1',
      { payload: (payload) => concat(hex('d818'), encodeCbor(payload)) },
    ],
    [
      'payload/tag-55799',
      'no tags: 55799 says that this is CBOR',
      'AWS, attestation process §3.2.2.1',
      { payload: (payload) => concat(hex('d9d9f7'), payload) },
    ],
  ]
}

/** Changes the payload's item in a message: `84 44…a1013822 a0` and then `59 LLLL …`. */
function around(message: Uint8Array, change: (item: Uint8Array) => Uint8Array): Uint8Array {
  const head = message.subarray(0, 7)
  return concat(head, change(message.subarray(7, -98)), message.subarray(-98))
}

function chunkRows(): Row[] {
  const chunked = (start: string, item: Uint8Array): Uint8Array =>
    concat(hex(start), item, hex('ff'))
  const bytes = (item: Uint8Array): Uint8Array => chunked('5f', item)
  const text = (item: Uint8Array): Uint8Array => chunked('7f', item)
  const row = (
    key: string,
    change: (value: Uint8Array) => Uint8Array,
    changes: Row[3] = {},
  ): Row => [
    `payload/${key.replace('_', '-')}-chunked`,
    `${key} is a string in one piece`,
    INDEFINITE,
    { ...changes, ...value(key, change) },
  ]
  const given = { fields: { publicKey: ascii('key'), userData: ascii('data') } }
  return [
    row('module_id', text),
    row('digest', text),
    row('certificate', bytes),
    row('public_key', bytes, given),
    row('user_data', bytes, given),
    row('nonce', bytes),
    [
      'payload/user-data-chunked-empty',
      'a string of no pieces is still indefinite',
      INDEFINITE,
      value('user_data', () => hex('5fff')),
    ],
    [
      'payload/key-chunked',
      'a key is a string in one piece',
      INDEFINITE,
      {
        entries: (all) =>
          all.map((pair) =>
            same(pair[0], encodeCbor('digest')) ? [text(pair[0]), pair[1]] : pair,
          ),
      },
    ],
    [
      'payload/pcr-chunked',
      'a PCR is a string in one piece',
      INDEFINITE,
      value('pcrs', (map) =>
        concat(map.subarray(0, 2), bytes(map.subarray(2, 52)), map.subarray(52)),
      ),
    ],
    [
      'payload/cabundle-chunked',
      'a certificate of the bundle is a string in one piece',
      INDEFINITE,
      value('cabundle', (array) => concat(hex('84'), firstItem(array, bytes))),
    ],
    [
      'payload/cabundle-indefinite',
      'arrays have a definite length',
      INDEFINITE,
      value('cabundle', (array) => concat(hex('9f'), array.subarray(1), hex('ff'))),
    ],
    [
      'payload/pcrs-indefinite',
      'maps inside of the payload have a definite length',
      INDEFINITE,
      value('pcrs', (map) => concat(hex('bf'), map.subarray(1), hex('ff'))),
    ],
  ]
}

/** The array's items with the first of them (59 LLLL …) changed. */
function firstItem(array: Uint8Array, change: (item: Uint8Array) => Uint8Array): Uint8Array {
  const length = 256 * (array[2] as number) + (array[3] as number)
  return concat(change(array.subarray(1, 4 + length)), array.subarray(4 + length))
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
      value('module_id', (item) => concat(hex('7900'), item.subarray(1))),
    ],
    [
      'payload/nonce-length-not-shortest',
      shortest,
      STRICT,
      value('nonce', (item) => concat(hex('5900'), item.subarray(1))),
    ],
    [
      'payload/certificate-length-not-shortest',
      shortest,
      STRICT,
      value('certificate', (item) => concat(hex('5a0000'), item.subarray(1))),
    ],
    [
      'payload/cabundle-count-not-shortest',
      shortest,
      STRICT,
      value('cabundle', (item) => concat(hex('9804'), item.subarray(1))),
    ],
    [
      'payload/pcrs-count-not-shortest',
      shortest,
      STRICT,
      value('pcrs', (item) => concat(hex('b810'), item.subarray(1))),
    ],
    [
      'payload/pcr-index-not-shortest',
      shortest,
      STRICT,
      value('pcrs', (item) => concat(hex('b01800'), item.subarray(2))),
    ],
    [
      'payload/pcr-length-not-shortest',
      shortest,
      STRICT,
      value('pcrs', (item) => concat(item.subarray(0, 2), hex('590030'), item.subarray(4))),
    ],
    [
      'payload/reserved-length',
      'additional information 28 to 30 is reserved',
      'RFC 8949 §3',
      value('user_data', () => hex('5c')),
    ],
    [
      'payload/timestamp-float',
      'timestamp is an integer',
      'AWS, attestation process §3.2.2.2',
      value('timestamp', () => concat(hex('fb'), float(NOW.getTime()))),
    ],
    [
      'payload/timestamp-bignum',
      'timestamp is an integer, not a tagged one',
      'AWS, attestation process §3.2.2.2',
      value('timestamp', () => hex(`c248${NOW.getTime().toString(16).padStart(16, '0')}`)),
    ],
    [
      'payload/timestamp-tag-1',
      'timestamp is an integer, not a tagged one',
      'AWS, attestation process §3.2.2.2',
      value('timestamp', (item) => concat(hex('c1'), item)),
    ],
    [
      'payload/module-id-not-utf-8',
      'text is UTF-8',
      'RFC 8949 §3.1',
      value('module_id', () => hex('62c328')),
    ],
    [
      'payload/module-id-surrogate',
      'text is UTF-8, which has no surrogates',
      'RFC 8949 §3.1',
      value('module_id', () => hex('63eda080')),
    ],
    [
      'payload/tagged-pcrs',
      'no tags',
      'AWS, attestation process §3.2.2.1',
      value('pcrs', (item) => concat(hex('d90100'), item)),
    ],
    [
      'payload/tagged-certificate',
      'no tags',
      'AWS, attestation process §3.2.2.1',
      value('certificate', (item) => concat(hex('d818'), item)),
    ],
  ]
}

function mapRows(): Row[] {
  const twice = 'RFC 8949 §5.6'
  const keys = [
    'module_id',
    'digest',
    'timestamp',
    'pcrs',
    'certificate',
    'cabundle',
    'public_key',
    'user_data',
    'nonce',
  ]
  const repeated = (first: boolean): Row[] =>
    keys.map((key) => [
      `payload/${key.replace('_', '-')}-twice${first ? '-null-first' : ''}`,
      `a map has no key twice; ${first ? 'the last one' : 'the first one'} would be right`,
      twice,
      {
        entries: (all) => {
          const other: PayloadEntry = entry(key, encodeCbor(null))
          return first ? [other, ...all] : [...all, other]
        },
      },
    ])
  return [
    ...repeated(false),
    ...repeated(true),
    [
      'payload/nonce-twice-the-same',
      'a map has no key twice, not with the same value either',
      twice,
      { entries: (all) => [...all, entry('nonce', valueOf(all, 'nonce'))] },
    ],
    [
      'payload/definite-nonce-twice',
      'a map has no key twice, of definite length either',
      twice,
      { definite: true, entries: (all) => [...all, entry('nonce', encodeCbor(null))] },
    ],
    [
      'payload/pcr-twice',
      'a map has no key twice, an inner one either',
      twice,
      value('pcrs', (map) => concat(hex('b1'), map.subarray(1), map.subarray(1, 52))),
    ],
    [
      'payload/pcr-twice-other-value',
      'a map has no key twice: PCR0 is wrong the second time',
      twice,
      value('pcrs', (map) =>
        concat(hex('b1'), map.subarray(1), hex('005830'), new Uint8Array(48).fill(66)),
      ),
    ],
    [
      'payload/unknown-twice-inside',
      'a map has no key twice, one that nobody reads either',
      twice,
      value('user_data', () => hex('a2010101 02')),
    ],
    [
      'payload/odd-map',
      'a key has a value',
      'RFC 8949 §5.3.1',
      { payload: (payload) => concat(payload.subarray(0, -1), hex('6161ff')) },
    ],
    [
      'payload/break-for-a-value',
      'a break ends a map, it is no value',
      'RFC 8949 §3.2.1',
      { entries: (all) => [...withoutEntry(all, 'user_data'), entry('user_data', hex('ff'))] },
    ],
    [
      'payload/definite-count-too-large',
      'a map has as many pairs as it says',
      'RFC 8949 §5.3.1',
      { definite: true, payload: (payload) => concat(hex('aa'), payload.subarray(1)) },
    ],
    [
      'payload/definite-count-too-small',
      'nothing follows the map',
      STRICT,
      { definite: true, payload: (payload) => concat(hex('a8'), payload.subarray(1)) },
    ],
    [
      'payload/definite-with-break',
      'nothing follows the map',
      STRICT,
      { definite: true, payload: (payload) => concat(payload, hex('ff')) },
    ],
    [
      'payload/bytes-key',
      'a key is text',
      'AWS, attestation process §3.2.2.1',
      { entries: (all) => [...all, [encodeCbor(ascii('x')), encodeCbor(null)]] },
    ],
    [
      'payload/null-key',
      'a key is text',
      'AWS, attestation process §3.2.2.1',
      { entries: (all) => [...all, [encodeCbor(null), encodeCbor(null)]] },
    ],
    [
      'payload/pcr-key-bytes',
      'an index is an integer',
      'AWS, attestation process §3.2.2.2',
      value('pcrs', (map) => concat(hex('b1'), map.subarray(1), hex('4110'), map.subarray(2, 52))),
    ],
    [
      'payload/pcr-key-true',
      'an index is an integer',
      'AWS, attestation process §3.2.2.2',
      value('pcrs', (map) => concat(hex('b1'), map.subarray(1), hex('f5'), map.subarray(2, 52))),
    ],
    [
      'payload/pcr-key-float',
      'an index is an integer: 0.0 is none',
      'AWS, attestation process §3.2.2.2',
      value('pcrs', (map) =>
        concat(hex('b1'), map.subarray(1), hex('f90000'), map.subarray(2, 52)),
      ),
    ],
    [
      'payload/shared-reference-to-nothing',
      'no tags',
      'AWS, attestation process §3.2.2.1',
      value('user_data', () => hex('d81d00')),
    ],
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
      value('user_data', () => nested('81', 11_000, '00')),
    ],
    [
      'bomb/maps',
      'depth is bounded: 5,500 maps in maps',
      bounded,
      value('user_data', () => nested('a100', 5_500, '00')),
    ],
    [
      'bomb/tags',
      'depth is bounded: 11,000 tags',
      bounded,
      value('user_data', () => nested('c6', 11_000, '00')),
    ],
    [
      'bomb/indefinite-arrays',
      'depth is bounded: 11,000 arrays that never end',
      bounded,
      value('user_data', () => nested('9f', 11_000, '')),
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
      value('pcrs', (map) => concat(hex('b1'), map.subarray(1), hex('108101'))),
    ],
    [
      'bomb/cabundle-array',
      'nothing nests deeper than cabundle: a certificate here is an array of one',
      bounded,
      value('cabundle', (array) => concat(hex('85'), array.subarray(1), hex('81410 0'))),
    ],
    [
      'bomb/array-of-4-g',
      'a count is believed while the bytes could hold it',
      bounded,
      value('cabundle', () => hex('9affffffff')),
    ],
    [
      'bomb/array-of-2-64',
      'a count is believed while the bytes could hold it',
      bounded,
      value('cabundle', () => hex('9bffffffffffffffff')),
    ],
    [
      'bomb/map-of-4-g',
      'a count is believed while the bytes could hold it',
      bounded,
      value('pcrs', () => hex('baffffffff')),
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
      value('nonce', () => hex('5b7fffffffffffffff')),
    ],
    [
      'bomb/text-of-4-g',
      'a length is believed while the bytes could hold it',
      bounded,
      value('module_id', () => hex('7affffffff')),
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
