import { nested, outside, part, recipe, until, unusedBits } from './certificate-change.ts'
import { extensionRows } from './certificate-extension.ts'
import { nameRows } from './certificate-name.ts'
import { timeRows } from './certificate-time.ts'
import type { Draft } from './corpus.ts'
import {
  ascii,
  concat,
  contents,
  hex,
  indefiniteLength,
  longLength,
  rebuild,
  replaceAt,
  Tbs,
  tlv,
} from './der.ts'
import { tbsRows } from './tbs-certificate.ts'
import { accepted, PLACE, refused, withRecipe, type Row, type Workshop } from './workshop.ts'

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

/** One bit of the signature is said to be unused; it is zero, so that the signature is right with or without it. */
function signatureWithUnusedBit(shop: Workshop): Row[3] {
  const path = until(
    () => withRecipe(shop, 'leaf', (one) => one),
    ({ leaf }) => ((leaf.certificate.at(-1) as number) & 1) === 0,
  )
  return outside({ ...shop, path }, (der) => replaceAt(der, [2], (bits) => unusedBits(bits, 1)))
}

function pem(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').replaceAll(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
