import type { CorpusPolicy, Draft } from './corpus.ts'
import { ascii, hex } from './der.ts'
import { accepted, NONCE, POLICY, refused, toHex, withoutEntry } from './workshop.ts'
import type { Row, Workshop } from './workshop.ts'

/** Documents that answer another exchange. */
export function expectedFieldCases(shop: Workshop): Draft[] {
  const key = ascii('the public key')
  const data = ascii('the user data')
  const policy: CorpusPolicy = { ...POLICY, publicKey: toHex(key), userData: toHex(data) }
  const fields = { publicKey: key, userData: data }
  const changed = (more: Partial<Workshop['fields']>): Row[3] => ({
    fields: { ...fields, ...more },
  })
  const rows = (
    name: string,
    field: 'nonce' | 'publicKey' | 'userData',
    good: Uint8Array,
  ): Row[] => {
    const rule = `${name.replace('-', '_')} is the one that is expected`
    const source = 'RFC 9334 §10.2'
    const emptyExpected = { policy: { ...policy, [field]: '' } }
    return [
      [
        `${name}/other`,
        rule,
        source,
        changed({ [field]: good.map((octet) => octet ^ 1) }),
        { policy },
      ],
      [
        `${name}/one-bit`,
        rule,
        source,
        changed({ [field]: good.map((octet, index) => (index === 0 ? octet ^ 0x80 : octet)) }),
        { policy },
      ],
      [`${name}/null`, rule, source, changed({ [field]: null }), { policy }],
      [`${name}/empty`, rule, source, changed({ [field]: new Uint8Array() }), { policy }],
      [
        `${name}/absent`,
        rule,
        source,
        { fields, entries: (all) => withoutEntry(all, name.replace('-', '_')) },
        { policy },
      ],
      [`${name}/prefix`, rule, source, changed({ [field]: good.subarray(0, -1) }), { policy }],
      [
        `${name}/longer`,
        rule,
        source,
        changed({ [field]: new Uint8Array([...good, 0]) }),
        { policy },
      ],
      ...(field === 'nonce'
        ? []
        : [
            [
              `${name}/null-for-empty`,
              'null is not empty',
              source,
              changed({ [field]: null }),
              emptyExpected,
            ] satisfies Row,
          ]),
    ]
  }
  return [
    ...refused(shop, 'ERR_ATTESTATION_NONCE', [
      ...rows('nonce', 'nonce', NONCE),
      [
        'nonce/not-utf-8',
        'a nonce is bytes: both of these decode to the same text',
        'RFC 9334 §10.2',
        changed({ nonce: hex('fffe') }),
        { policy: { ...policy, nonce: 'fefe' } },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_PUBLIC_KEY', rows('public-key', 'publicKey', key)),
    ...refused(shop, 'ERR_ATTESTATION_USER_DATA', rows('user-data', 'userData', data)),
    ...accepted(shop, [
      [
        'expected/all',
        'nonce, public_key and user_data are those that are expected',
        'RFC 9334 §10.2',
        { fields },
        { policy },
      ],
      [
        'expected/empty',
        'an empty value is one that can be expected',
        'real documents',
        { fields: { publicKey: new Uint8Array(), userData: new Uint8Array() } },
        { policy: { ...POLICY, publicKey: '', userData: '' } },
      ],
      [
        'expected/nothing-asked',
        'a value that nobody asks for is not judged',
        'RFC 9334 §8.5',
        { fields },
      ],
    ]),
  ]
}
