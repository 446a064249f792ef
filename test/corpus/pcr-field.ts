import { encodeCbor } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { concat, hex } from './der.ts'
import { set } from './fields.ts'
import { accepted, pcr, refused, type Row, type Workshop } from './workshop.ts'

const AWS = 'AWS, attestation process §3.2.2'

/** What pcrs may be. */
export function pcrFieldCases(shop: Workshop): Draft[] {
  const all = [...shop.fields.pcrs]
  const given = (pcrs: readonly (readonly [number, Uint8Array])[]): Row[3] => ({
    fields: { pcrs: new Map(pcrs) },
  })
  const range = (count: number): [number, Uint8Array][] =>
    Array.from({ length: count }, (_, index) => [index, pcr(index + 1)])
  const index = 'an index is 0 to 31'
  const value = 'a PCR has the 48 bytes of SHA-384'
  const raw = (items: string): Row[3] =>
    set('pcrs', concat(hex('b1'), encodeCbor(shop.fields.pcrs).subarray(1), hex(items)))
  const other = (item: Uint8Array): Row[3] =>
    set('pcrs', concat(encodeCbor(new Map(all.slice(0, 15))).map(oneMore), hex('0f'), item))
  return [
    ...accepted(shop, [
      ['pcrs/17', 'the application locked one PCR more', `${AWS}.2`, given(range(17))],
      ['pcrs/32', 'all PCRs may be locked', `${AWS}.2`, given(range(32))],
      ['pcrs/only-three', 'PCRs that nobody asks for may be absent', `${AWS}.2`, given(range(3))],
      [
        'pcrs/gap',
        'indices need not follow each other',
        `${AWS}.2`,
        given([...range(3), [31, pcr(32)]]),
      ],
      ['pcrs/other-order', 'a map has no order', 'RFC 8949 §5.6', given(all.toReversed())],
      [
        'pcrs/zero-beside',
        'PCR3 is zero on an instance without a role',
        'AWS, set-up-attestation',
        given(all.map(([at, one]) => [at, at === 3 ? pcr(0) : one])),
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_PCRS', [
      ['pcrs/empty', 'there is at least one PCR', `${AWS}.2`, given([])],
      ['pcrs/33', 'there are at most 32 PCRs', `${AWS}.2`, given(range(33))],
      ['pcrs/null', 'pcrs is a map', `${AWS}.2`, set('pcrs', encodeCbor(null))],
      [
        'pcrs/array',
        'pcrs is a map, not an array of values',
        `${AWS}.2`,
        set('pcrs', encodeCbor([...shop.fields.pcrs.values()])),
      ],
      ['pcrs/bytes', 'pcrs is a map', `${AWS}.2`, set('pcrs', encodeCbor(pcr(1)))],
      ['pcrs/index-32', index, `${AWS}.2`, given([...all, [32, pcr(1)]])],
      [
        'pcrs/index-256',
        'an index is not cut to a byte',
        `${AWS}.2`,
        given([...all.slice(1), [256, pcr(1)], [0, pcr(1)]]),
      ],
      ['pcrs/index-minus-1', index, `${AWS}.2`, raw(`205830${'01'.repeat(48)}`)],
      ['pcrs/index-2-64', index, `${AWS}.2`, raw(`1bffffffffffffffff5830${'01'.repeat(48)}`)],
      [
        'pcrs/index-2-32',
        'an index is not cut to 32 bits',
        `${AWS}.2`,
        raw(`1b00000001000000005830${'01'.repeat(48)}`),
      ],
      [
        'pcrs/index-text',
        'an index is an integer',
        `${AWS}.2`,
        raw(`6231365830${'01'.repeat(48)}`),
      ],
      [
        'pcrs/index-text-0',
        'an index is an integer: "0" is not 0',
        `${AWS}.2`,
        raw(`61305830${'42'.repeat(48)}`),
      ],
      ...[0, 32, 47, 49, 64].map((length): Row => [
        `pcrs/value-of-${length}`,
        value,
        `${AWS}.2`,
        other(encodeCbor(pcr(1, length))),
      ]),
      ['pcrs/value-null', value, `${AWS}.2`, other(encodeCbor(null))],
      ['pcrs/value-text', value, `${AWS}.2`, other(encodeCbor('1'.repeat(48)))],
      ['pcrs/value-array', value, `${AWS}.2`, other(encodeCbor([]))],
    ]),
  ]
}

/** A map's head says one pair more. */
function oneMore(octet: number, index: number): number {
  return index === 0 ? octet + 1 : octet
}
