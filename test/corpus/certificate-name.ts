import { nested, part } from './certificate-change.ts'
import { hex, longLength, rebuild, Tbs } from './der.ts'
import type { Row, Workshop } from './workshop.ts'

const DER = 'X.690 §10.1'

export function nameRows(shop: Workshop): Row[] {
  const subject = (route: readonly number[], change: (part: Uint8Array) => Uint8Array): Row[3] =>
    part(shop, [Tbs.subject, ...route], change)
  return [
    [
      'certificate/name-set-out-of-order',
      'a SET OF ascends',
      'X.690 §11.6',
      subject([5], (set) =>
        rebuild(set, ([one]) => [one as Uint8Array, hex('300b06035504030c0441414141')]),
      ),
    ],
    [
      'certificate/name-attribute-not-utf-8',
      'a UTF8String is UTF-8',
      'RFC 3629 §3',
      subject([5, 0, 1], () => hex('0c02c328')),
    ],
    [
      'certificate/name-printable-star',
      'a PrintableString has no asterisk',
      'X.680 §41.4',
      subject([0, 0, 1], () => hex('13022a2a')),
    ],
    [
      'certificate/name-attribute-empty',
      'an attribute has a value',
      'RFC 5280 appendix A',
      subject([5, 0, 1], () => hex('0c00')),
    ],
    [
      'certificate/name-oid-not-minimal',
      'an OBJECT IDENTIFIER is minimal',
      'X.690 §8.19.2',
      subject([5, 0, 0], () => hex('060480550403')),
    ],
    [
      'certificate/name-oid-empty',
      'an OBJECT IDENTIFIER has contents',
      'X.690 §8.19.2',
      subject([5, 0, 0], () => hex('0600')),
    ],
    [
      'certificate/name-set-empty',
      'a relative name has an attribute',
      'RFC 5280 appendix A.1: SET SIZE (1..MAX)',
      subject([5], () => hex('3100')),
    ],
    [
      'certificate/name-third-element',
      'an attribute is a type and a value',
      'RFC 5280 §4.1.2.4',
      subject([5, 0], (pair) => rebuild(pair, (parts) => [...parts, hex('0500')])),
    ],
    [
      'certificate/name-length-not-minimal',
      'lengths are minimal',
      DER,
      subject([5, 0, 1], longLength),
    ],
    [
      'certificate/name-depth',
      'an attribute is text, not 50 SEQUENCEs',
      'RFC 5280 §4.1.2.4',
      subject([5, 0, 1], () => nested(50)),
    ],
  ]
}
