import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createKeyPolicy, type CreateKeyPolicyOptions } from '@enclavejs/kms-enclave/policy'
import { isAllowed } from './evaluation.ts'
import {
  ACCOUNT,
  call,
  created,
  ENCLAVE,
  FOREIGN,
  image,
  isImage,
  KEEPER,
  OPTIONS,
  pcr,
  ROOT,
  someOptions,
  somePcrs,
  verify,
  WRITER,
} from './fixture.ts'

const ATTESTED = ['Decrypt', 'GenerateDataKey', 'GenerateDataKeyPair', 'DeriveSharedSecret']
const WAYS_AROUND = ['CreateGrant', 'ReEncryptFrom', 'ReplicateKey']
const EVERYONE = [ENCLAVE, KEEPER, WRITER, FOREIGN, `arn:aws:iam::${ACCOUNT}:user/someone`]

describe('a created policy', () => {
  it('is what the documentation of this package shows', () => {
    const { policy, json, bypassPolicyLockoutSafetyCheck } = createKeyPolicy({
      ...OPTIONS,
      images: {
        pcrs: { PCR0: pcr(1).toUpperCase(), PCR1: new Uint8Array(48).fill(1), PCR2: pcr(3) },
      },
      encrypters: [],
    })
    expect(JSON.parse(json)).toEqual(policy)
    expect(bypassPolicyLockoutSafetyCheck).toBe(true)
    const equal = {
      'kms:RecipientAttestation:PCR0': pcr(1),
      'kms:RecipientAttestation:PCR1': '01'.repeat(48),
      'kms:RecipientAttestation:PCR2': pcr(3),
    }
    const held = ['kms:Decrypt', 'kms:DeriveSharedSecret', 'kms:GenerateDataKey*']
    const denyOther = (index: number, value: string) => ({
      Sid: `DenyOtherPcr${index}`,
      Effect: 'Deny',
      Principal: '*',
      Action: held,
      Resource: '*',
      Condition: {
        StringNotEqualsIgnoreCase: { [`kms:RecipientAttestation:PCR${index}`]: [value] },
      },
    })
    expect(policy.Statement.filter(({ Sid }) => Sid !== 'AllowAdministration')).toEqual([
      {
        Sid: 'AllowImage1',
        Effect: 'Allow',
        Principal: { AWS: [ENCLAVE] },
        Action: ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyPair'],
        Resource: '*',
        Condition: { StringEqualsIgnoreCase: equal },
      },
      {
        Sid: 'AllowEnclaveRole',
        Effect: 'Allow',
        Principal: { AWS: [ENCLAVE] },
        Action: [
          ...['kms:Encrypt', 'kms:DescribeKey', 'kms:GetPublicKey'],
          ...['kms:GetKeyPolicy', 'kms:ListGrants'],
        ],
        Resource: '*',
      },
      denyOther(0, pcr(1)),
      denyOther(1, '01'.repeat(48)),
      denyOther(2, pcr(3)),
      {
        Sid: 'DenyWaysAround',
        Effect: 'Deny',
        Principal: '*',
        Action: [...WAYS_AROUND.map((action) => `kms:${action}`), 'kms:PutKeyPolicy'],
        Resource: '*',
      },
    ])
  })

  it('gives plaintext to exactly the combinations of the images, whoever else there is', () => {
    const cases = someOptions.chain((options) =>
      fc.tuple(
        fc.constant(options),
        somePcrs(options.images as never),
        fc.constantFrom(...ATTESTED),
        fc.constantFrom(...EVERYONE),
      ),
    )
    let allowed = 0
    fc.assert(
      fc.property(cases, ([options, pcrs, action, principal]) => {
        const images = options.images as never
        const usable = (action === 'DeriveSharedSecret') === (options.keyUsage === 'KEY_AGREEMENT')
        const pinned = Object.hasOwn((options.images as { pcrs: object }[])[0]?.pcrs ?? {}, '0')
        const right =
          usable &&
          options.enclaveRoles.includes(principal) &&
          isImage(pcrs, images) &&
          (pinned || pcrs['0'] !== '0'.repeat(96))
        if (right) allowed++
        expect(isAllowed(created(options), call(action, pcrs, principal))).toBe(right)
      }),
      { numRuns: 2000 },
    )
    expect(allowed).toBeGreaterThan(50)
  })

  it('denies PCR0 of one image with PCR1 of another, and any document that is short of a PCR', () => {
    const [one, two] = [image(1).pcrs, image(2).pcrs]
    const policy = created()
    expect(isAllowed(policy, call('Decrypt', one))).toBe(true)
    expect(isAllowed(policy, call('Decrypt', two))).toBe(true)
    expect(isAllowed(policy, call('Decrypt', { ...one, 1: two[1] }))).toBe(false)
    expect(isAllowed(policy, call('Decrypt', { 0: one[0], 1: one[1] }))).toBe(false)
    expect(isAllowed(policy, call('Decrypt'))).toBe(false)
  })

  it('gives nobody a way around, and the policy to administrators only when it is not locked', () => {
    fc.assert(
      fc.property(someOptions, fc.constantFrom(...EVERYONE), (options, principal) => {
        const policy = created(options)
        const [first] = options.images as [{ pcrs: Record<string, string> }]
        for (const action of WAYS_AROUND) {
          expect(isAllowed(policy, call(action, first.pcrs, principal))).toBe(false)
        }
        const administers =
          options.administrators.includes(principal) ||
          (options.administrators.includes(ROOT) && principal.includes(ACCOUNT))
        expect(isAllowed(policy, call('PutKeyPolicy', {}, principal))).toBe(
          administers && !options.locked,
        )
        expect(isAllowed(policy, call('ScheduleKeyDeletion', {}, principal))).toBe(administers)
      }),
    )
  })

  it('lets the enclave and those who encrypt do what needs no document', () => {
    const policy = created()
    for (const action of ['Encrypt', 'DescribeKey', 'GetPublicKey', 'GetKeyPolicy', 'ListGrants']) {
      expect(isAllowed(policy, call(action))).toBe(true)
      const reads = action !== 'GetKeyPolicy' && action !== 'ListGrants'
      expect(isAllowed(policy, call(action, {}, WRITER))).toBe(reads)
      expect(isAllowed(policy, call(action, {}, FOREIGN))).toBe(false)
    }
    expect(isAllowed(created({ ...OPTIONS, keyUsage: 'KEY_AGREEMENT' }), call('Encrypt'))).toBe(
      false,
    )
  })
})

