import { encodeCbor, entry, type CborWritable } from '@enclavejs/simulator/forge'
import type { AttestationErrorCode } from '@enclavejs/attestation'
import type { Draft } from './corpus.ts'
import { ascii, concat, hex } from './der.ts'
import { accepted, at, NONCE, NOW, pcr, POLICY, refused, toHex } from './workshop.ts'
import { withEntry, withoutEntry, withRecipe, type Row, type Workshop } from './workshop.ts'

const AWS = 'AWS, attestation process §3.2.2'

/** What the payload's fields may be. */
export function fieldCases(shop: Workshop): Draft[] {
  return [
    ...presenceCases(shop),
    ...typeCases(shop),
    ...pcrCases(shop),
    ...optionalCases(shop),
    ...nitroTpmCases(shop),
  ]
}

function set(key: string, item: Uint8Array): Row[3] {
  return { entries: (all) => withEntry(all, key, item) }
}

function without(key: string): Row[3] {
  return { entries: (all) => withoutEntry(all, key) }
}

function added(key: CborWritable, value: CborWritable): Row[3] {
  return { entries: (all) => [...all, [encodeCbor(key), encodeCbor(value)]] }
}

function presenceCases(shop: Workshop): Draft[] {
  const mandatory = ['module_id', 'digest', 'timestamp', 'pcrs', 'certificate', 'cabundle']
  const unknown = 'the fields are the nine of the specification'
  return [
    ...refused(shop, 'ERR_ATTESTATION_FIELD_ABSENT', [
      ...mandatory.map((key): Row => [
        `field/${key.replace('_', '-')}-absent`,
        `${key} is present`,
        `${AWS}.1`,
        without(key),
      ]),
      ['field/no-fields', 'the fields are present', `${AWS}.1`, { payload: () => hex('a0') }],
      [
        'field/no-fields-indefinite',
        'the fields are present',
        `${AWS}.1`,
        { payload: () => hex('bfff') },
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_FIELD_UNKNOWN', [
      ['field/unknown', unknown, `${AWS}.1`, added('extra', null)],
      ['field/unknown-integer', unknown, `${AWS}.1`, added(1, null)],
      [
        'field/unknown-case',
        'field names know upper and lower case',
        `${AWS}.1`,
        added('PCRS', null),
      ],
      ['field/unknown-empty', unknown, `${AWS}.1`, added('', null)],
      [
        'field/unknown-proto',
        'a name that JavaScript objects answer to is a name like others',
        `${AWS}.1`,
        added('__proto__', new Map([['nonce', NONCE]])),
      ],
      [
        'field/unknown-constructor',
        'a name that JavaScript objects answer to is a name like others',
        `${AWS}.1`,
        added('constructor', null),
      ],
      ['field/unknown-nul', 'a name does not end at a NUL', `${AWS}.1`, added('nonce\0', NONCE)],
    ]),
  ]
}

function typeCases(shop: Workshop): Draft[] {
  const rows = (
    code: AttestationErrorCode,
    key: string,
    rule: string,
    items: Readonly<Record<string, Uint8Array>>,
  ): Draft[] =>
    refused(
      shop,
      code,
      Object.entries(items).map(([name, item]) => [
        `field/${key.replace('_', '-')}-${name}`,
        rule,
        `${AWS}.2`,
        set(key, item),
      ]),
    )
  return [
    ...rows('ERR_ATTESTATION_MODULE_ID', 'module_id', 'module_id is a non-empty text', {
      empty: encodeCbor(''),
      null: encodeCbor(null),
      bytes: encodeCbor(ascii('i-0123456789abcdef0-enc0123456789abcdef')),
      integer: encodeCbor(1),
      array: encodeCbor(['i-0123456789abcdef0-enc0123456789abcdef']),
    }),
    ...rows('ERR_ATTESTATION_DIGEST', 'digest', 'digest is the text SHA384', {
      sha256: encodeCbor('SHA256'),
      sha512: encodeCbor('SHA512'),
      'lower-case': encodeCbor('sha384'),
      empty: encodeCbor(''),
      null: encodeCbor(null),
      bytes: encodeCbor(ascii('SHA384')),
      hyphen: encodeCbor('SHA-384'),
    }),
    ...rows(
      'ERR_ATTESTATION_TIMESTAMP',
      'timestamp',
      'timestamp is milliseconds since 1970, a positive integer',
      {
        zero: encodeCbor(0),
        negative: hex(`3b${eightBytes(NOW.getTime() - 1)}`),
        'minus-1': encodeCbor(-1),
        null: encodeCbor(null),
        text: encodeCbor(NOW.toISOString()),
        bytes: encodeCbor(hex(eightBytes(NOW.getTime()))),
        true: encodeCbor(true),
        'beyond-dates': hex('1b001eb208c2dc0001'),
        'beyond-2-53': hex('1b0020000000000001'),
        'beyond-2-63': hex('1bffffffffffffffff'),
      },
    ),
    ...rows('ERR_ATTESTATION_CERTIFICATE_SIZE', 'certificate', 'certificate is 1 to 1024 bytes', {
      empty: encodeCbor(new Uint8Array()),
      null: encodeCbor(null),
      text: encodeCbor('certificate'),
      array: encodeCbor([shop.path.leaf.certificate]),
    }),
    ...refused(shop, 'ERR_ATTESTATION_CERTIFICATE_SIZE', [
      [
        'field/certificate-1025',
        'certificate is at most 1024 bytes; this one is good',
        `${AWS}.1`,
        { path: padded(shop, 'leaf', 1025) },
      ],
    ]),
    ...accepted(shop, [
      [
        'field/certificate-1024',
        'certificate may have 1024 bytes',
        `${AWS}.1`,
        { path: padded(shop, 'leaf', 1024) },
      ],
      [
        'field/cabundle-certificate-1024',
        'a certificate of the bundle may have 1024 bytes',
        `${AWS}.1`,
        { path: padded(shop, 'zonal', 1024) },
      ],
    ]),
    ...rows('ERR_ATTESTATION_CABUNDLE', 'cabundle', 'cabundle is an array of certificates', {
      null: encodeCbor(null),
      bytes: encodeCbor(shop.path.root.certificate),
      map: encodeCbor(new Map([[0, shop.path.root.certificate]])),
    }),
  ]
}

/** A path in which one certificate has exactly `size` bytes, by an extension that is not critical. */
export function padded(shop: Workshop, level: 'leaf' | 'zonal', size: number): Workshop['path'] {
  let filling = size - shop.path[level].certificate.length - 30
  // A signature's length varies by a few bytes, so the first attempt rarely fits.
  for (let attempt = 0; attempt < 1000; attempt++) {
    const value = concat(
      hex('0482'),
      Uint8Array.of(filling >> 8, filling & 0xff),
      new Uint8Array(filling),
    )
    const path = withRecipe(shop, level, (recipe) => ({
      ...recipe,
      extensions: [...recipe.extensions, { oid: '1.3.6.1.4.1.99999.1', critical: false, value }],
    }))
    const difference = size - path[level].certificate.length
    if (difference === 0) return path
    if (Math.abs(difference) > 1) filling += difference
  }
  throw new Error(`no certificate of ${size} bytes came about`)
}

function pcrCases(shop: Workshop): Draft[] {
  const all = [...shop.fields.pcrs]
  const given = (pcrs: readonly (readonly [number, Uint8Array])[]): Row[3] => ({
    fields: { pcrs: new Map(pcrs) },
  })
  const range = (count: number): [number, Uint8Array][] =>
    Array.from({ length: count }, (_, index) => [index, pcr(index + 1)])
  const index = 'an index is 0 to 31'
  const value = 'a PCR has the 48 bytes of SHA-384'
  const raw = (items: string): Row[3] =>
    set('pcrs', concat(hex('b1'), encodeCbor(shop.fields.pcrs).subarray(1), hex(items)))
  const other = (item: Uint8Array): Row[3] =>
    set('pcrs', concat(encodeCbor(new Map(all.slice(0, 15))).map(oneMore), hex('0f'), item))
  return [
    ...accepted(shop, [
      ['pcrs/17', 'the application locked one PCR more', `${AWS}.2`, given(range(17))],
      ['pcrs/32', 'all PCRs may be locked', `${AWS}.2`, given(range(32))],
      ['pcrs/only-three', 'PCRs that nobody asks for may be absent', `${AWS}.2`, given(range(3))],
      [
        'pcrs/gap',
        'indices need not follow each other',
        `${AWS}.2`,
        given([...range(3), [31, pcr(32)]]),
      ],
      ['pcrs/other-order', 'a map has no order', 'RFC 8949 §5.6', given(all.toReversed())],
      [
        'pcrs/zero-beside',
        'PCR3 is zero on an instance without a role',
        'AWS, set-up-attestation',
        given(all.map(([at, one]) => [at, at === 3 ? pcr(0) : one])),
      ],
    ]),
    ...refused(shop, 'ERR_ATTESTATION_PCRS', [
      ['pcrs/empty', 'there is at least one PCR', `${AWS}.2`, given([])],
      ['pcrs/33', 'there are at most 32 PCRs', `${AWS}.2`, given(range(33))],
      ['pcrs/null', 'pcrs is a map', `${AWS}.2`, set('pcrs', encodeCbor(null))],
      [
        'pcrs/array',
        'pcrs is a map, not an array of values',
        `${AWS}.2`,
        set('pcrs', encodeCbor([...shop.fields.pcrs.values()])),
      ],
      ['pcrs/bytes', 'pcrs is a map', `${AWS}.2`, set('pcrs', encodeCbor(pcr(1)))],
      ['pcrs/index-32', index, `${AWS}.2`, given([...all, [32, pcr(1)]])],
      [
        'pcrs/index-256',
        'an index is not cut to a byte',
        `${AWS}.2`,
        given([...all.slice(1), [256, pcr(1)], [0, pcr(1)]]),
      ],
      ['pcrs/index-minus-1', index, `${AWS}.2`, raw(`205830${'01'.repeat(48)}`)],
      ['pcrs/index-2-64', index, `${AWS}.2`, raw(`1bffffffffffffffff5830${'01'.repeat(48)}`)],
      [
        'pcrs/index-2-32',
        'an index is not cut to 32 bits',
        `${AWS}.2`,
        raw(`1b00000001000000005830${'01'.repeat(48)}`),
      ],
      [
        'pcrs/index-text',
        'an index is an integer',
        `${AWS}.2`,
        raw(`6231365830${'01'.repeat(48)}`),
      ],
      [
        'pcrs/index-text-0',
        'an index is an integer: "0" is not 0',
        `${AWS}.2`,
        raw(`61305830${'42'.repeat(48)}`),
      ],
      ...[0, 32, 47, 49, 64].map((length): Row => [
        `pcrs/value-of-${length}`,
        value,
        `${AWS}.2`,
        other(encodeCbor(pcr(1, length))),
      ]),
      ['pcrs/value-null', value, `${AWS}.2`, other(encodeCbor(null))],
      ['pcrs/value-text', value, `${AWS}.2`, other(encodeCbor('1'.repeat(48)))],
      ['pcrs/value-array', value, `${AWS}.2`, other(encodeCbor([]))],
    ]),
  ]
}

function eightBytes(value: number): string {
  return value.toString(16).padStart(16, '0')
}

/** A map's head says one pair more. */
function oneMore(octet: number, index: number): number {
  return index === 0 ? octet + 1 : octet
}

function optionalCases(shop: Workshop): Draft[] {
  const kib = new Uint8Array(1024).fill(5)
  const { nonce: _, ...image } = POLICY
  const aged = { ...image, maxAge: 60 }
  const codes = {
    public_key: 'ERR_ATTESTATION_PUBLIC_KEY_SIZE',
    user_data: 'ERR_ATTESTATION_USER_DATA_SIZE',
    nonce: 'ERR_ATTESTATION_NONCE_SIZE',
  } as const
  const wrong = Object.entries(codes).flatMap(([key, code]) => {
    const name = `field/${key.replace('_', '-')}`
    const rule = `${key} is null or 0 to 1024 bytes`
    return refused(shop, code, [
      [
        `${name}-1025`,
        rule,
        `${AWS}.1`,
        set(key, encodeCbor(new Uint8Array(1025).fill(5))),
        { policy: aged },
      ],
      [`${name}-text`, rule, `${AWS}.1`, set(key, encodeCbor('text')), { policy: aged }],
      [`${name}-undefined`, rule, `${AWS}.1`, set(key, hex('f7')), { policy: aged }],
      [`${name}-false`, rule, `${AWS}.1`, set(key, hex('f4')), { policy: aged }],
      [`${name}-array`, rule, `${AWS}.1`, set(key, encodeCbor([1, 2, 3])), { policy: aged }],
      [`${name}-zero`, rule, `${AWS}.1`, set(key, encodeCbor(0)), { policy: aged }],
    ])
  })
  const nonce = toHex(kib)
  return [
    ...accepted(shop, [
      [
        'field/optional-null',
        'the three optional fields are null where nothing was given',
        'real documents',
        { fields: { nonce: null } },
        { policy: aged },
      ],
      [
        'field/optional-absent',
        'the three optional fields may be absent',
        `${AWS}.1`,
        { entries: (all) => all.slice(0, 6) },
        { policy: aged },
      ],
      [
        'field/optional-empty',
        'the three optional fields may be empty',
        'real documents',
        {
          fields: {
            publicKey: new Uint8Array(),
            userData: new Uint8Array(),
            nonce: new Uint8Array(),
          },
        },
        { policy: aged },
      ],
      [
        'field/optional-1024',
        'the three optional fields may have 1024 bytes',
        'real documents',
        { fields: { publicKey: kib, userData: kib, nonce: kib } },
        { policy: { ...POLICY, nonce, publicKey: nonce, userData: nonce } },
      ],
      [
        'field/optional-one-byte',
        'the three optional fields may have one byte',
        `${AWS}.1`,
        { fields: { publicKey: hex('00'), userData: hex('00'), nonce: hex('00') } },
        { policy: { ...POLICY, nonce: '00', publicKey: '00', userData: '00' } },
      ],
    ]),
    ...wrong,
  ]
}

function nitroTpmCases(shop: Workshop): Draft[] {
  const source = 'AWS EC2, nitrotpm-attestation-document-validate'
  const tpm = `${shop.fields.moduleId.replace(/-enc.*/, '')}-tpm0000000000000000`
  const pcrs = encodeCbor(shop.fields.pcrs)
  const any = { policy: { acceptAnyImage: true, nonce: toHex(NONCE) } }
  return refused(shop, 'ERR_ATTESTATION_NITROTPM', [
    [
      'nitrotpm/in-place-of-pcrs',
      'a NitroTPM document speaks of the parent instance',
      source,
      { entries: (all) => [...withoutEntry(all, 'pcrs'), entry('nitrotpm_pcrs', pcrs)] },
      any,
    ],
    [
      'nitrotpm/beside-pcrs',
      'nitrotpm_pcrs makes it a NitroTPM document',
      source,
      { entries: (all) => [...all, entry('nitrotpm_pcrs', pcrs)] },
    ],
    [
      'nitrotpm/module-id',
      'a module id of -tpm is that of the parent instance',
      source,
      { fields: { moduleId: tpm } },
    ],
    [
      'nitrotpm/whole',
      'a NitroTPM document, as the parent instance can have one with any user data and nonce',
      source,
      {
        fields: { moduleId: tpm, timestamp: at(0).getTime() },
        entries: (all) => [...withoutEntry(all, 'pcrs'), entry('nitrotpm_pcrs', pcrs)],
      },
      any,
    ],
  ])
}
