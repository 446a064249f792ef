import { encodeCbor, leafOf, type CertificationPath, type Leaf } from '@enclavejs/simulator/forge'
import { issuedPath, type Link } from './issued-path.ts'
import type { Draft } from './corpus.ts'
import { padded } from './fields.ts'
import { flipped } from './cose-signature.ts'
import { accepted, NONCE, PLACE, refused, toHex, withEntry, withRecipe } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

/** The cabundle as a list, and the trust anchor that begins it. */
export function bundleCases(shop: Workshop): Draft[] {
  return [...countCases(shop), ...orderCases(shop), ...anchorCases(shop)]
}

/** The good path with another list of CA certificates. */
function bundle(cabundle: readonly Uint8Array[]): Row[3] {
  return { leaf: { cabundle } }
}

function countCases(shop: Workshop): Draft[] {
  const aws = 'AWS, attestation process §3.2.2.2'
  const count = 'the bundle has 2 to 8 certificates'
  const size = 'a certificate of the bundle has 1 to 1024 bytes'
  const links = (length: number): Link[] => Array.from({ length }, () => ({}))
  const { root, regional, zonal } = shop.path
  const items = (last: Parameters<typeof encodeCbor>[0]): Row[3] => ({
    entries: (all) =>
      withEntry(
        all,
        'cabundle',
        encodeCbor([root.certificate, regional.certificate, zonal.certificate, last]),
      ),
  })
  return [
    ...refused(shop, 'ERR_ATTESTATION_CABUNDLE', [
      ['cabundle/0', count, aws, bundle([])],
      [
        'cabundle/1',
        `${count}: here the root issued the enclave certificate`,
        'profile',
        issuedPath(shop, links(1)),
      ],
      ['cabundle/9', count, 'profile', issuedPath(shop, links(9))],
      ['cabundle/certificate-empty', size, aws, items(new Uint8Array())],
      ['cabundle/certificate-null', size, aws, items(null)],
      ['cabundle/certificate-text', size, aws, items('certificate')],
      ['cabundle/certificate-array', size, aws, items([])],
      [
        'cabundle/certificate-1025',
        `${size}; this one is good`,
        aws,
        { path: padded(shop, 'zonal', 1025) },
      ],
    ]),
    ...accepted(shop, [
      ['cabundle/2', count, 'profile', issuedPath(shop, links(2))],
      ['cabundle/8', count, 'profile', issuedPath(shop, links(8))],
    ]),
  ]
}

