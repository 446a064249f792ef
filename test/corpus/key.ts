import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { changePath, ecdsaAlgorithm, type Level } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { children, concat, contents, hex, tlv } from './der.ts'
import { issuedPath } from './issued-path.ts'
import { flipped } from './cose-signature.ts'
import { PLACE, refused, reissued, type Row, type Workshop } from './workshop.ts'

const LEVELS = ['regional', 'zonal', 'instance', 'leaf'] as const

const P384 = hex('301006072a8648ce3d020106052b81040022')

/** Signature algorithms of certificates. */
export function algorithmCases(shop: Workshop): Draft[] {
  const source = 'RFC 5758 §3.2; AWS, attestation process §3.2.3'
  const rule = 'certificates are signed with ecdsa-with-SHA384'
  const both = (
    algorithm: Uint8Array,
  ): { innerSignatureAlgorithm: Uint8Array; outerSignatureAlgorithm: Uint8Array } => ({
    innerSignatureAlgorithm: algorithm,
    outerSignatureAlgorithm: algorithm,
  })
  return refused(shop, 'ERR_ATTESTATION_CERTIFICATE_ALGORITHM', [
    ...LEVELS.flatMap((level): Row[] =>
      (['sha256', 'sha512'] as const).map((hash): Row => [
        `algorithm/${level}-${hash}`,
        rule,
        source,
        reissued(shop, level, () => ({ signatureHash: hash })),
        { certificate: PLACE[level] },
      ]),
    ),
    [
      'algorithm/root-sha256',
      rule,
      source,
      reissued(shop, 'root', () => ({ signatureHash: 'sha256' })),
      { certificate: PLACE.root },
    ],
    [
      'algorithm/sha384-said-sha256',
      'the algorithm is the one that is written: the signature is over SHA-384',
      source,
      reissued(shop, 'leaf', () => both(ecdsaAlgorithm('sha256'))),
      { certificate: PLACE.leaf },
    ],
    [
      'algorithm/null-parameters',
      'ecdsa-with-SHA384 has no parameters',
      'RFC 5758 §3.2',
      reissued(shop, 'leaf', () => both(hex('300c06082a8648ce3d0403030500'))),
      { certificate: PLACE.leaf },
    ],
    [
      'algorithm/rsa',
      rule,
      source,
      reissued(shop, 'leaf', () => both(hex('300d06092a864886f70d01010c0500'))),
      { certificate: PLACE.leaf },
    ],
    [
      'algorithm/ed25519',
      rule,
      source,
      reissued(shop, 'leaf', () => both(hex('300506032b6570'))),
      { certificate: PLACE.leaf },
    ],
    [
      'algorithm/key-type',
      'id-ecPublicKey is the algorithm of a key, not of a signature',
      source,
      reissued(shop, 'leaf', () => both(P384)),
      { certificate: PLACE.leaf },
    ],
  ])
}

