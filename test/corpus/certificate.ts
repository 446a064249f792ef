import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import {
  basicConstraints,
  changePath,
  extensionOids,
  keyUsage,
  withExtension,
  withoutExtension,
  type CertificateRecipe,
  type Level,
  type NitroRecipe,
} from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { ascii, concat, contents, hex, indefiniteLength, longLength } from './der.ts'
import { rebuild, replaceAt, Tbs, tlv } from './der.ts'
import {
  accepted,
  PLACE,
  refused,
  withBytes,
  withRecipe,
  type Row,
  type Workshop,
} from './workshop.ts'

const DER = 'X.690 §10.1'

/** Certificates that are not the strict DER of X.509 v3: each wrong in one place and rightly signed over it. */
export function certificateCases(shop: Workshop): Draft[] {
  const rows = [
    ...outerRows(shop),
    ...tbsRows(shop),
    ...timeRows(shop),
    ...nameRows(shop),
    ...extensionRows(shop),
  ]
  return [
    ...acceptedCases(shop),
    ...refused(
      shop,
      'ERR_ATTESTATION_CERTIFICATE_MALFORMED',
      rows.map(([name, rule, source, changes, more]) => [
        name,
        rule,
        source,
        changes,
        { certificate: PLACE.leaf, ...more },
      ]),
    ),
  ]
}

/** The leaf's or another's TBSCertificate changed and signed. */
function tbs(
  shop: Workshop,
  change: (tbs: Uint8Array) => Uint8Array,
  level: Level = 'leaf',
): Row[3] {
  return { path: withRecipe(shop, level, (recipe) => ({ ...recipe, mutateTbs: change })) }
}

function part(
  shop: Workshop,
  route: readonly number[],
  change: (part: Uint8Array) => Uint8Array,
  level: Level = 'leaf',
): Row[3] {
  return tbs(shop, (whole) => replaceAt(whole, route, change), level)
}

function recipe(
  shop: Workshop,
  change: (recipe: NitroRecipe) => CertificateRecipe,
  level: Level = 'leaf',
): Row[3] {
  return { path: withRecipe(shop, level, change) }
}

/** A change outside of what is signed. */
function outside(
  shop: Workshop,
  change: (certificate: Uint8Array) => Uint8Array,
  level: Level = 'leaf',
): Row[3] {
  return { path: withBytes(shop, level, change) }
}

