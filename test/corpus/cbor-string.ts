import { encodeCbor } from '@enclavejs/simulator/forge'
import { ascii, concat, hex } from './der.ts'
import { same, withValue, type Row } from './workshop.ts'

const STRICT = 'RFC 8949 §4.2.1'
const INDEFINITE = 'profile: strings, arrays and inner maps are definite in all real documents'

export function messageRows(): Row[] {
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
      'no tags inside of the payload: 24 is CBOR in CBOR',
      'AWS, attestation process §3.2.2.1',
      { payload: (payload) => concat(hex('d818'), encodeCbor(payload)) },
    ],
    [
      'payload/tag-55799',
      'no tags inside of the payload: 55799 says that this is CBOR',
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

export function chunkRows(): Row[] {
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
    { ...changes, ...withValue(key, change) },
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
      withValue('user_data', () => hex('5fff')),
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
      withValue('pcrs', (map) =>
        concat(map.subarray(0, 2), bytes(map.subarray(2, 52)), map.subarray(52)),
      ),
    ],
    [
      'payload/cabundle-chunked',
      'a certificate of the bundle is a string in one piece',
      INDEFINITE,
      withValue('cabundle', (array) => concat(hex('84'), firstItem(array, bytes))),
    ],
    [
      'payload/cabundle-indefinite',
      'arrays have a definite length',
      INDEFINITE,
      withValue('cabundle', (array) => concat(hex('9f'), array.subarray(1), hex('ff'))),
    ],
    [
      'payload/pcrs-indefinite',
      'maps inside of the payload have a definite length',
      INDEFINITE,
      withValue('pcrs', (map) => concat(hex('bf'), map.subarray(1), hex('ff'))),
    ],
  ]
}

/** The array's items with the first of them (59 LLLL …) changed. */
function firstItem(array: Uint8Array, change: (item: Uint8Array) => Uint8Array): Uint8Array {
  const length = 256 * (array[2] as number) + (array[3] as number)
  return concat(change(array.subarray(1, 4 + length)), array.subarray(4 + length))
}
