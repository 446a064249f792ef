import type { Draft } from './corpus.ts'
import { hex } from './der.ts'
import { refused, type Row, type Workshop } from './workshop.ts'

const AWS = 'AWS, attestation process §3.1'

/** The two headers: ES384 and nothing else in the one, nothing in the other. */
export function headerCases(shop: Workshop): Draft[] {
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
        'header/unprotected-alg-tagged',
        'the unprotected header is empty, with tag 18 as without',
        'AWS, attestation process §3.1',
        { cose: { tagged: true, unprotected: hex('a1013822') } },
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