function outerRows(shop: Workshop): Row[] {
  const zonal = { certificate: PLACE.zonal }
  const end = 'nothing follows inside of an element'
  return [
    [
      'certificate/trailing-byte',
      'nothing follows the certificate',
      'RFC 5280 §4.1',
      outside(shop, (der) => concat(der, hex('00'))),
    ],
    [
      'certificate/trailing-byte-zonal',
      'nothing follows the certificate',
      'RFC 5280 §4.1',
      outside(shop, (der) => concat(der, hex('00')), 'zonal'),
      zonal,
    ],
    [
      'certificate/cut-short',
      'the certificate is whole',
      'RFC 5280 §4.1',
      outside(shop, (der) => der.subarray(0, -1)),
    ],
    [
      'certificate/fourth-element',
      end,
      'RFC 5280 §4.1',
      outside(shop, (der) => rebuild(der, (parts) => [...parts, hex('0500')])),
    ],
    ['certificate/length-not-minimal', 'lengths are minimal', DER, outside(shop, longLength)],
    [
      'certificate/length-not-minimal-zonal',
      'lengths are minimal',
      DER,
      outside(shop, longLength, 'zonal'),
      zonal,
    ],
    [
      'certificate/length-indefinite',
      'lengths are definite: this is BER',
      DER,
      outside(shop, indefiniteLength),
    ],
    [
      'certificate/length-indefinite-zonal',
      'lengths are definite: this is BER',
      DER,
      outside(shop, indefiniteLength, 'zonal'),
      zonal,
    ],
    [
      'certificate/length-of-2-31',
      'a length lies inside of the bytes',
      DER,
      outside(shop, (der) => concat(hex('30847fffffff'), contents(der))),
    ],
    [
      'certificate/length-of-2-63',
      'a length lies inside of the bytes',
      DER,
      outside(shop, (der) => concat(hex('30887fffffffffffffff'), contents(der))),
    ],
    [
      'certificate/set',
      'a certificate is a SEQUENCE',
      'RFC 5280 §4.1',
      outside(shop, (der) => tlv(0x31, contents(der))),
    ],
    [
      'certificate/tag-of-two-octets',
      'tags are in their shortest form',
      'X.690 §8.1.2.2',
      outside(shop, (der) => concat(hex('3f10'), der.subarray(1))),
    ],
    [
      'certificate/pem',
      'the certificate is DER, not PEM',
      'AWS, attestation process §3.2.2.1',
      outside(shop, (der) => ascii(pem(der))),
    ],
    [
      'certificate/one-zero',
      'the certificate is DER',
      'RFC 5280 §4.1',
      outside(shop, () => hex('00')),
    ],
    [
      'certificate/empty-sequence',
      'the certificate has its three parts',
      'RFC 5280 §4.1',
      outside(shop, () => hex('3000')),
    ],
    [
      'certificate/depth',
      'depth is bounded: 250 SEQUENCEs',
      'X.690 §8.1',
      outside(shop, () => nested(250)),
    ],
    [
      'certificate/signature-unused-bits',
      'a signature is a whole number of octets',
      'RFC 5280 §4.1.1.3',
      signatureWithUnusedBit(shop),
    ],
    [
      'certificate/signature-9-unused-bits',
      'a BIT STRING leaves at most 7 bits unused',
      'X.690 §8.6.2.2',
      outside(shop, (der) => replaceAt(der, [2], (bits) => unusedBits(bits, 9))),
    ],
    [
      'certificate/signature-constructed',
      'strings are primitive',
      'X.690 §10.2',
      outside(shop, (der) => replaceAt(der, [2], (bits) => tlv(0x23, bits))),
    ],
    [
      'certificate/signature-absent',
      'a certificate is signed',
      'RFC 5280 §4.1',
      outside(shop, (der) => rebuild(der, (parts) => parts.slice(0, 2))),
    ],
    [
      'certificate/algorithms-differ',
      'the algorithm inside is the one outside',
      'RFC 5280 §4.1.1.2',
      recipe(shop, (one) => ({ ...one, innerSignatureAlgorithm: ecdsa(2) })),
    ],
    [
      'certificate/algorithms-differ-outside',
      'the algorithm outside is the one inside',
      'RFC 5280 §4.1.1.2',
      recipe(shop, (one) => ({ ...one, outerSignatureAlgorithm: ecdsa(2) })),
    ],
    [
      'certificate/algorithms-differ-zonal',
      'the algorithm inside is the one outside',
      'RFC 5280 §4.1.1.2',
      recipe(shop, (one) => ({ ...one, innerSignatureAlgorithm: ecdsa(4) }), 'zonal'),
      zonal,
    ],
  ]
}

