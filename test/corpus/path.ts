import {
  basicConstraints,
  encodeName,
  extensionOids,
  keyUsage,
  levels,
  withExtension,
  withoutExtension,
  type CertificateRecipe,
  type DistinguishedName,
  type Extension,
  type Level,
  type NitroRecipe,
} from '@enclavejs/simulator/forge'
import { chain } from './chain.ts'
import type { Draft } from './corpus.ts'
import { hex } from './der.ts'
import { accepted, at, PLACE, refused, withRecipe } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

/** Certification paths of well-formed and rightly signed certificates that do not make a path. */
export function pathCases(shop: Workshop): Draft[] {
  return [
    ...validityCases(shop),
    ...caCases(shop),
    ...pathLengthCases(shop),
    ...keyUsageCases(shop),
    ...extensionCases(shop),
    ...nameCases(shop),
  ]
}

export function recipe(
  shop: Workshop,
  level: Level,
  change: (recipe: NitroRecipe) => Partial<CertificateRecipe>,
): Row[3] {
  return { path: withRecipe(shop, level, (one) => ({ ...one, ...change(one) })) }
}

const CAS = ['root', 'regional', 'zonal', 'instance'] as const

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
          { ...recipe(shop, level, () => ({ notAfter: at(-1) })), ...before },
          blame,
        ],
        [
          `validity/${level}-expired-a-year-ago`,
          `the ${level} certificate has not expired`,
          source,
          {
            ...recipe(shop, level, () => ({
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
            ...recipe(shop, level, () => ({ notBefore: at(11) })),
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
          recipe(shop, level, () => ({ notAfter: at(0) })),
        ],
        [
          `validity/${level}-clock-behind`,
          'a clock that is 10 s behind is tolerated',
          'profile: clockTolerance',
          recipe(shop, level, () => ({ notBefore: at(10) })),
        ],
      ]),
    ]
  })
}

