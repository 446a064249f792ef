import { extensionOids, levels, withoutExtension, type Level } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { hex } from './der.ts'
import { accepted, PLACE, refused, reissued, type Row, type Workshop } from './workshop.ts'

/** Extensions that are not known, or limit a path. */
export function pathExtensionCases(shop: Workshop): Draft[] {
  const unknown = 'a critical extension that is not known'
  const source = 'RFC 5280 §6.1.4 (o), §6.1.5 (f)'
  const limits = 'an extension that limits the path and is not evaluated'
  const added = (level: Level, oid: string, critical: boolean, value: string): Row[3] =>
    reissued(shop, level, (one) => ({
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
        reissued(shop, 'instance', (one) => ({
          extensions: withoutExtension(
            withoutExtension(one.extensions, extensionOids.subjectKeyIdentifier),
            extensionOids.authorityKeyIdentifier,
          ),
        })),
      ],
    ]),
  ]
}