function tbsRows(shop: Workshop): Row[] {
  const serial = (digits: string): Row[3] => part(shop, [Tbs.serialNumber], () => hex(digits))
  const version = (digits: string): Row[3] => part(shop, [Tbs.version], () => hex(digits))
  const key = Tbs.subjectPublicKeyInfo
  return [
    [
      'certificate/v1',
      'the version is 3: without a version it is 1',
      'RFC 5280 §4.1.2.1',
      recipe(shop, (one) => ({ ...one, version: 1 })),
    ],
    [
      'certificate/v1-ca',
      'a CA is of version 3',
      'RFC 5280 §6.1.4 (k)',
      recipe(shop, (one) => ({ ...one, version: 1 }), 'zonal'),
      { certificate: PLACE.zonal },
    ],
    ['certificate/v1-written', 'a default is left out', 'X.690 §11.5', version('a003020100')],
    [
      'certificate/v2',
      'the version is 3',
      'RFC 5280 §4.1.2.1',
      recipe(shop, (one) => ({ ...one, version: 2 })),
    ],
    [
      'certificate/v4',
      'the version is 3',
      'RFC 5280 §4.1.2.1',
      recipe(shop, (one) => ({ ...one, version: 4 })),
    ],
    [
      'certificate/version-of-two-octets',
      'INTEGERs are minimal',
      'X.690 §8.3.2',
      version('a00402020002'),
    ],
    [
      'certificate/version-twice',
      'nothing follows inside of an element',
      'RFC 5280 §4.1',
      version('a006020102020102'),
    ],
    [
      'certificate/serial-negative',
      'a serial number is positive',
      'RFC 5280 §4.1.2.2',
      serial('020180'),
    ],
    [
      'certificate/serial-zero',
      'a serial number is positive',
      'RFC 5280 §4.1.2.2',
      serial('020100'),
    ],
    ['certificate/serial-empty', 'an INTEGER has contents', 'X.690 §8.3.1', serial('0200')],
    ['certificate/serial-not-minimal', 'INTEGERs are minimal', 'X.690 §8.3.2', serial('02020001')],
    [
      'certificate/serial-of-21-octets',
      'a serial number has at most 20 octets',
      'RFC 5280 §4.1.2.2',
      serial(`0215${'11'.repeat(21)}`),
    ],
    ['certificate/serial-text', 'a serial number is an INTEGER', 'RFC 5280 §4.1', serial('0c0131')],
    ['certificate/tbs-length-not-minimal', 'lengths are minimal', DER, tbs(shop, longLength)],
    ['certificate/tbs-length-indefinite', 'lengths are definite', DER, tbs(shop, indefiniteLength)],
    [
      'certificate/tbs-trailing-element',
      'nothing follows the extensions',
      'RFC 5280 §4.1',
      tbs(shop, (whole) => rebuild(whole, (parts) => [...parts, hex('0500')])),
    ],
    [
      'certificate/tbs-order',
      'the fields stand in their order',
      'RFC 5280 §4.1',
      tbs(shop, (whole) => rebuild(whole, swap(Tbs.issuer, Tbs.validity))),
    ],
    [
      'certificate/issuer-unique-id',
      'unique identifiers are not used',
      'RFC 5280 §4.1.2.8',
      tbs(shop, (whole) => rebuild(whole, insert(Tbs.extensions, hex('81020001')))),
    ],
    [
      'certificate/subject-unique-id',
      'unique identifiers are not used',
      'RFC 5280 §4.1.2.8',
      tbs(shop, (whole) => rebuild(whole, insert(Tbs.extensions, hex('82020001')))),
    ],
    [
      'certificate/issuer-unique-id-ca',
      'unique identifiers are not used',
      'RFC 5280 §4.1.2.8',
      tbs(shop, (whole) => rebuild(whole, insert(Tbs.extensions, hex('81020001'))), 'zonal'),
      { certificate: PLACE.zonal },
    ],
    [
      'certificate/key-trailing-element',
      'nothing follows the key',
      'RFC 5280 §4.1',
      part(shop, [key], (spki) => rebuild(spki, (parts) => [...parts, hex('0500')])),
    ],
    [
      'certificate/key-unused-bits',
      'a key is a whole number of octets',
      'RFC 5480 §2.2',
      keyWithUnusedBit(shop),
    ],
    [
      'certificate/key-length-not-minimal',
      'lengths are minimal',
      DER,
      part(shop, [key, 1], longLength),
    ],
    [
      'certificate/key-octet-string',
      'a key is a BIT STRING',
      'RFC 5280 §4.1',
      part(shop, [key, 1], (bits) => tlv(0x04, contents(bits))),
    ],
  ]
}

