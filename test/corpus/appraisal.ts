import type { CorpusPolicy, Draft } from './corpus.ts'
import { accepted, NONCE, pcr, POLICY, refused, toHex } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

function pcrsWith(
  shop: Workshop,
  changes: Readonly<Record<number, Uint8Array | undefined>>,
): Row[3] {
  const pcrs = new Map(shop.fields.pcrs)
  for (const [index, value] of Object.entries(changes)) {
    if (value === undefined) pcrs.delete(Number(index))
    else pcrs.set(Number(index), value)
  }
  return { fields: { pcrs } }
}

/** Enclaves in debug mode. */
export function debugCases(shop: Workshop): Draft[] {
  const zero = pcr(0)
  const source = 'AWS, set-up-attestation: debug mode'
  const any = { policy: { acceptAnyImage: true, nonce: toHex(NONCE) } }
  const debug = { 0: zero, 1: zero, 2: zero, 8: zero }
  const signed = { policy: { ...POLICY, referenceValues: [{ pcrs: { 8: toHex(pcr(9)) } }] } }
  return [
    ...refused(shop, 'ERR_ATTESTATION_DEBUG_MODE', [
      [
        'debug/debug-mode',
        'PCR0, 1 and 2 are zero in debug mode, PCR3 and 4 are not',
        source,
        pcrsWith(shop, debug),
        any,
      ],
      [
        'debug/all-zero',
        'all PCRs are zero',
        source,
        { fields: { pcrs: new Map([...shop.fields.pcrs.keys()].map((index) => [index, zero])) } },
        any,
      ],
      [
        'debug/pcr0-zero',
        'a PCR0 of zero measures no image',
        'profile',
        pcrsWith(shop, { 0: zero }),
        any,
      ],
      [
        'debug/pcr1-zero',
        'a PCR1 of zero measures no kernel',
        'profile',
        pcrsWith(shop, { 1: zero }),
        any,
      ],
      [
        'debug/pcr2-zero',
        'a PCR2 of zero measures no application',
        'profile',
        pcrsWith(shop, { 2: zero }),
        any,
      ],
      [
        'debug/signed-image',
        'PCR8 alone does not tell debug mode',
        source,
        pcrsWith(shop, { 0: zero, 1: zero, 2: zero }),
        signed,
      ],
    ]),
    ...accepted(shop, [
      [
        'debug/allowed',
        'debug mode is accepted where that is said',
        source,
        pcrsWith(shop, debug),
        { policy: { ...any.policy, allowDebugMode: true } },
      ],
      [
        'debug/allowed-with-zero-reference',
        'and zero reference values then say what is expected',
        source,
        pcrsWith(shop, debug),
        {
          policy: {
            ...POLICY,
            allowDebugMode: true,
            referenceValues: [{ pcrs: { 0: toHex(zero), 1: toHex(zero), 2: toHex(zero) } }],
          },
        },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_PCR', [
      [
        'debug/allowed-is-not-any-image',
        'allowing debug mode lifts no reference value',
        source,
        pcrsWith(shop, debug),
        { policy: { ...POLICY, allowDebugMode: true }, pcr: 0 },
      ],
    ]),
  ]
}

/** Documents of other images. */
export function pcrCases(shop: Workshop): Draft[] {
  const source = 'RFC 9334 §8.3'
  const equal = 'each PCR that is named is equal'
  const value = (index: number): string => toHex(pcr(index + 1))
  const pinned = (indices: readonly number[], more: Record<string, string> = {}): CorpusPolicy => ({
    ...POLICY,
    referenceValues: [
      { pcrs: { ...Object.fromEntries(indices.map((index) => [index, value(index)])), ...more } },
    ],
  })
  const other = 'aa'.repeat(48)
  const wide = pinned([0, 1, 2, 3, 4, 8])
  const oneBit = pcr(1)
  oneBit[47] = 0
  const releases: CorpusPolicy = {
    ...POLICY,
    referenceValues: [
      { label: 'old', pcrs: { 0: value(0), 1: value(1), 2: value(2) } },
      { label: 'new', pcrs: { 0: other, 1: other, 2: other } },
    ],
  }
  return [
    ...refused(shop, 'ERR_ATTESTATION_PCR', [
      ...[0, 1, 2, 3, 4, 8].map((index): Row => [
        `pcr/${index}-differs`,
        equal,
        source,
        pcrsWith(shop, { [index]: pcr(99) }),
        { policy: wide, pcr: index },
      ]),
      ['pcr/0-differs-in-one-bit', equal, source, pcrsWith(shop, { 0: oneBit }), { pcr: 0 }],
      [
        'pcr/3-zero',
        'a role that is asked for is there',
        source,
        pcrsWith(shop, { 3: pcr(0) }),
        { policy: wide, pcr: 3 },
      ],
      [
        'pcr/8-zero',
        'a signature that is asked for is there',
        source,
        pcrsWith(shop, { 8: pcr(0) }),
        { policy: pinned([8]), pcr: 8 },
      ],
      [
        'pcr/0-and-1-exchanged',
        'each PCR is compared with its own value',
        source,
        pcrsWith(shop, { 0: pcr(2), 1: pcr(1) }),
        { pcr: 0 },
      ],
      [
        'pcr/two-sets-mixed',
        'PCRs of two sets are never mixed',
        source,
        pcrsWith(shop, { 2: new Uint8Array(48).fill(0xaa) }),
        { policy: releases, pcr: 2 },
      ],
      [
        'pcr/no-set',
        'one set matches in whole',
        source,
        pcrsWith(shop, { 0: pcr(99), 1: pcr(99), 2: pcr(99) }),
        { policy: releases, pcr: 0 },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_PCR_ABSENT', [
      ...[0, 1, 2].map((index): Row => [
        `pcr/${index}-absent`,
        'a PCR that is named is there (CVE-2025-64186)',
        source,
        pcrsWith(shop, { [index]: undefined }),
        { pcr: index },
      ]),
      [
        'pcr/0-absent-any-image',
        'without PCR0 debug mode cannot be told',
        'profile',
        pcrsWith(shop, { 0: undefined }),
        { policy: { acceptAnyImage: true, nonce: toHex(NONCE) }, pcr: 0 },
      ],
      [
        'pcr/8-absent',
        'a PCR that is named is there',
        source,
        pcrsWith(shop, { 8: undefined }),
        { policy: pinned([8]), pcr: 8 },
      ],
      [
        'pcr/16-absent',
        'a PCR that is named is there: this one was not locked',
        source,
        {},
        { policy: pinned([0, 1, 2], { 16: value(16) }), pcr: 16 },
      ],
    ]),
    ...accepted(shop, [
      ['pcr/all-that-are-named', equal, source, {}, { policy: wide }],
      ['pcr/8-alone', 'PCR8 alone names who signed the image', source, {}, { policy: pinned([8]) }],
      [
        'pcr/second-set',
        'one of several sets matches',
        source,
        pcrsWith(shop, {
          0: new Uint8Array(48).fill(0xaa),
          1: new Uint8Array(48).fill(0xaa),
          2: new Uint8Array(48).fill(0xaa),
        }),
        { policy: releases },
      ],
      [
        'pcr/application',
        'a PCR that the application locked',
        source,
        pcrsWith(shop, { 16: pcr(17) }),
        { policy: pinned([0, 1, 2, 16]) },
      ],
      [
        'pcr/any-image',
        'any image where that is said',
        source,
        pcrsWith(shop, { 0: pcr(99) }),
        { policy: { acceptAnyImage: true, nonce: toHex(NONCE) } },
      ],
    ]),
  ]
}
