import {
  basicConstraints,
  extensionOids,
  keyUsage,
  withExtension,
  withoutExtension,
} from '@enclavejs/simulator/forge'
import { part, recipe, tbs } from './certificate-change.ts'
import { hex, longLength, rebuild, Tbs, tlv } from './der.ts'
import { PLACE, type Row, type Workshop } from './workshop.ts'

const DER = 'X.690 §10.1'

export function extensionRows(shop: Workshop): Row[] {
  const oid = {
    basic: hex('0603551d13'),
    usage: hex('0603551d0f'),
    other: hex('06092b06010401868d1f01'),
  }
  const extension = (...parts: readonly Uint8Array[]): Uint8Array => tlv(0x30, ...parts)
  const octets = (value: Uint8Array): Uint8Array => tlv(0x04, value)
  const replaced = (id: string, encoded: Uint8Array): Row[3] =>
    recipe(shop, (one) => ({
      ...one,
      extensions: [...withoutExtension(one.extensions, id), encoded],
    }))
  const added = (encoded: Uint8Array): Row[3] =>
    recipe(shop, (one) => ({ ...one, extensions: [...one.extensions, encoded] }))
  const basic = (digits: string): Row[3] =>
    replaced(
      extensionOids.basicConstraints,
      extension(oid.basic, hex('0101ff'), octets(hex(digits))),
    )
  const usage = (digits: string): Row[3] =>
    replaced(extensionOids.keyUsage, extension(oid.usage, octets(hex(digits))))
  const critical = (digits: string): Row[3] =>
    replaced(extensionOids.keyUsage, extension(oid.usage, hex(digits), octets(hex('030206c0'))))
  const zonal = { certificate: PLACE.zonal }
  return [
    [
      'extension/twice',
      'an extension stands once',
      'RFC 5280 §4.2',
      recipe(shop, (one) => ({
        ...one,
        extensions: [...one.extensions, keyUsage(['digitalSignature'], { critical: false })],
      })),
    ],
    [
      'extension/basic-constraints-twice',
      'an extension stands once',
      'RFC 5280 §4.2',
      recipe(
        shop,
        (one) => ({ ...one, extensions: [...one.extensions, basicConstraints({ ca: true })] }),
        'zonal',
      ),
      zonal,
    ],
    [
      'extension/unknown-twice',
      'an extension stands once, one that nobody reads too',
      'RFC 5280 §4.2',
      recipe(shop, (one) => ({
        ...one,
        extensions: [
          ...one.extensions,
          ...[0, 1].map(() => extension(oid.other, octets(hex('0500')))),
        ],
      })),
    ],
    [
      'extension/none-written',
      'the list has at least one extension',
      'RFC 5280 §4.1: SIZE (1..MAX)',
      tbs(shop, (whole) => rebuild(whole, (parts) => [...parts.slice(0, 7), hex('a3023000')])),
    ],
    [
      'extension/critical-01',
      'the BOOLEAN TRUE is the octet FF',
      'X.690 §11.1',
      critical('010101'),
    ],
    [
      'extension/critical-false-written',
      'a default is left out',
      'X.690 §11.5',
      critical('010100'),
    ],
    [
      'extension/critical-of-two-octets',
      'a BOOLEAN has one octet',
      'X.690 §8.2.1',
      critical('01020000'),
    ],
    ['extension/critical-empty', 'a BOOLEAN has one octet', 'X.690 §8.2.1', critical('0100')],
    [
      'extension/fourth-element',
      'an extension has at most three parts',
      'RFC 5280 §4.1',
      added(extension(oid.other, octets(hex('0500')), hex('0500'))),
    ],
    [
      'extension/value-bit-string',
      'a value is an OCTET STRING',
      'RFC 5280 §4.1',
      added(extension(oid.other, hex('030100'))),
    ],
    [
      'extension/value-constructed',
      'strings are primitive',
      'X.690 §10.2',
      added(extension(oid.other, hex('240404020500'))),
    ],
    [
      'extension/length-not-minimal',
      'lengths are minimal',
      DER,
      added(longLength(extension(oid.other, octets(hex('0500'))))),
    ],
    [
      'extension/oid-not-minimal',
      'an OBJECT IDENTIFIER is minimal',
      'X.690 §8.19.2',
      added(extension(hex('060a2b0601040180868d1f01'), octets(hex('3000')))),
    ],
    [
      'extension/after-the-list',
      'nothing follows the list',
      'RFC 5280 §4.1',
      part(shop, [Tbs.extensions], (list) => rebuild(list, (parts) => [...parts, hex('3000')])),
    ],
    [
      'extension/ca-01',
      'the BOOLEAN TRUE is the octet FF',
      'X.690 §11.1',
      recipe(
        shop,
        (one) => ({
          ...one,
          extensions: withExtension(one.extensions, {
            oid: extensionOids.basicConstraints,
            critical: true,
            value: hex('3006010101020101'),
          }),
        }),
        'zonal',
      ),
      zonal,
    ],
    ['extension/ca-false-written', 'a default is left out', 'X.690 §11.5', basic('3003010100')],
    [
      'extension/path-length-on-non-ca',
      'pathLenConstraint stands on a CA',
      'RFC 5280 §4.2.1.9',
      basic('3003020100'),
    ],
    [
      'extension/path-length-negative',
      'pathLenConstraint is not negative',
      'RFC 5280 §4.2.1.9',
      recipe(
        shop,
        (one) => ({
          ...one,
          extensions: withExtension(one.extensions, {
            oid: extensionOids.basicConstraints,
            critical: true,
            value: hex('30060101ff0201ff'),
          }),
        }),
        'zonal',
      ),
      zonal,
    ],
    [
      'extension/path-length-not-minimal',
      'INTEGERs are minimal',
      'X.690 §8.3.2',
      recipe(
        shop,
        (one) => ({
          ...one,
          extensions: withExtension(one.extensions, {
            oid: extensionOids.basicConstraints,
            critical: true,
            value: hex('30070101ff02020001'),
          }),
        }),
        'zonal',
      ),
      zonal,
    ],
    [
      'extension/path-length-of-2-32',
      'pathLenConstraint is not cut to a number of few bits',
      'RFC 5280 §4.2.1.9',
      recipe(
        shop,
        (one) => ({
          ...one,
          extensions: withExtension(one.extensions, {
            oid: extensionOids.basicConstraints,
            critical: true,
            value: hex('300a0101ff02050100000001'),
          }),
        }),
        'zonal',
      ),
      zonal,
    ],
    [
      'extension/basic-constraints-trailing',
      'nothing follows inside of a value',
      'RFC 5280 §4.2.1.9',
      basic('30000500'),
    ],
    [
      'extension/basic-constraints-third',
      'basicConstraints has two parts',
      'RFC 5280 §4.2.1.9',
      recipe(
        shop,
        (one) => ({
          ...one,
          extensions: withExtension(one.extensions, {
            oid: extensionOids.basicConstraints,
            critical: true,
            value: hex('30080101ff0201010500'),
          }),
        }),
        'zonal',
      ),
      zonal,
    ],
    [
      'extension/basic-constraints-empty',
      'basicConstraints is a SEQUENCE',
      'RFC 5280 §4.2.1.9',
      basic(''),
    ],
    ['extension/key-usage-no-bit', 'at least one bit is set', 'RFC 5280 §4.2.1.3', usage('030100')],
    ['extension/key-usage-zero', 'at least one bit is set', 'RFC 5280 §4.2.1.3', usage('03020000')],
    [
      'extension/key-usage-trailing-zeros',
      'a named bit list ends with a one bit',
      'X.690 §11.2.2',
      usage('03020080'),
    ],
    ['extension/key-usage-padding-set', 'unused bits are zero', 'X.690 §11.2.1', usage('030206c1')],
    [
      'extension/key-usage-three-octets',
      'keyUsage has nine bits',
      'RFC 5280 §4.2.1.3',
      usage('030400c00001'),
    ],
    [
      'extension/key-usage-trailing',
      'nothing follows inside of a value',
      'RFC 5280 §4.2.1.3',
      usage('030206c000'),
    ],
    [
      'extension/key-usage-integer',
      'keyUsage is a BIT STRING',
      'RFC 5280 §4.2.1.3',
      usage('0201c0'),
    ],
  ]
}
