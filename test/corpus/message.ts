import { encodeCbor } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { concat, hex } from './der.ts'
import { accepted, refused, type Row, type Workshop } from './workshop.ts'

const SIGN1 = 'RFC 9052 §4.2'
const AWS = 'AWS, attestation process §3.1'

/** The COSE_Sign1 as an array of four. */
export function messageCases(shop: Workshop): Draft[] {
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
        'message/tag-18-twice',
        'at most one tag 18',
        SIGN1,
        { message: (message) => concat(hex('d2d2'), message) },
      ],
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
