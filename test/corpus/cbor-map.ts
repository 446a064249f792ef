import { encodeCbor, entry, type CborWritable } from '@enclavejs/simulator/forge'
import { ascii, concat, hex } from './der.ts'
import { NOW, pcr, valueOf, withoutEntry, withValue } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

const STRICT = 'RFC 8949 §4.2.1'

export function mapRows({ fields }: Workshop): Row[] {
  const twice = 'RFC 8949 §5.6'
  const whole = ['digest', 'certificate', 'cabundle', 'nonce']
  const other: Readonly<Record<string, CborWritable>> = {
    module_id: 'i-0123456789abcdef0-enc0123456789abcdef',
    timestamp: BigInt(NOW.getTime() - 1),
    pcrs: new Map([...fields.pcrs, [5, pcr(99)]]),
    public_key: ascii('key'),
    user_data: ascii('data'),
  }
  const repeated = Object.entries(other).flatMap(([key, item]): Row[] => {
    const name = `payload/${key.replace('_', '-')}-twice`
    const pair = entry(key, encodeCbor(item))
    const rule = 'a map has no key twice: both values would do, and they differ'
    return [
      [`${name}-other-last`, rule, twice, { entries: (all) => [...all, pair] }],
      [`${name}-other-first`, rule, twice, { entries: (all) => [pair, ...all] }],
    ]
  })
  return [
    ...repeated,
    ...whole.map((key): Row => [
      `payload/${key}-twice`,
      'a map has no key twice, not with the same value either',
      twice,
      { entries: (all) => [...all, entry(key, valueOf(all, key))] },
    ]),

    [
      'payload/definite-nonce-twice',
      'a map has no key twice, of definite length either',
      twice,
      {
        definite: true,
        entries: (all) => [...all, entry('nonce', encodeCbor(fields.nonce ?? null))],
      },
    ],
    [
      'payload/pcr-twice',
      'a map has no key twice, an inner one either',
      twice,
      withValue('pcrs', (map) => concat(hex('b1'), map.subarray(1), map.subarray(1, 52))),
    ],
    [
      'payload/pcr-twice-other-value',
      'a map has no key twice, an inner one either: both values would do',
      twice,
      withValue('pcrs', (map) => concat(hex('b1'), map.subarray(1), hex('055830'), pcr(66))),
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
      withValue('pcrs', (map) =>
        concat(hex('b1'), map.subarray(1), hex('4110'), map.subarray(2, 52)),
      ),
    ],
    [
      'payload/pcr-key-true',
      'an index is an integer',
      'AWS, attestation process §3.2.2.2',
      withValue('pcrs', (map) =>
        concat(hex('b1'), map.subarray(1), hex('f5'), map.subarray(2, 52)),
      ),
    ],
    [
      'payload/pcr-key-float',
      'an index is an integer: 0.0 is none',
      'AWS, attestation process §3.2.2.2',
      withValue('pcrs', (map) =>
        concat(hex('b1'), map.subarray(1), hex('f90000'), map.subarray(2, 52)),
      ),
    ],
    [
      'payload/shared-reference-to-nothing',
      'no tags inside of the payload',
      'AWS, attestation process §3.2.2.1',
      withValue('user_data', () => hex('d81d00')),
    ],
  ]
}
