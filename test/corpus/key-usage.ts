import {
  extensionOids,
  keyUsage,
  withExtension,
  withoutExtension,
  type Level,
} from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { accepted, authorities, PLACE, refused, reissued } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

/** What keys may be used for. */
export function keyUsageCases(shop: Workshop): Draft[] {
  const source = 'AWS, attestation process §3.2.3.3; RFC 5280 §6.1.4 (n)'
  const target = 'AWS, attestation process §3.2.3.4'
  const usage = (level: Level, ...usages: Parameters<typeof keyUsage>[0]): Row[3] =>
    reissued(shop, level, (one) => ({
      extensions: withExtension(one.extensions, keyUsage(usages)),
    }))
  const none = (level: Level): Row[3] =>
    reissued(shop, level, (one) => ({
      extensions: withoutExtension(one.extensions, extensionOids.keyUsage),
    }))
  return [
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_KEY_USAGE', [
      ...authorities.flatMap((level): Row[] => [
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