function timeRows(shop: Workshop): Row[] {
  const utc = (text: string): Uint8Array => tlv(0x17, ascii(text))
  const general = (text: string): Uint8Array => tlv(0x18, ascii(text))
  const row = (name: string, rule: string, source: string, time: Uint8Array, index = 0): Row => [
    `certificate/time-${name}`,
    rule,
    source,
    part(shop, [Tbs.validity, index], () => time),
  ]
  const form = 'UTCTime is YYMMDDHHMMSSZ'
  const real = 'a date exists'
  return [
    row('without-z', form, 'RFC 5280 §4.1.2.5.1', utc('260301115957')),
    row('with-offset', form, 'RFC 5280 §4.1.2.5.1', utc('260301115957+0000')),
    row('without-seconds', form, 'RFC 5280 §4.1.2.5.1', utc('2603011159Z')),
    row('with-fraction', form, 'X.690 §11.8', utc('260301115957.0Z')),
    row('with-space', form, 'RFC 5280 §4.1.2.5.1', utc('26030111595 Z')),
    row('with-sign', form, 'RFC 5280 §4.1.2.5.1', utc('+60301115957Z')),
    row('lower-case-z', form, 'RFC 5280 §4.1.2.5.1', utc('260301115957z')),
    row('empty', form, 'RFC 5280 §4.1.2.5.1', utc('')),
    row(
      'generalized-before-2050',
      'dates through 2049 are UTCTime',
      'RFC 5280 §4.1.2.5',
      general('20260301115957Z'),
    ),
    row(
      'generalized-with-fraction',
      'GeneralizedTime is YYYYMMDDHHMMSSZ',
      'RFC 5280 §4.1.2.5.2',
      general('20500301115957.5Z'),
      1,
    ),
    row(
      'generalized-without-z',
      'GeneralizedTime is YYYYMMDDHHMMSSZ',
      'RFC 5280 §4.1.2.5.2',
      general('20500301115957'),
      1,
    ),
    row(
      'generalized-with-offset',
      'GeneralizedTime is YYYYMMDDHHMMSSZ',
      'RFC 5280 §4.1.2.5.2',
      general('20500301115957+0100'),
      1,
    ),
    row('month-13', real, 'X.680 §47.3', utc('261301115957Z'), 1),
    row('month-0', real, 'X.680 §47.3', utc('260001115957Z')),
    row('day-0', real, 'X.680 §47.3', utc('260300115957Z')),
    row('february-30', real, 'X.680 §47.3', utc('260230115957Z')),
    row('february-29-2027', real, 'X.680 §47.3', utc('270229115957Z'), 1),
    row('april-31', real, 'X.680 §47.3', utc('260431115957Z'), 1),
    row('hour-24', real, 'X.680 §47.3', utc('260301240000Z'), 1),
    row('minute-60', real, 'X.680 §47.3', utc('260301116000Z')),
    row('second-60', real, 'X.680 §47.3', utc('260301115960Z')),
    row(
      'text',
      'a time is UTCTime or GeneralizedTime',
      'RFC 5280 §4.1',
      tlv(0x0c, ascii('260301115957Z')),
    ),
    [
      'certificate/time-third',
      'validity has two times',
      'RFC 5280 §4.1',
      part(shop, [Tbs.validity], (validity) =>
        rebuild(validity, (parts) => [...parts, parts[1] as Uint8Array]),
      ),
    ],
    [
      'certificate/time-not-after-absent',
      'validity has two times',
      'RFC 5280 §4.1',
      part(shop, [Tbs.validity], (validity) => rebuild(validity, (parts) => parts.slice(0, 1))),
    ],
  ]
}