function orderCases(shop: Workshop): Draft[] {
  const source = 'AWS, attestation process §3.2.3: [ROOT, INTERM_1, … INTERM_N]'
  const ordered = 'the bundle is a path in its order, nothing is sorted, skipped or repeated'
  const { root, regional, zonal, instance } = leafByLevel(shop.path)
  const roomy = issuedPath(shop, [{}, {}, {}]).leaf as Leaf
  const [, first, second] = roomy.cabundle as [Uint8Array, Uint8Array, Uint8Array]
  return [
    ...refused(shop, 'ERR_ATTESTATION_TRUST_ANCHOR', [
      [
        'cabundle/reversed',
        'the root comes first',
        source,
        bundle([instance, zonal, regional, root]),
        { certificate: PLACE.root },
      ],
      [
        'cabundle/root-last',
        'the root comes first',
        source,
        bundle([regional, zonal, instance, root]),
        { certificate: PLACE.root },
      ],
      [
        'cabundle/root-absent',
        'the path begins with the root: here it begins with a true CA of it',
        source,
        bundle([regional, zonal, instance]),
        { certificate: PLACE.root },
      ],
      [
        'cabundle/leaf-first',
        'the root comes first',
        source,
        bundle([shop.path.leaf.certificate, root, regional, zonal, instance]),
        { certificate: PLACE.root },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_ISSUER', [
      [
        'cabundle/swapped',
        ordered,
        source,
        bundle([root, zonal, regional, instance]),
        { certificate: 'cabundle[1]' },
      ],
      [
        'cabundle/regional-absent',
        ordered,
        source,
        bundle([root, zonal, instance]),
        { certificate: 'cabundle[1]' },
      ],
      [
        'cabundle/instance-absent',
        ordered,
        source,
        bundle([root, regional, zonal]),
        { certificate: 'certificate' },
      ],
      [
        'cabundle/repeated',
        ordered,
        source,
        { leaf: { ...roomy, cabundle: [root, first, first, second] } },
        { certificate: 'cabundle[2]' },
      ],
      [
        'cabundle/root-repeated',
        'a certificate stands in a path once, and be it self-issued',
        'RFC 5280 §6.1',
        bundle([root, root, regional, zonal, instance]),
        { certificate: 'cabundle[1]' },
      ],
      [
        'cabundle/foreign-between',
        ordered,
        source,
        { leaf: { ...roomy, cabundle: [root, first, shop.foreign.zonal.certificate, second] } },
        { certificate: 'cabundle[2]' },
      ],
    ]),
  ]
}

function leafByLevel(
  path: CertificationPath,
): Record<'root' | 'regional' | 'zonal' | 'instance', Uint8Array> {
  return {
    root: path.root.certificate,
    regional: path.regional.certificate,
    zonal: path.zonal.certificate,
    instance: path.instance.certificate,
  }
}

function anchorCases(shop: Workshop): Draft[] {
  const source = 'AWS, attestation process §3.2.3; RFC 5280 §6.1.1 (d)'
  const { path, foreign } = shop
  const theirs = leafOf(foreign)
  const renewed = withRecipe(shop, 'root', (one) => ({ ...one, serialNumber: Uint8Array.of(1) }))
  const evil = leafByLevel(foreign)
  const pinned = { trustAnchor: path.root.certificate }
  // A self-signed CA of the attacker's, under a name of its own.
  const stranger = withRecipe({ ...shop, path: foreign }, 'root', (one) => ({
    ...one,
    issuer: [['CN', 'stranger']],
    subject: [['CN', 'stranger']],
  })).root.certificate
  return [
    ...refused(shop, 'ERR_ATTESTATION_TRUST_ANCHOR', [
      [
        'anchor/forged-root',
        'the root is the pinned one: this has its names, another key and a good path below',
        source,
        { path: foreign },
        { ...pinned, certificate: PLACE.root },
      ],
      [
        'anchor/forged-root-any-image',
        'the root is pinned whatever the policy is',
        source,
        { path: foreign },
        {
          ...pinned,
          certificate: PLACE.root,
          policy: { acceptAnyImage: true, nonce: toHex(NONCE) },
        },
      ],
      [
        'anchor/same-key-other-serial',
        'the root is compared as a whole certificate: this has the pinned name and key',
        'profile',
        { path: renewed },
        { ...pinned, certificate: PLACE.root },
      ],
      [
        'anchor/root-signature-flipped',
        'the root is compared as a whole certificate',
        'profile',
        bundle([
          flipped(path.root.certificate, path.root.certificate.length - 1),
          ...leafOf(path).cabundle.slice(1),
        ]),
        { certificate: PLACE.root },
      ],
      [
        'anchor/foreign-before-the-root',
        'the path begins with the pinned root',
        source,
        {
          leaf: {
            ...theirs,
            cabundle: [evil.root, path.root.certificate, evil.regional, evil.zonal, evil.instance],
          },
        },
        { certificate: PLACE.root },
      ],
      [
        'anchor/simulator-for-aws',
        'AWS signs for AWS',
        source,
        {},
        { trustAnchor: null, certificate: PLACE.root },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_ISSUER', [
      [
        'anchor/stranger-as-intermediate',
        'a self-signed certificate in the bundle anchors nothing',
        source,
        {
          leaf: {
            ...theirs,
            cabundle: [path.root.certificate, stranger, evil.regional, evil.zonal, evil.instance],
          },
        },
        { certificate: 'cabundle[1]' },
      ],
      [
        'anchor/regional-of-another-name',
        'the root that begins the path issued what follows',
        source,
        { leaf: { ...theirs, cabundle: [path.root.certificate, evil.zonal, evil.instance] } },
        { certificate: 'cabundle[1]' },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_SIGNATURE', [
      [
        'anchor/root-by-name-only',
        'the pinned root signed what follows: names prove nothing',
        source,
        {
          leaf: {
            ...theirs,
            cabundle: [path.root.certificate, evil.regional, evil.zonal, evil.instance],
          },
        },
        { certificate: 'cabundle[1]' },
      ],
      [
        'anchor/forged-root-as-intermediate',
        'a forged root behind the pinned one is a certificate that nobody signed',
        source,
        {
          leaf: {
            ...theirs,
            cabundle: [path.root.certificate, evil.root, evil.regional, evil.zonal, evil.instance],
          },
        },
        { certificate: 'cabundle[1]' },
      ],
    ]),
  ]
}
