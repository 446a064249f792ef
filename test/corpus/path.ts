import {
  basicConstraints,
  extensionOids,
  keyUsage,
  levels,
  withExtension,
  withoutExtension,
  type Extension,
  type Level,
} from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { issuedPath } from './issued-path.ts'
import { accepted, at, authorities, PLACE, refused, reissued } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

/** Certification paths of well-formed and rightly signed certificates that do not make a path. */
export function pathCases(shop: Workshop): Draft[] {
  return [...validityCases(shop), ...caCases(shop), ...pathLengthCases(shop)]
}

function validityCases(shop: Workshop): Draft[] {
  const source = 'RFC 5280 §6.1.3 (a) (2); AWS, attestation process §3.2.3.2'
  return levels.flatMap((level) => {
    const blame = { certificate: PLACE[level] }
    // The document was made while its certificate was valid, so that only the certificate's date is wrong.
    const before = { fields: { timestamp: at(-2).getTime() } }
    return [
      ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_EXPIRED', [
        [
          `validity/${level}-expired`,
          `the ${level} certificate has not expired: it did a second ago`,
          source,
          { ...reissued(shop, level, () => ({ notAfter: at(-1) })), ...before },
          blame,
        ],
        [
          `validity/${level}-expired-a-year-ago`,
          `the ${level} certificate has not expired`,
          source,
          {
            ...reissued(shop, level, () => ({
              notBefore: at(-63_072_000),
              notAfter: at(-31_536_000),
            })),
            fields: { timestamp: (level === 'leaf' ? at(-31_536_000) : at(0)).getTime() },
          },
          blame,
        ],
      ]),
      ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID', [
        [
          `validity/${level}-not-yet-valid`,
          `the ${level} certificate is valid already: it will be in 11 s, and the tolerance is 10 s`,
          source,
          {
            ...reissued(shop, level, () => ({ notBefore: at(11) })),
            fields: { timestamp: at(5).getTime() },
          },
          blame,
        ],
      ]),
      ...accepted(shop, [
        [
          `validity/${level}-last-second`,
          'validity includes its last second',
          'RFC 5280 §4.1.2.5',
          reissued(shop, level, () => ({ notAfter: at(0) })),
        ],
        [
          `validity/${level}-clock-behind`,
          'a clock that is 10 s behind is tolerated',
          'profile: clockTolerance',
          reissued(shop, level, () => ({ notBefore: at(10) })),
        ],
      ]),
    ]
  })
}

function caCases(shop: Workshop): Draft[] {
  const source = 'RFC 5280 §6.1.4 (k)'
  const basic = extensionOids.basicConstraints
  return [
    ...authorities.flatMap((level) => {
      const blame = { certificate: PLACE[level] }
      return refused(shop, 'ERR_ATTESTATION_CERTIFICATE_NOT_CA', [
        [
          `ca/${level}-flag-missing`,
          `the ${level} certificate is a CA`,
          source,
          reissued(shop, level, (one) => ({
            extensions: withExtension(one.extensions, basicConstraints({ ca: false })),
          })),
          blame,
        ],
        [
          `ca/${level}-basic-constraints-absent`,
          `the ${level} certificate says that it is a CA`,
          source,
          reissued(shop, level, (one) => ({ extensions: withoutExtension(one.extensions, basic) })),
          blame,
        ],
      ])
    }),
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_NOT_CA', [
      [
        'ca/leaf-used-as-ca',
        'an enclave certificate issues none; all path lengths and usages would allow it',
        source,
        leafAsCa(shop),
        { certificate: 'cabundle[4]' },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_IS_CA', [
      [
        'ca/ca-used-as-leaf',
        'a CA signs no documents: this is an instance certificate',
        'AWS, attestation process §3.2.3.4',
        caAsLeaf(shop),
        { certificate: PLACE.leaf },
      ],
      [
        'ca/leaf-with-ca-flag',
        'the certificate that signs is no CA',
        'AWS, attestation process §3.2.3.4',
        reissued(shop, 'leaf', (one) => ({
          extensions: withExtension(one.extensions, basicConstraints({ ca: true })),
        })),
        { certificate: PLACE.leaf },
      ],
      [
        'ca/leaf-with-path-length',
        'the certificate that signs has no path length',
        'AWS, attestation process §3.2.3.4',
        reissued(shop, 'leaf', (one) => ({
          extensions: withExtension(
            one.extensions,
            basicConstraints({ ca: true, pathLenConstraint: 0 }),
          ),
        })),
        { certificate: PLACE.leaf },
      ],
    ]),
    ...accepted(shop, [
      [
        'ca/leaf-without-basic-constraints',
        'who has no basicConstraints is no CA',
        'RFC 5280 §4.2.1.9',
        reissued(shop, 'leaf', (one) => ({ extensions: withoutExtension(one.extensions, basic) })),
      ],
      [
        'ca/basic-constraints-not-critical',
        'a verifier does not require what RFC 5280 asks of CAs alone',
        'RFC 5280 §6.1.4 (k)',
        reissued(shop, 'zonal', (one) => ({
          extensions: withExtension(
            one.extensions,
            basicConstraints({ ca: true, pathLenConstraint: 1, critical: false }),
          ),
        })),
      ],
    ]),
  ]
}