// The Denies are for the day on which something else in the policy is too wide, such as AWS's default statement.
describe('with AWS’s default statement, account root kms:*, beside it', () => {
  const all = {
    Sid: 'Default',
    Effect: 'Allow',
    Principal: { AWS: ROOT },
    Action: 'kms:*',
    Resource: '*',
  }
  const withDefault = (options: CreateKeyPolicyOptions = OPTIONS) => {
    const policy = created(options)
    policy.Statement.push(all)
    return policy
  }
  const without = (sid: string, options?: CreateKeyPolicyOptions) => {
    const policy = withDefault(options)
    const kept = policy.Statement.filter(({ Sid }) => Sid !== sid)
    expect(kept).toHaveLength(policy.Statement.length - 1)
    return { ...policy, Statement: kept }
  }
  const signed: CreateKeyPolicyOptions = { ...OPTIONS, images: image(1, [8]) }

  it.each([0, 1, 2, 3, 4, 8, 16])('DenyOtherPcr%i alone stops another value of it', (index) => {
    const options = { ...OPTIONS, images: image(1, [0, 1, 2, 3, 4, 8, 16]) }
    const right = options.images.pcrs as Record<number, string>
    for (const action of ATTESTED) {
      for (const wrong of [
        { ...right, [index]: pcr(999) },
        { ...right, [index]: undefined },
      ]) {
        const pcrs = JSON.parse(JSON.stringify(wrong)) as Record<string, string>
        const attempt = call(action, pcrs, KEEPER)
        expect(isAllowed(withDefault(options), attempt)).toBe(false)
        expect(isAllowed(without(`DenyOtherPcr${index}`, options), attempt)).toBe(true)
      }
    }
  })

  it('one image: exactly its PCRs pass, whoever calls', () => {
    const options = { ...OPTIONS, images: image(1) }
    fc.assert(
      fc.property(somePcrs([options.images]), (pcrs) => {
        const attempt = call('Decrypt', pcrs, KEEPER)
        expect(isAllowed(withDefault(options), attempt)).toBe(isImage(pcrs, [options.images]))
      }),
    )
  })

  it('DenyDebugMode alone stops debug mode where only the signer is pinned', () => {
    const debug = call('Decrypt', { ...image(1, [8]).pcrs, 0: '0'.repeat(96) }, KEEPER)
    expect(isAllowed(withDefault(signed), debug)).toBe(false)
    expect(isAllowed(without('DenyDebugMode', signed), debug)).toBe(true)
  })

  it.each([...WAYS_AROUND, 'PutKeyPolicy'])('DenyWaysAround alone stops %s', (action) => {
    expect(isAllowed(withDefault(), call(action, {}, KEEPER))).toBe(false)
    expect(isAllowed(without('DenyWaysAround'), call(action, {}, KEEPER))).toBe(true)
  })

  it('PCRs of two images mix: the Denies know values, the Allows combinations', () => {
    const mixed = call('Decrypt', { ...image(1).pcrs, 1: image(2).pcrs[1] }, KEEPER)
    expect(isAllowed(withDefault(), mixed)).toBe(true)
    expect(isAllowed(created(), mixed)).toBe(false)
    expect(() => verify(withDefault())).toThrow()
  })

  it('several PCRs in one negated Deny would not do', () => {
    const policy = withDefault({ ...OPTIONS, images: image(1) })
    const denies = policy.Statement.filter(({ Sid }) => String(Sid).startsWith('DenyOtherPcr'))
    const conditions = denies.map(
      ({ Condition }) =>
        (Condition as { StringNotEqualsIgnoreCase: object }).StringNotEqualsIgnoreCase,
    )
    const one = {
      ...denies[0],
      Condition: { StringNotEqualsIgnoreCase: Object.assign({}, ...conditions) as object },
    }
    const merged = [...policy.Statement.filter((statement) => !denies.includes(statement)), one]
    const wrong = call('Decrypt', { ...image(1).pcrs, 1: pcr(999) }, KEEPER)
    expect(isAllowed(policy, wrong)).toBe(false)
    expect(isAllowed({ Statement: merged }, wrong)).toBe(true)
  })
})

