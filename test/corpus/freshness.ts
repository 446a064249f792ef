import { encodeCbor } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { accepted, at, POLICY, refused, withEntry, withRecipe } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

const { nonce: _, ...IMAGE } = POLICY

/** When a document was made. */
export function freshnessCases(shop: Workshop): Draft[] {
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