function nameRows(shop: Workshop): Row[] {
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

function extensionRows(shop: Workshop): Row[] {
  const oid = {
    basic: hex('0603551d13'),
    usage: hex('0603551d0f'),
    other: hex('06092b0601040186ed1f01'),
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
    added(extension(oid.other, hex(digits), octets(hex('0500'))))
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
      'TRUE is FF',
      'X.690 §11.1',
      added(extension(oid.other, hex('010101'), octets(hex('0500')))),
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
      added(extension(hex('060480551d13'), octets(hex('3000')))),
    ],
    [
      'extension/after-the-list',
      'nothing follows the list',
      'RFC 5280 §4.1',
      part(shop, [Tbs.extensions], (list) => rebuild(list, (parts) => [...parts, hex('3000')])),
    ],
    [
      'extension/ca-01',
      'TRUE is FF',
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
    ['extension/key-usage-padding-set', 'unused bits are zero', 'X.690 §11.2.1', usage('030207ff')],
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

function acceptedCases(shop: Workshop): Draft[] {
  return accepted(shop, [
    [
      'certificate/serial-of-20-octets',
      'a serial number may have 20 octets, and a zero before them',
      'RFC 5280 §4.1.2.2',
      part(shop, [Tbs.serialNumber], () => hex(`021500${'ff'.repeat(20)}`)),
    ],
    [
      'certificate/generalized-time-2050',
      'dates from 2050 on are GeneralizedTime',
      'RFC 5280 §4.1.2.5',
      part(shop, [Tbs.validity, 1], () => tlv(0x18, ascii('20500101000000Z'))),
    ],
    [
      'certificate/february-29-2028',
      'a leap day exists in its year',
      'X.680 §47.3',
      part(shop, [Tbs.validity, 1], () => tlv(0x17, ascii('280229000000Z'))),
    ],
    [
      'certificate/extension-with-deep-value',
      'what is not read may hold anything',
      'RFC 5280 §4.2',
      recipe(shop, (one) => ({
        ...one,
        extensions: [
          ...one.extensions,
          { oid: '1.3.6.1.4.1.99999.1', critical: false, value: nested(50) },
        ],
      })),
    ],
  ])
}

function ecdsa(hash: number): Uint8Array {
  return concat(hex('300a06082a8648ce3d0403'), Uint8Array.of(hash))
}

function unusedBits(bits: Uint8Array, unused: number): Uint8Array {
  return tlv(0x03, Uint8Array.of(unused), contents(bits).subarray(1))
}

/** One bit of the signature is said to be unused; it is zero, so that the signature is right with or without it. */
function signatureWithUnusedBit(shop: Workshop): Row[3] {
  const path = until(
    () => withRecipe(shop, 'leaf', (one) => one),
    ({ leaf }) => ((leaf.certificate.at(-1) as number) & 1) === 0,
  )
  return outside({ ...shop, path }, (der) => replaceAt(der, [2], (bits) => unusedBits(bits, 1)))
}

/** As above, with the key. */
function keyWithUnusedBit(shop: Workshop): Row[3] {
  const leaf = until(
    () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
    (key) => (createPublicKey(key).export({ format: 'der', type: 'spki' }).at(-1) ?? 0) % 2 === 0,
  )
  const path = changePath(shop.path, { keys: { leaf } })
  return part({ ...shop, path }, [Tbs.subjectPublicKeyInfo, 1], (bits) => unusedBits(bits, 1))
}

function until<T>(make: () => T, good: (made: T) => boolean): T {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const made = make()
    if (good(made)) return made
  }
  throw new Error('a thousand attempts and none was good')
}

function nested(depth: number): Uint8Array {
  let element: Uint8Array = tlv(0x30)
  for (let level = 1; level < depth; level++) element = tlv(0x30, element)
  return element
}

function swap(a: number, b: number): (parts: Uint8Array[]) => Uint8Array[] {
  return (parts) =>
    parts.map((one, index) => parts[index === a ? b : index === b ? a : index] ?? one)
}

function insert(index: number, element: Uint8Array): (parts: Uint8Array[]) => Uint8Array[] {
  return (parts) => parts.toSpliced(index, 0, element)
}

function pem(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').replaceAll(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
