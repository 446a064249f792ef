import { encodeCbor, entry } from '@enclavejs/simulator/forge'
import type { Draft } from './corpus.ts'
import { hex } from './der.ts'
import { set } from './fields.ts'
import { accepted, at, NONCE, POLICY, refused, toHex, withoutEntry } from './workshop.ts'
import type { Workshop } from './workshop.ts'

const AWS = 'AWS, attestation process §3.2.2'

/** What public_key, user_data and nonce may be. */
export function optionalFieldCases(shop: Workshop): Draft[] {
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

/** Documents of the parent instance under the same root. */
export function nitroTpmCases(shop: Workshop): Draft[] {
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
