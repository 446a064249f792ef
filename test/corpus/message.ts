import { encodeCbor, sigStructure } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { concat, hex } from './der.ts'
import { accepted, pcr, refused, toHex, type Row, type Workshop } from './workshop.ts'

const SIGN1 = 'RFC 9052 §4.2'
const AWS = 'AWS, attestation process §3.1'
const ES384_HEADER = hex('a1013822')
/** The order of P-384 (SP 800-186 §3.2.1.4). */
const ORDER = BigInt(
  '0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
)

/** The COSE_Sign1 around the payload: its shape, its headers, its signature. */
export function messageCases(shop: Workshop): Draft[] {
  return [
    ...shapeCases(shop),
    ...headerCases(shop),
    ...signatureLengthCases(shop),
    ...signatureCases(shop),
  ]
}

function shapeCases(shop: Workshop): Draft[] {
  const long = (total: number): Row[3] => {
    // Everything but the text of module_id has a fixed size: two documents give the difference.
    const moduleId = 'i-0123456789abcdef0-enc0123456789abcdef'
    const sized = (length: number): string => moduleId + 'f'.repeat(length - moduleId.length)
    return { fields: { moduleId: sized(total) } }
  }
  return [
    ...refused(shop, 'ERR_ATTESTATION_SIZE', [
      [
        'message/empty',
        'a document has at least one byte',
        SIGN1,
        { message: () => new Uint8Array() },
      ],
      [
        'message/17-kib',
        'a document has at most 16 KiB; all else in this one is right, its module_id is long',
        'AWS, attestation process §3.2.2.1',
        long(13_000),
      ],
    ]),
    ...accepted(shop, [
      [
        'message/15-kib',
        'long documents are documents: the bound is 16 KiB',
        'AWS, attestation process §3.2.2.1',
        long(11_000),
      ],
      ['message/tagged', 'COSE_Sign1 may carry tag 18', SIGN1, { cose: { tagged: true } }],
      ['message/untagged', 'COSE_Sign1 may go without its tag, as real documents do', SIGN1, {}],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_COSE_SIGN1', [
      ['message/map', 'the message is an array', SIGN1, { message: () => hex('a0') }],
      ['message/integer', 'the message is an array', SIGN1, { message: () => hex('00') }],
      [
        'message/byte-string',
        'the message is an array, not a byte string that holds one',
        SIGN1,
        { message: encodeCbor },
      ],
      [
        'message/five-elements',
        'the array has four elements',
        SIGN1,
        { message: (message) => concat(hex('85'), message.subarray(1), hex('f6')) },
      ],
      [
        'message/three-elements',
        'the array has four elements: the signature is not left out',
        SIGN1,
        { message: (message) => concat(hex('83'), message.subarray(1, -98)) },
      ],
      [
        'message/payload-nil',
        'the payload is attached: what would be verified otherwise comes from elsewhere',
        SIGN1,
        { cose: { payloadItem: hex('f6') } },
      ],
      [
        'message/payload-text',
        'the payload is a byte string',
        SIGN1,
        { cose: { payloadItem: hex('6161') } },
      ],
      [
        'message/payload-inline-map',
        'the payload is a byte string, not the map itself',
        SIGN1,
        { cose: { payloadItem: hex('a0') } },
      ],
      [
        'message/protected-inline-map',
        'the protected header is a byte string that holds the map',
        'RFC 9052 §3',
        { cose: { protectedItem: hex('a1013822') } },
      ],
      [
        'message/protected-nil',
        'the protected header is a byte string',
        'RFC 9052 §3',
        { cose: { protectedItem: hex('f6') } },
      ],
      [
        'message/signature-nil',
        'the signature is a byte string',
        SIGN1,
        { cose: { signatureItem: hex('f6') } },
      ],
      [
        'message/signature-text',
        'the signature is a byte string',
        SIGN1,
        { cose: { signatureItem: concat(hex('7860'), new Uint8Array(96).fill(0x61)) } },
      ],
      ['payload/array', 'the payload is a map', AWS, { payload: () => hex('80') }],
      ['payload/integer', 'the payload is a map', AWS, { payload: () => hex('01') }],
      ['payload/null', 'the payload is a map', AWS, { payload: () => hex('f6') }],
    ]),
  ]
}

