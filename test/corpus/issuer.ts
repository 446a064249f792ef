import { encodeName, type DistinguishedName, type Level } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { issuedPath } from './issued-path.ts'
import { PLACE, refused, reissued, type Row, type Workshop } from './workshop.ts'

/** Names that link a certificate to the one before it. */
export function issuerCases(shop: Workshop): Draft[] {
  const source = 'RFC 5280 §6.1.3 (a) (4)'
  const encoding = 'RFC 5280 §4.1.2.6: encoded in the same way'
  const rule = 'the issuer is the subject of the certificate before'
  const issuer = (
    level: Level,
    change: (name: DistinguishedName) => DistinguishedName | Uint8Array,
  ): Row[3] => reissued(shop, level, (one) => ({ issuer: change(one.issuer) }))
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
        issuedPath(shop, [{}, { subject: [] }, {}]),
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