function caCases(shop: Workshop): Draft[] {
  const source = 'RFC 5280 §6.1.4 (k)'
  const basic = extensionOids.basicConstraints
  return [
    ...CAS.flatMap((level) => {
      const blame = { certificate: PLACE[level] }
      return refused(shop, 'ERR_ATTESTATION_CERTIFICATE_NOT_CA', [
        [
          `ca/${level}-flag-missing`,
          `the ${level} certificate is a CA`,
          source,
          recipe(shop, level, (one) => ({
            extensions: withExtension(one.extensions, basicConstraints({ ca: false })),
          })),
          blame,
        ],
        [
          `ca/${level}-basic-constraints-absent`,
          `the ${level} certificate says that it is a CA`,
          source,
          recipe(shop, level, (one) => ({ extensions: withoutExtension(one.extensions, basic) })),
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
        recipe(shop, 'leaf', (one) => ({
          extensions: withExtension(one.extensions, basicConstraints({ ca: true })),
        })),
        { certificate: PLACE.leaf },
      ],
      [
        'ca/leaf-with-path-length',
        'the certificate that signs has no path length',
        'AWS, attestation process §3.2.3.4',
        recipe(shop, 'leaf', (one) => ({
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
        recipe(shop, 'leaf', (one) => ({ extensions: withoutExtension(one.extensions, basic) })),
      ],
      [
        'ca/basic-constraints-not-critical',
        'a verifier does not require what RFC 5280 asks of CAs alone',
        'RFC 5280 §6.1.4 (k)',
        recipe(shop, 'zonal', (one) => ({
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
  return chain(shop, [{}, {}, {}, { like: 'leaf', extensions }, {}])
}

/** An instance certificate that may sign documents, so that only its being a CA is against it. */
function caAsLeaf(shop: Workshop): Row[3] {
  const usage = keyUsage(['digitalSignature'])
  return chain(shop, [
    {},
    {},
    { like: 'instance', extensions: (list) => withExtension(list, usage) },
  ])
}

function pathLengthCases(shop: Workshop): Draft[] {
  const source = 'RFC 5280 §6.1.4 (m)'
  const limit = (level: Level, pathLenConstraint: number): Row[3] =>
    recipe(shop, level, (one) => ({
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
        chain(shop, [{}, {}, { pathLenConstraint: 0 }, {}, {}]),
        { certificate: PLACE.instance },
      ],
      [
        'path-length/larger-below',
        'a larger pathLenConstraint below does not lift the one above',
        source,
        chain(shop, [
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
        chain(shop, [{ pathLenConstraint: 0 }, { subject: 'issuer' }, {}, {}]),
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
        chain(shop, [{}, {}, {}, {}, {}]),
      ],
      [
        'path-length/self-issued',
        'a self-issued CA certificate does not count',
        'RFC 5280 §4.2.1.9',
        chain(shop, [{ pathLenConstraint: 0 }, { subject: 'issuer' }, {}]),
      ],
    ]),
  ]
}

function keyUsageCases(shop: Workshop): Draft[] {
  const source = 'AWS, attestation process §3.2.3.3; RFC 5280 §6.1.4 (n)'
  const target = 'AWS, attestation process §3.2.3.4'
  const usage = (level: Level, ...usages: Parameters<typeof keyUsage>[0]): Row[3] =>
    recipe(shop, level, (one) => ({ extensions: withExtension(one.extensions, keyUsage(usages)) }))
  const none = (level: Level): Row[3] =>
    recipe(shop, level, (one) => ({
      extensions: withoutExtension(one.extensions, extensionOids.keyUsage),
    }))
  return [
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_KEY_USAGE', [
      ...CAS.flatMap((level): Row[] => [
        [
          `key-usage/${level}-without-cert-sign`,
          `the ${level} key may sign certificates`,
          source,
          usage(level, 'digitalSignature', 'cRLSign'),
          { certificate: PLACE[level] },
        ],
        [
          `key-usage/${level}-absent`,
          `the ${level} certificate says that its key may sign certificates`,
          source,
          none(level),
          { certificate: PLACE[level] },
        ],
      ]),
      [
        'key-usage/leaf-absent',
        'the key that signs the document says that it may',
        target,
        none('leaf'),
        { certificate: PLACE.leaf },
      ],
      [
        'key-usage/leaf-without-digital-signature',
        'the key that signs the document may sign',
        target,
        usage('leaf', 'nonRepudiation'),
        { certificate: PLACE.leaf },
      ],
      [
        'key-usage/leaf-key-agreement',
        'the key that signs the document may sign',
        target,
        usage('leaf', 'keyAgreement', 'decipherOnly'),
        { certificate: PLACE.leaf },
      ],
      [
        'key-usage/leaf-with-cert-sign',
        'keyCertSign stands on CAs alone',
        'RFC 5280 §4.2.1.3',
        usage('leaf', 'digitalSignature', 'keyCertSign'),
        { certificate: PLACE.leaf },
      ],
    ]),
    ...accepted(shop, [
      [
        'key-usage/leaf-critical',
        'keyUsage may be critical on the certificate that signs',
        'RFC 5280 §4.2.1.3',
        usage('leaf', 'digitalSignature'),
      ],
      [
        'key-usage/instance-more',
        'a CA key may be for more',
        'RFC 5280 §4.2.1.3',
        usage('instance', 'digitalSignature', 'nonRepudiation', 'keyCertSign', 'cRLSign'),
      ],
      [
        'key-usage/nine-bits',
        'keyUsage has nine bits',
        'RFC 5280 §4.2.1.3',
        usage('leaf', 'digitalSignature', 'keyAgreement', 'decipherOnly'),
      ],
    ]),
  ]
}

function extensionCases(shop: Workshop): Draft[] {
  const unknown = 'a critical extension that is not known'
  const source = 'RFC 5280 §6.1.4 (o), §6.1.5 (f)'
  const limits = 'an extension that limits the path and is not evaluated'
  const added = (level: Level, oid: string, critical: boolean, value: string): Row[3] =>
    recipe(shop, level, (one) => ({
      extensions: [...one.extensions, { oid, critical, value: hex(value) }],
    }))
  const own = '1.3.6.1.4.1.99999.1'
  // permittedSubtrees: any directoryName.
  const constraints = 'a0063004a4023000'
  const names = `30${(constraints.length / 2).toString(16).padStart(2, '0')}${constraints}`
  return [
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_EXTENSION', [
      ...levels.map((level): Row => [
        `extension/${level}-critical-unknown`,
        unknown,
        source,
        added(level, own, true, '0500'),
        { certificate: PLACE[level] },
      ]),
      [
        'extension/leaf-critical-extended-key-usage',
        unknown,
        source,
        added('leaf', '2.5.29.37', true, '300a06082b06010505070301'),
        { certificate: PLACE.leaf },
      ],
      [
        'extension/leaf-critical-subject-alternative-name',
        unknown,
        source,
        added('leaf', '2.5.29.17', true, '30038201 61'),
        { certificate: PLACE.leaf },
      ],
      [
        'extension/regional-critical-policies',
        unknown,
        source,
        added('regional', '2.5.29.32', true, '300630040602 2a03'),
        { certificate: PLACE.regional },
      ],
      [
        'extension/name-constraints',
        limits,
        'RFC 5280 §4.2.1.10',
        added('zonal', '2.5.29.30', true, names),
        { certificate: PLACE.zonal },
      ],
      [
        'extension/name-constraints-not-critical',
        limits,
        'RFC 5280 §4.2.1.10: MUST be critical',
        added('zonal', '2.5.29.30', false, names),
        { certificate: PLACE.zonal },
      ],
      [
        'extension/policy-constraints',
        limits,
        'RFC 5280 §4.2.1.11',
        added('regional', '2.5.29.36', true, '3003800100'),
        { certificate: PLACE.regional },
      ],
      [
        'extension/policy-constraints-not-critical',
        limits,
        'RFC 5280 §4.2.1.11: MUST be critical',
        added('regional', '2.5.29.36', false, '3003800100'),
        { certificate: PLACE.regional },
      ],
      [
        'extension/inhibit-any-policy',
        limits,
        'RFC 5280 §4.2.1.14',
        added('zonal', '2.5.29.54', true, '020100'),
        { certificate: PLACE.zonal },
      ],
    ]),
    ...accepted(shop, [
      ...levels.map((level): Row => [
        `extension/${level}-unknown`,
        'an extension that is neither critical nor known says nothing',
        'RFC 5280 §4.2',
        added(level, own, false, '0500'),
      ]),
      [
        'extension/leaf-extended-key-usage',
        'an extension that is neither critical nor known says nothing',
        'RFC 5280 §4.2',
        added('leaf', '2.5.29.37', false, '300a06082b06010505070301'),
      ],
      [
        'extension/no-key-identifiers',
        'key identifiers help to find a path, they prove nothing: documents before mid-2024 have none',
        'RFC 5280 §4.2.1.1',
        recipe(shop, 'instance', (one) => ({
          extensions: withoutExtension(
            withoutExtension(one.extensions, extensionOids.subjectKeyIdentifier),
            extensionOids.authorityKeyIdentifier,
          ),
        })),
      ],
    ]),
  ]
}

function nameCases(shop: Workshop): Draft[] {
  const source = 'RFC 5280 §6.1.3 (a) (4)'
  const encoding = 'RFC 5280 §4.1.2.6: encoded in the same way'
  const rule = 'the issuer is the subject of the certificate before'
  const issuer = (
    level: Level,
    change: (name: DistinguishedName) => DistinguishedName | Uint8Array,
  ): Row[3] => recipe(shop, level, (one) => ({ issuer: change(one.issuer) }))
  const last =
    (change: (value: string) => string) =>
    (name: DistinguishedName): DistinguishedName =>
      name.map(([type, value]) => [type, type === 'CN' ? change(value) : value])
  return [
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_ISSUER', [
      ...(['regional', 'zonal', 'instance', 'leaf'] as const).map((level): Row => [
        `issuer/${level}-other`,
        rule,
        source,
        issuer(
          level,
          last((value) => `${value}x`),
        ),
        { certificate: PLACE[level] },
      ]),
      [
        'issuer/root-name',
        'the issuer is the certificate before, not the root',
        source,
        issuer('zonal', () => shop.path.root.recipe.subject),
        { certificate: PLACE.zonal },
      ],
      [
        'issuer/order',
        'a name has an order',
        'RFC 5280 §7.1',
        issuer('zonal', (name) => name.toReversed()),
        { certificate: PLACE.zonal },
      ],
      [
        'issuer/prefix',
        'a name has all of its parts',
        source,
        issuer('zonal', (name) => name.slice(0, -1)),
        { certificate: PLACE.zonal },
      ],
      [
        'issuer/upper-case',
        'names are compared as they are encoded',
        encoding,
        issuer(
          'leaf',
          last((value) => value.toUpperCase()),
        ),
        { certificate: PLACE.leaf },
      ],
      [
        'issuer/trailing-space',
        'names are compared as they are encoded',
        encoding,
        issuer(
          'leaf',
          last((value) => `${value} `),
        ),
        { certificate: PLACE.leaf },
      ],
      [
        'issuer/other-string-type',
        'names are compared as they are encoded: here UTF8String became PrintableString',
        encoding,
        issuer('leaf', printable),
        { certificate: PLACE.leaf },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_MALFORMED', [
      [
        'issuer/empty',
        'issuer and the subject of a CA are not empty',
        'RFC 5280 §4.1.2.4, §4.1.2.6',
        chain(shop, [{}, { subject: [] }, {}]),
        { certificate: PLACE.leaf },
      ],
    ]),
  ]
}

function printable(name: DistinguishedName): Uint8Array {
  const encoded = encodeName(name)
  const common = [...encoded].findLastIndex(
    (octet, index) => octet === 0x0c && encoded[index - 1] === 0x03,
  )
  return encoded.map((octet, index) => (index === common ? 0x13 : octet))
}
