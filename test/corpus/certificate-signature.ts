import { ecdsaAlgorithm, type Level } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { children, concat, contents, hex, longLength, rebuild, tlv } from './der.ts'
import { flipped } from './cose-signature.ts'
import { accepted, PLACE, refused, reissued } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

const LEVELS = ['regional', 'zonal', 'instance', 'leaf'] as const

/** Signatures of certificates. */
export function certificateSignatureCases(shop: Workshop): Draft[] {
  const source = 'RFC 5280 §6.1.3 (a) (1)'
  const strict = 'RFC 3279 §2.2.3: Ecdsa-Sig-Value in DER'
  const parent = {
    regional: 'root',
    zonal: 'regional',
    instance: 'zonal',
    leaf: 'instance',
  } as const
  const leaf = { certificate: PLACE.leaf }
  const mutated = (change: (signature: Uint8Array) => Uint8Array, level: Level = 'leaf'): Row[3] =>
    reissued(shop, level, () => ({ mutateSignature: change }))
  const integers = (change: (parts: Uint8Array[]) => readonly Uint8Array[]): Row[3] =>
    mutated((der) => rebuild(der, change))
  const zero = hex('020100')
  return [
    ...accepted(shop, [
      [
        'certificate-signature/low-s',
        's in the lower half of the group',
        'FIPS 186-5 §6.4.2',
        withS(shop, false),
      ],
      [
        'certificate-signature/high-s',
        's in the upper half of the group',
        'FIPS 186-5 §6.4.2',
        withS(shop, true),
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_SIGNATURE', [
      ...LEVELS.flatMap((level): Row[] => [
        [
          `certificate-signature/${level}-other-key`,
          'the key of the certificate before signed',
          source,
          reissued(shop, level, () => ({ signingKey: shop.foreign[parent[level]].privateKey })),
          { certificate: PLACE[level] },
        ],
        [
          `certificate-signature/${level}-flipped-bit`,
          'the signature verifies',
          source,
          mutated((der) => flipped(der, der.length - 1), level),
          { certificate: PLACE[level] },
        ],
        [
          `certificate-signature/${level}-own-key`,
          'nobody but the root signs himself',
          source,
          reissued(shop, level, () => ({ signingKey: shop.path[level].privateKey })),
          { certificate: PLACE[level] },
        ],
      ]),
      [
        'certificate-signature/root-key',
        'the certificate before signed, not the root',
        source,
        reissued(shop, 'leaf', () => ({ signingKey: shop.path.root.privateKey })),
        leaf,
      ],
      [
        'certificate-signature/sha-256',
        'the hash is SHA-384',
        source,
        reissued(shop, 'leaf', () => ({
          signatureHash: 'sha256',
          innerSignatureAlgorithm: ecdsaAlgorithm('sha384'),
          outerSignatureAlgorithm: ecdsaAlgorithm('sha384'),
        })),
        leaf,
      ],
      [
        'certificate-signature/empty',
        'there is a signature',
        strict,
        mutated(() => new Uint8Array()),
        leaf,
      ],
      ['certificate-signature/raw', 'a signature is DER here, not r‖s', strict, mutated(raw), leaf],
      [
        'certificate-signature/trailing-byte',
        'nothing follows',
        strict,
        mutated((der) => concat(der, hex('00'))),
        leaf,
      ],
      [
        'certificate-signature/third-integer',
        'a signature has r and s',
        strict,
        integers((parts) => [...parts, zero]),
        leaf,
      ],
      [
        'certificate-signature/length-not-minimal',
        'lengths are minimal',
        strict,
        mutated(longLength),
        leaf,
      ],
      [
        'certificate-signature/integer-not-minimal',
        'INTEGERs are minimal',
        strict,
        integers(([r, s]) => [tlv(0x02, hex('0000'), magnitude(r)), s as Uint8Array]),
        leaf,
      ],
      [
        'certificate-signature/integer-negative',
        'r and s are positive',
        strict,
        integers(([r, s]) => [tlv(0x02, hex('ff'), magnitude(r)), s as Uint8Array]),
        leaf,
      ],
      [
        'certificate-signature/r-zero',
        'r and s are at least 1',
        'FIPS 186-5 §6.4.2',
        integers(([, s]) => [zero, s as Uint8Array]),
        leaf,
      ],
      [
        'certificate-signature/s-zero',
        'r and s are at least 1',
        'FIPS 186-5 §6.4.2',
        integers(([r]) => [r as Uint8Array, zero]),
        leaf,
      ],
      [
        'certificate-signature/r-wide',
        'r is below the order',
        'FIPS 186-5 §6.4.2',
        integers(([r, s]) => [
          tlv(0x02, hex('01'), new Uint8Array(48 - magnitude(r).length), magnitude(r)),
          s as Uint8Array,
        ]),
        leaf,
      ],
      [
        'certificate-signature/swapped',
        'r comes first',
        strict,
        integers(([r, s]) => [s as Uint8Array, r as Uint8Array]),
        leaf,
      ],
    ]),
  ]
}

/** An INTEGER's octets without a leading zero. */
function magnitude(integer: Uint8Array | undefined): Uint8Array {
  const octets = contents(integer as Uint8Array)
  return octets[0] === 0 ? octets.subarray(1) : octets
}

function raw(der: Uint8Array): Uint8Array {
  const halves = children(der).map((one) => {
    const octets = magnitude(one)
    return concat(new Uint8Array(48 - octets.length), octets)
  })
  return concat(...halves)
}

/** The leaf signed again until s has, or has not, its highest bit: the order of P-384 is close to 2^384. */
function withS(shop: Workshop, high: boolean): Row[3] {
  for (let attempt = 0; attempt < 1000; attempt++) {
    let top = 0
    const changes = reissued(shop, 'leaf', () => ({
      mutateSignature: (der) => {
        top = raw(der)[48] as number
        return der
      },
    }))
    if (top >= 0x80 === high) return changes
  }
  throw new Error('a thousand signatures, all in the same half')
}