/** Keys of certificates. */
export function curveCases(shop: Workshop): Draft[] {
  const source = 'AWS, attestation process §3.1: ES384; RFC 5480 §2.1.1'
  const rule = 'keys lie on P-384'
  const curve = (level: Level, namedCurve: string): Row[3] =>
    keyed(shop, level, generateKeyPairSync('ec', { namedCurve }).privateKey)
  const ecdsa = ecdsaAlgorithm('sha384')
  const brainpool = generateKeyPairSync('ec', { namedCurve: 'brainpoolP384r1' }).privateKey
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const point = 'a key is an uncompressed point'
  const spki = (
    level: Level,
    change: (point: Uint8Array) => Uint8Array,
    algorithm: Uint8Array = P384,
  ): Row[3] =>
    reissued(shop, level, (one) => {
      const bits = children(spkiOf(one.publicKey))[1] as Uint8Array
      return {
        publicKey: tlv(0x30, algorithm, tlv(0x03, hex('00'), change(contents(bits).subarray(1)))),
      }
    })
  const leaf = { certificate: PLACE.leaf }
  const zonal = { certificate: PLACE.zonal }
  const same = (key: Uint8Array): Uint8Array => key
  const compressed = (key: Uint8Array): Uint8Array =>
    concat(Uint8Array.of(2 + ((key.at(-1) as number) & 1)), key.subarray(1, 49))
  const hybrid = (key: Uint8Array): Uint8Array =>
    concat(Uint8Array.of(6 + ((key.at(-1) as number) & 1)), key.subarray(1))
  const prime = hex(
    'fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff',
  )
  return [
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_KEY', [
      ['key/root-p-256', rule, source, curve('root', 'P-256'), { certificate: PLACE.root }],
      ['key/zonal-p-256', rule, source, curve('zonal', 'P-256'), zonal],
      ['key/zonal-p-521', rule, source, curve('zonal', 'P-521'), zonal],
      [
        'key/instance-p-521',
        rule,
        source,
        curve('instance', 'P-521'),
        { certificate: PLACE.instance },
      ],
      ['key/zonal-secp256k1', rule, source, curve('zonal', 'secp256k1'), zonal],
      [
        'key/zonal-brainpool-384',
        `${rule}, not on another curve of 384 bits`,
        source,
        issuedPath(shop, [{}, { key: brainpool }, {}, {}]),
        zonal,
      ],
      [
        'key/leaf-p-256',
        `${rule}: r and s have 48 bytes here, as those of P-384`,
        source,
        {
          ...curve('leaf', 'P-256'),
          cose: {
            mutateSignature: (rs) =>
              concat(new Uint8Array(16), rs.subarray(0, 32), new Uint8Array(16), rs.subarray(32)),
          },
        },
        leaf,
      ],
      [
        'key/zonal-rsa',
        `${rule}: this one is RSA, and what it issues is signed with ecdsa-with-SHA384 by name`,
        source,
        issuedPath(shop, [{}, { key: rsa }, {}, {}]),
        zonal,
      ],
      [
        'key/leaf-compressed',
        point,
        'RFC 5480 §2.2: MUST support uncompressed; AWS uses no other',
        spki('leaf', compressed),
        leaf,
      ],
      ['key/zonal-compressed', point, 'RFC 5480 §2.2', spki('zonal', compressed), zonal],
      ['key/leaf-hybrid', point, 'RFC 5480 §2.2: hybrid MUST NOT', spki('leaf', hybrid), leaf],
      [
        'key/leaf-infinity',
        'a key is not the point at infinity',
        'SP 800-56A §5.6.2.3.3',
        spki('leaf', () => hex('00')),
        leaf,
      ],
      [
        'key/leaf-one-byte-more',
        point,
        'SEC 1 §2.3.4',
        spki('leaf', (key) => concat(key, hex('00'))),
        leaf,
      ],
      [
        'key/leaf-one-byte-less',
        point,
        'SEC 1 §2.3.4',
        spki('leaf', (key) => key.subarray(0, -1)),
        leaf,
      ],
      [
        'key/leaf-empty',
        'there is a key',
        'SEC 1 §2.3.4',
        spki('leaf', () => new Uint8Array()),
        leaf,
      ],
      [
        'key/leaf-not-on-the-curve',
        'a key is a point on the curve',
        'SP 800-56A §5.6.2.3.3',
        spki('leaf', (key) => flipped(key, 96)),
        leaf,
      ],
      [
        'key/zonal-not-on-the-curve',
        'a key is a point on the curve',
        'SP 800-56A §5.6.2.3.3',
        spki('zonal', (key) => flipped(key, 96)),
        zonal,
      ],
      [
        'key/leaf-zero',
        'a key is a point on the curve',
        'SP 800-56A §5.6.2.3.3',
        spki('leaf', (key) => concat(hex('04'), new Uint8Array(key.length - 1))),
        leaf,
      ],
      [
        'key/leaf-coordinate-of-p',
        'coordinates are below the prime',
        'SP 800-56A §5.6.2.3.3',
        spki('leaf', (key) => concat(hex('04'), prime, key.subarray(49))),
        leaf,
      ],
      [
        'key/leaf-p-256-by-name',
        'the curve that is named is P-384',
        source,
        spki('leaf', same, hex('301306072a8648ce3d020106082a8648ce3d030107')),
        leaf,
      ],
      [
        'key/leaf-parameters-absent',
        'the curve is named',
        'RFC 5480 §2.1.1',
        spki('leaf', same, hex('300906072a8648ce3d0201')),
        leaf,
      ],
      [
        'key/leaf-parameters-null',
        'the curve is named, not implied',
        'RFC 5480 §2.1.1',
        spki('leaf', same, hex('300b06072a8648ce3d02010500')),
        leaf,
      ],
      [
        'key/leaf-parameters-explicit',
        'the curve is named, not described',
        'RFC 5480 §2.1.1',
        explicit(shop),
        leaf,
      ],
      [
        'key/leaf-ecdh',
        'the key is for signatures: id-ecDH is for key agreement alone',
        'RFC 5480 §2.1.2',
        spki('leaf', same, hex('300e06052b8104010c06052b81040022')),
        leaf,
      ],
      [
        'key/leaf-signature-algorithm',
        'the key is an id-ecPublicKey',
        'RFC 5480 §2.1.1',
        spki('leaf', same, ecdsa),
        leaf,
      ],
    ]),
  ]
}

/** A P-384 key whose curve is described by its parameters (as CVE-2020-0601 used them). */
function explicit(shop: Workshop): Row[3] {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-384',
    paramEncoding: 'explicit',
  })
  const der = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
  const path = changePath(shop.path, {
    keys: { leaf: privateKey },
    recipes: { leaf: (one) => ({ ...one, publicKey: der }) },
  })
  return { path }
}

function keyed(shop: Workshop, level: Level, key: KeyObject): Row[3] {
  const path = changePath(shop.path, { keys: { [level]: key } })
  return { path }
}

function spkiOf(key: KeyObject | Uint8Array | undefined): Uint8Array {
  if (key instanceof Uint8Array || key === undefined)
    throw new TypeError('a KeyObject was expected')
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }))
}
