import { encodeCbor, sigStructure } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { concat, hex } from './der.ts'
import { accepted, pcr, refused, toHex, type Row, type Workshop } from './workshop.ts'

const ES384_HEADER = hex('a1013822')

/** The order of P-384 (SP 800-186 §3.2.1.4). */
const ORDER = BigInt(
  '0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
)

/** Signatures in another form than r‖s of 96 bytes. */
export function signatureLengthCases(shop: Workshop): Draft[] {
  const source = 'RFC 9053 §2.1'
  const mutate = (mutateSignature: (rs: Uint8Array) => Uint8Array): Row[3] => ({
    cose: { mutateSignature },
  })
  return refused(shop, 'ERR_ATTESTATION_SIGNATURE_LENGTH', [
    ['signature/0-bytes', 'a signature has 96 bytes', source, mutate(() => new Uint8Array())],
    ['signature/95-bytes', 'a signature has 96 bytes', source, mutate((rs) => rs.subarray(0, 95))],
    [
      'signature/97-bytes',
      'a signature has 96 bytes, with nothing after',
      source,
      mutate((rs) => concat(rs, hex('00'))),
    ],
    [
      'signature/97-bytes-zero-first',
      'a signature has 96 bytes, with nothing before',
      source,
      mutate((rs) => concat(hex('00'), rs)),
    ],
    ['signature/r-alone', 'a signature has r and s', source, mutate((rs) => rs.subarray(0, 48))],
    ['signature/twice', 'a signature has 96 bytes', source, mutate((rs) => concat(rs, rs))],
    [
      'signature/132-bytes',
      'a signature has 96 bytes: those of ES512 have 132',
      source,
      mutate((rs) => wide(rs, 66)),
    ],
    ['signature/der', 'a signature is r‖s, not an Ecdsa-Sig-Value', source, mutate(asDer)],
  ])
}

/** Signatures of the right form, over something else, by somebody else, or changed. */
export function signatureCases(shop: Workshop): Draft[] {
  const source = 'RFC 9052 §4.4'
  const mutate = (mutateSignature: (rs: Uint8Array) => Uint8Array): Row[3] => ({
    cose: { mutateSignature },
  })
  const context = (text: string): Row[3] => ({
    signed: (payload) => encodeCbor([text, ES384_HEADER, new Uint8Array(), payload]),
  })
  return [
    ...accepted(shop, [
      [
        'signature/low-s',
        's in the lower half of the group',
        'FIPS 186-5 §6.4.2',
        mutate((rs) => halved(rs, true)),
      ],
      [
        'signature/high-s',
        's in the upper half of the group: half of all real documents have it',
        'FIPS 186-5 §6.4.2',
        mutate((rs) => halved(rs, false)),
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_SIGNATURE', [
      ['signature/flipped-bit', 'the signature verifies', source, mutate((rs) => flipped(rs, 95))],
      [
        'signature/r-and-s-swapped',
        'r comes first',
        'RFC 9053 §2.1',
        mutate((rs) => concat(rs.subarray(48), rs.subarray(0, 48))),
      ],
      [
        'signature/zero',
        'r and s are at least 1',
        'FIPS 186-5 §6.4.2',
        mutate(() => new Uint8Array(96)),
      ],
      [
        'signature/r-zero',
        'r is at least 1',
        'FIPS 186-5 §6.4.2',
        mutate((rs) => concat(new Uint8Array(48), rs.subarray(48))),
      ],
      [
        'signature/s-zero',
        's is at least 1',
        'FIPS 186-5 §6.4.2',
        mutate((rs) => concat(rs.subarray(0, 48), new Uint8Array(48))),
      ],
      [
        'signature/s-of-the-order',
        's is below the order',
        'FIPS 186-5 §6.4.2',
        mutate((rs) => concat(rs.subarray(0, 48), integer(ORDER))),
      ],
      [
        'signature/little-endian',
        'r and s are big-endian',
        'RFC 9053 §2.1',
        mutate((rs) => rs.toReversed()),
      ],
      [
        'signature/other-key',
        'the key of certificate signs',
        source,
        { cose: { privateKey: shop.foreign.leaf.privateKey } },
      ],
      [
        'signature/instance-key',
        'the key of certificate signs, not that of its issuer',
        source,
        { cose: { privateKey: shop.path.instance.privateKey } },
      ],
      [
        'signature/sha-256',
        'ES384 hashes with SHA-384',
        'RFC 9053 §2.1',
        { cose: { signatureHash: 'sha256' } },
      ],
      [
        'signature/sha-512',
        'ES384 hashes with SHA-384',
        'RFC 9053 §2.1',
        { cose: { signatureHash: 'sha512' } },
      ],
      [
        'signature/external-aad',
        'external_aad is empty',
        source,
        { cose: { externalAad: hex('00') } },
      ],
      [
        'signature/context-signature',
        'the context is Signature1, not that of COSE_Sign',
        source,
        context('Signature'),
      ],
      [
        'signature/context-countersignature',
        'the context is Signature1',
        source,
        context('CounterSignature'),
      ],
      [
        'signature/over-payload-alone',
        'the signature covers the Sig_structure',
        source,
        { signed: (payload) => payload },
      ],
      [
        'signature/over-empty-protected',
        'the signature covers the protected header',
        source,
        { cose: { protected: new Uint8Array(), protectedItem: encodeCbor(ES384_HEADER) } },
      ],
      [
        'signature/over-other-payload',
        'the signature covers the payload: here PCR5 is another than was signed',
        source,
        {
          fields: { pcrs: new Map([...shop.fields.pcrs, [5, pcr(99)]]) },
          signed: (payload) => {
            const original = toHex(payload).replace(toHex(pcr(99)), toHex(pcr(6)))
            return sigStructure(ES384_HEADER, hex(original))
          },
        },
      ],
    ]),
  ]
}

export function flipped(bytes: Uint8Array, index: number): Uint8Array {
  const copy = bytes.slice()
  copy[index] = (copy[index] as number) ^ 1
  return copy
}

function integer(value: bigint, size = 48): Uint8Array {
  return hex(value.toString(16).padStart(2 * size, '0'))
}

function asInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

/** The signature of the same message under the same key whose s lies in the half that is asked for. */
function halved(rs: Uint8Array, low: boolean): Uint8Array {
  const s = asInteger(rs.subarray(48))
  const isLow = s <= ORDER / 2n
  return isLow === low ? rs : concat(rs.subarray(0, 48), integer(ORDER - s))
}

function wide(rs: Uint8Array, size: number): Uint8Array {
  const zeros = new Uint8Array(size - 48)
  return concat(zeros, rs.subarray(0, 48), zeros, rs.subarray(48))
}

function asDer(rs: Uint8Array): Uint8Array {
  const parts = [rs.subarray(0, 48), rs.subarray(48)].map((half) => {
    const start = half.findIndex((octet) => octet !== 0)
    const magnitude = half.subarray(start)
    const lead = (magnitude[0] as number) >= 0x80 ? [0] : []
    return concat(Uint8Array.of(2, lead.length + magnitude.length, ...lead), magnitude)
  })
  const inside = concat(...parts)
  return concat(Uint8Array.of(0x30, inside.length), inside)
}
