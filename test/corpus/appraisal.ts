import { encodeCbor } from '@enclavejs/simulator/forge'
import type { CorpusPolicy, Draft } from './corpus.ts'
import { ascii, hex } from './der.ts'
import {
  accepted,
  at,
  NONCE,
  pcr,
  POLICY,
  refused,
  toHex,
  withEntry,
  withoutEntry,
} from './workshop.ts'
import { withRecipe, type Row, type Workshop } from './workshop.ts'

/** Authentic documents of the good path that are not wanted: stale, of another image, in debug mode, for another exchange. */
export function appraisalCases(shop: Workshop): Draft[] {
  return [...freshnessCases(shop), ...debugCases(shop), ...pcrCases(shop), ...expectedCases(shop)]
}

const { nonce: _, ...IMAGE } = POLICY

function freshnessCases(shop: Workshop): Draft[] {
  const validity = 'the document was made while its certificate was valid'
  const source = 'profile: timestamp; AWS, attestation process §3.2.2.2'
  const made = (seconds: number, milliseconds = 0): Row[3] => ({
    fields: { timestamp: at(seconds).getTime() + milliseconds },
  })
  /** The leaf is valid from `from` to `to`. */
  const leaf = (from: number, to: number, seconds: number): Row[3] => ({
    path: withRecipe(shop, 'leaf', (one) => ({ ...one, notBefore: at(from), notAfter: at(to) })),
    ...made(seconds),
  })
  const aged = { policy: { ...IMAGE, maxAge: 60 } }
  const strict = { policy: { ...POLICY, clockTolerance: 0 } }
  return [
    ...refused(shop, 'ERR_ATTESTATION_TIMESTAMP_FUTURE', [
      ['timestamp/future', 'a document is not made in the future', source, made(3600)],
      ['timestamp/11-s-ahead', 'the clock is tolerated to be 10 s behind', source, made(11)],
      [
        'timestamp/1-ms-ahead-without-tolerance',
        'without tolerance a millisecond is too much',
        source,
        made(0, 1),
        strict,
      ],
      ['timestamp/future-with-max-age', 'the age is bounded on both sides', source, made(30), aged],
      [
        'timestamp/far-future',
        'a document is not made in the future',
        source,
        { fields: { timestamp: 8.64e15 } },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_TIMESTAMP_VALIDITY', [
      [
        'timestamp/before-leaf',
        `${validity}: it begins 14 s later, and the tolerance is 10 s`,
        source,
        made(-14),
      ],
      ['timestamp/long-before-leaf', validity, source, made(-86_400)],
      [
        'timestamp/in-1970',
        validity,
        source,
        { entries: (all) => withEntry(all, 'timestamp', encodeCbor(1)) },
      ],
      ['timestamp/after-leaf', `${validity}: it ended 3 s before`, source, leaf(-3, 2, 5)],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_TOO_OLD', [
      [
        'timestamp/too-old',
        'the document is at most 60 s old',
        'RFC 9334 §10',
        leaf(-3600, 3600, -61),
        aged,
      ],
      [
        'timestamp/too-old-in-spite-of-tolerance',
        'tolerance does not stretch the age',
        'RFC 9334 §10',
        leaf(-3600, 3600, -61),
        { policy: { ...IMAGE, maxAge: 60, clockTolerance: 300 } },
      ],
      [
        'timestamp/too-old-with-nonce',
        'a nonce does not lift the age',
        'RFC 9334 §10',
        leaf(-3600, 3600, -61),
        { policy: { ...POLICY, maxAge: 60 } },
      ],
      [
        'timestamp/replayed-within-the-leaf',
        'the life of the certificate is not the age of the document',
        'RFC 9334 §10',
        leaf(-9000, 1800, -8520),
        aged,
      ],
    ]),
    ...accepted(shop, [
      ['timestamp/10-s-ahead', 'the clock is tolerated to be 10 s behind', source, made(10)],
      [
        'timestamp/300-s-ahead',
        'and up to 300 s where that is said',
        source,
        made(300),
        { policy: { ...POLICY, clockTolerance: 300 } },
      ],
      [
        'timestamp/60-s-old',
        'the document is at most 60 s old',
        'RFC 9334 §10',
        leaf(-3600, 3600, -60),
        aged,
      ],
      [
        'timestamp/13-s-before-now',
        'the leaf begins 3 s before it is issued, and 10 s are tolerated',
        source,
        made(-13),
      ],
      [
        'timestamp/replay-with-nonce',
        'a leaf is used again for hours: a nonce makes the document fresh',
        'RFC 9334 §10.2',
        leaf(-9000, 1800, -8520),
      ],
    ]),
  ]
}

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

function debugCases(shop: Workshop): Draft[] {
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
      ],
      [
        'debug/debug-mode-any-image',
        'accepting any image accepts no debug mode',
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

function pcrCases(shop: Workshop): Draft[] {
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

function expectedCases(shop: Workshop): Draft[] {
  const key = ascii('the public key')
  const data = ascii('the user data')
  const policy: CorpusPolicy = { ...POLICY, publicKey: toHex(key), userData: toHex(data) }
  const fields = { publicKey: key, userData: data }
  const changed = (more: Partial<Workshop['fields']>): Row[3] => ({
    fields: { ...fields, ...more },
  })
  const rows = (
    name: string,
    field: 'nonce' | 'publicKey' | 'userData',
    good: Uint8Array,
  ): Row[] => {
    const rule = `${name.replace('-', '_')} is the one that is expected`
    const source = 'RFC 9334 §10.2'
    const emptyExpected = { policy: { ...policy, [field]: '' } }
    return [
      [
        `${name}/other`,
        rule,
        source,
        changed({ [field]: good.map((octet) => octet ^ 1) }),
        { policy },
      ],
      [
        `${name}/one-bit`,
        rule,
        source,
        changed({ [field]: good.map((octet, index) => (index === 0 ? octet ^ 0x80 : octet)) }),
        { policy },
      ],
      [`${name}/null`, rule, source, changed({ [field]: null }), { policy }],
      [`${name}/empty`, rule, source, changed({ [field]: new Uint8Array() }), { policy }],
      [
        `${name}/absent`,
        rule,
        source,
        { fields, entries: (all) => withoutEntry(all, name.replace('-', '_')) },
        { policy },
      ],
      [`${name}/prefix`, rule, source, changed({ [field]: good.subarray(0, -1) }), { policy }],
      [
        `${name}/longer`,
        rule,
        source,
        changed({ [field]: new Uint8Array([...good, 0]) }),
        { policy },
      ],
      ...(field === 'nonce'
        ? []
        : [
            [
              `${name}/null-for-empty`,
              'null is not empty',
              source,
              changed({ [field]: null }),
              emptyExpected,
            ] satisfies Row,
          ]),
    ]
  }
  return [
    ...refused(shop, 'ERR_ATTESTATION_NONCE', [
      ...rows('nonce', 'nonce', NONCE),
      [
        'nonce/not-utf-8',
        'a nonce is bytes: both of these decode to the same text',
        'RFC 9334 §10.2',
        changed({ nonce: hex('fffe') }),
        { policy: { ...policy, nonce: 'fefe' } },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_PUBLIC_KEY', rows('public-key', 'publicKey', key)),
    ...refused(shop, 'ERR_ATTESTATION_USER_DATA', rows('user-data', 'userData', data)),
    ...accepted(shop, [
      [
        'expected/all',
        'nonce, public_key and user_data are those that are expected',
        'RFC 9334 §10.2',
        { fields },
        { policy },
      ],
      [
        'expected/empty',
        'an empty value is one that can be expected',
        'real documents',
        { fields: { publicKey: new Uint8Array(), userData: new Uint8Array() } },
        { policy: { ...POLICY, publicKey: '', userData: '' } },
      ],
      [
        'expected/nothing-asked',
        'a value that nobody asks for is not judged',
        'RFC 9334 §8.5',
        { fields },
      ],
    ]),
  ]
}