describe('createKeyPolicy', () => {
  it('gives unique Sids of letters and digits', () => {
    fc.assert(
      fc.property(someOptions, (options) => {
        const sids = created(options).Statement.map(({ Sid }) => Sid as string)
        expect(new Set(sids).size).toBe(sids.length)
        for (const sid of sids) expect(sid).toMatch(/^[A-Za-z0-9]+$/)
      }),
    )
  })

  it('refuses a policy of more than 32 KiB', () => {
    const images = (count: number) => Array.from({ length: count }, (_, index) => image(index + 1))
    expect(createKeyPolicy({ ...OPTIONS, images: images(30) }).json.length).toBeLessThan(32_768)
    expect(() => createKeyPolicy({ ...OPTIONS, images: images(60) })).toThrow(
      expect.objectContaining({ name: 'KeyPolicyError', code: 'ERR_KMS_POLICY_SIZE' }) as Error,
    )
  })

  it('takes debug mode only when told', () => {
    const images = { pcrs: { 0: '00'.repeat(48), 1: pcr(1), 2: pcr(2) } }
    expect(() => createKeyPolicy({ ...OPTIONS, images })).toThrow(/images\.pcrs\[0\] is zero/)
    const { policy } = createKeyPolicy({ ...OPTIONS, images, allowDebugMode: true })
    expect(isAllowed(policy, call('Decrypt', { ...images.pcrs }))).toBe(true)
    const open = createKeyPolicy({ ...OPTIONS, images: image(1, [8]), allowDebugMode: true })
    expect(open.json).not.toContain('DenyDebugMode')
  })

  it('works in other partitions', () => {
    const role = 'arn:aws-us-gov:iam::123456789012:role/enclave'
    const options = {
      ...OPTIONS,
      enclaveRoles: [role],
      administrators: ['arn:aws-us-gov:iam::123456789012:root'],
      encrypters: [],
    }
    expect(createKeyPolicy(options).json).toContain(role)
  })

  const bad = (change: Record<string, unknown>) => () =>
    createKeyPolicy({ ...OPTIONS, ...change } as never)
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['an unknown option', { lock: true }, /unknown option "lock"/],
    ['no choice of locked', { locked: undefined }, /locked must be said/],
    ['an account of eleven digits', { account: '12345678901' }, /account must be/],
    ['a usage without attestation', { keyUsage: 'SIGN_VERIFY' }, /keyUsage/],
    ['no images', { images: [] }, /images is empty/],
    ['no role', { enclaveRoles: [] }, /enclaveRoles is empty/],
    ['roles as one text', { enclaveRoles: ENCLAVE }, /enclaveRoles must be a list/],
    ['an account as the enclave', { enclaveRoles: [ROOT] }, /enclaveRoles\[0\]/],
    ['everyone as the enclave', { enclaveRoles: ['*'] }, /enclaveRoles\[0\]/],
    ['a role twice', { enclaveRoles: [ENCLAVE, ENCLAVE] }, /twice/],
    ['no administrator', { administrators: [] }, /administrators is empty/],
    ['an administrator elsewhere', { administrators: [FOREIGN] }, /not in the account/],
    ['two partitions', { encrypters: ['arn:aws-cn:iam::123456789012:role/x'] }, /partition/],
    ['PCR0 alone', { images: { pcrs: { 0: pcr(1) } } }, /together, or PCR8/],
    ['a PCR that is too short', { images: { pcrs: { 8: 'ab' } } }, /48 bytes/],
    ['a PCR outside', { images: { pcrs: { 8: pcr(1), 32: pcr(1) } } }, /outside 0 to 31/],
    ['no PCR', { images: { pcrs: { 8: pcr(1), PCRx: pcr(1) } } }, /no PCR index/],
    ['a PCR twice', { images: { pcrs: { 8: pcr(1), PCR8: pcr(1) } } }, /twice/],
    ['a set without PCRs', { images: {} }, /pcrs must be/],
    ['a set with more', { images: { pcrs: image(1).pcrs, pcr: 1 } }, /unknown option "pcr"/],
    ['an empty label', { images: { label: '', pcrs: image(1).pcrs } }, /label/],
    ['two sets of one label', { images: [image(1), image(1)] }, /own label/],
    ['sets that name different PCRs', { images: [image(1), image(2, [0, 1, 2, 8])] }, /same PCRs/],
    ['allowDebugMode as text', { allowDebugMode: 'yes' }, /allowDebugMode/],
  ])('refuses %s', (_name, change, message) => {
    expect(bad(change)).toThrow(message)
    try {
      bad(change)()
    } catch (error) {
      expect(['TypeError', 'RangeError']).toContain((error as Error).name)
    }
  })
})