/** A path without path lengths, so that the enclave certificate's own flag is the only obstacle. */
function leafAsCa(shop: Workshop): Row[3] {
  const usage = keyUsage(['digitalSignature', 'keyCertSign'])
  const extensions = (list: readonly Extension[]): readonly Extension[] =>
    withExtension(list, usage)
  return issuedPath(shop, [{}, {}, {}, { like: 'leaf', extensions }, {}])
}

/** An instance certificate that may sign documents, so that only its being a CA is against it. */
function caAsLeaf(shop: Workshop): Row[3] {
  const usage = keyUsage(['digitalSignature'])
  return issuedPath(shop, [
    {},
    {},
    { like: 'instance', extensions: (list) => withExtension(list, usage) },
  ])
}

function pathLengthCases(shop: Workshop): Draft[] {
  const source = 'RFC 5280 §6.1.4 (m)'
  const limit = (level: Level, pathLenConstraint: number): Row[3] =>
    reissued(shop, level, (one) => ({
      extensions: withExtension(one.extensions, basicConstraints({ ca: true, pathLenConstraint })),
    }))
  const exceeded = 'no more CA certificates follow than pathLenConstraint allows'
  return [
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_PATH_LENGTH', [
      ['path-length/root-2', exceeded, source, limit('root', 2), { certificate: PLACE.root }],
      ['path-length/root-0', exceeded, source, limit('root', 0), { certificate: PLACE.root }],
      [
        'path-length/regional-1',
        exceeded,
        source,
        limit('regional', 1),
        { certificate: PLACE.regional },
      ],
      [
        'path-length/regional-0',
        exceeded,
        source,
        limit('regional', 0),
        { certificate: PLACE.regional },
      ],
      ['path-length/zonal-0', exceeded, source, limit('zonal', 0), { certificate: PLACE.zonal }],
      [
        'path-length/instance-0',
        exceeded,
        source,
        issuedPath(shop, [{}, {}, { pathLenConstraint: 0 }, {}, {}]),
        { certificate: PLACE.instance },
      ],
      [
        'path-length/larger-below',
        'a larger pathLenConstraint below does not lift the one above',
        source,
        issuedPath(shop, [
          { pathLenConstraint: 1 },
          { pathLenConstraint: 5 },
          { pathLenConstraint: 5 },
          {},
        ]),
        { certificate: PLACE.regional },
      ],
      [
        'path-length/self-issued-and-another',
        'of two that follow only the self-issued one does not count',
        'RFC 5280 §4.2.1.9',
        issuedPath(shop, [{ pathLenConstraint: 0 }, { subject: 'issuer' }, {}, {}]),
        { certificate: PLACE.regional },
      ],
    ]),
    ...accepted(shop, [
      [
        'path-length/root-3',
        'as many may follow as pathLenConstraint says',
        source,
        limit('root', 3),
      ],
      [
        'path-length/regional-127',
        'fewer may follow than pathLenConstraint says',
        source,
        limit('regional', 127),
      ],
      [
        'path-length/none',
        'without a pathLenConstraint there is no limit',
        'RFC 5280 §4.2.1.9',
        issuedPath(shop, [{}, {}, {}, {}, {}]),
      ],
      [
        'path-length/self-issued',
        'a self-issued CA certificate does not count',
        'RFC 5280 §4.2.1.9',
        issuedPath(shop, [{ pathLenConstraint: 0 }, { subject: 'issuer' }, {}]),
      ],
    ]),
  ]
}