function headerCases(shop: Workshop): Draft[] {
  const ES384 = 'AWS, attestation process §3.1: ES384 only'
  const header = (digits: string, more: Row[3]['cose'] = {}): Row[3] => ({
    cose: { protected: hex(digits), ...more },
  })
  return [
    ...refused(shop, 'ERR_ATTESTATION_ALGORITHM', [
      ['header/es256', 'alg is ES384 whatever the key is', ES384, header('a10126')],
      [
        'header/es256-with-sha-256',
        'alg does not choose the hash',
        ES384,
        header('a10126', { signatureHash: 'sha256' }),
      ],
      ['header/es512', 'alg is ES384', ES384, header('a1013823')],
      [
        'header/es512-with-sha-512',
        'alg does not choose the hash',
        ES384,
        header('a1013823', { signatureHash: 'sha512' }),
      ],
      ['header/hmac', 'alg is ES384: the public key is no HMAC key', ES384, header('a10105')],
      ['header/qemu', 'alg is ES384: QEMU writes -1', ES384, header('a10120')],
      [
        'header/alg-text',
        'alg is the integer of ES384, not its name',
        'RFC 9053 §2.1',
        header('a101654553333834'),
      ],
      ['header/alg-absent', 'alg is given', ES384, header('a0')],
      ['header/empty', 'alg is given', ES384, header('')],
      [
        'header/alg-unprotected-only',
        'alg is read from the protected header alone',
        'RFC 9052 §3.1',
        header('', { unprotected: hex('a1013822') }),
      ],
      [
        'header/alg-not-shortest',
        'the header is in the one form that the NSM gives',
        'RFC 8949 §4.2.1',
        header('a101390022'),
      ],
      [
        'header/indefinite',
        'the header is in the one form that the NSM gives',
        'RFC 9052 §9',
        header('bf013822ff'),
      ],
      ['header/alg-twice', 'a map has no key twice', 'RFC 9052 §3', header('a20138220126')],
      ['header/kid', 'the NSM protects nothing but alg', AWS, header('a20138220441 00')],
      [
        'header/crit',
        'a critical header that is not understood',
        'RFC 9052 §3.1',
        header('a201382202811863'),
      ],
      [
        'header/trailing-byte',
        'the header is exactly one map',
        'RFC 9052 §3',
        header('a101382200'),
      ],
      ['header/array', 'the header is a map', 'RFC 9052 §3', header('82013822')],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_UNPROTECTED_HEADER', [
      [
        'header/unprotected-alg',
        'nothing stands outside of the signature',
        AWS,
        { cose: { unprotected: hex('a1013822') } },
      ],
      [
        'header/unprotected-other-alg',
        'nothing stands outside of the signature',
        AWS,
        { cose: { unprotected: hex('a10126') } },
      ],
      [
        'header/unprotected-kid',
        'nothing stands outside of the signature',
        AWS,
        { cose: { unprotected: hex('a1044100') } },
      ],
      [
        'header/unprotected-text-label',
        'nothing stands outside of the signature',
        AWS,
        { cose: { unprotected: hex('a161616161') } },
      ],
      [
        'header/unprotected-nil',
        'the unprotected header is a map',
        'RFC 9052 §3',
        { cose: { unprotected: hex('f6') } },
      ],
      [
        'header/unprotected-array',
        'the unprotected header is a map',
        'RFC 9052 §3',
        { cose: { unprotected: hex('80') } },
      ],
      [
        'header/unprotected-bytes',
        'the unprotected header is a map, not a byte string',
        'RFC 9052 §3',
        { cose: { unprotected: hex('41a0') } },
      ],
    ]),
  ]
}

function signatureLengthCases(shop: Workshop): Draft[] {
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

function signatureCases(shop: Workshop): Draft[] {
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
        'signature/s-negated-twice',
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
