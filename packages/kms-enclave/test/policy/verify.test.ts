import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createKeyPolicy, verifyKeyPolicy } from '@enclavejs/kms-enclave/policy'
import type { CreateKeyPolicyOptions, KeyPolicyError } from '@enclavejs/kms-enclave/policy'
import { isAllowed, type Call } from './evaluation.ts'
import {
  ACCOUNT,
  call,
  created,
  ENCLAVE,
  expectedOf,
  FOREIGN,
  image,
  isImage,
  KEEPER,
  KEY,
  KEY_ARN,
  NO_GRANTS,
  OPTIONS,
  pcr,
  ROOT,
  someOptions,
  verify,
  WRITER,
  type LoosePolicy,
} from './fixture.ts'
import { mutationsOf } from './mutation.ts'

/** The code of the refusal, `accepted` without one. Anything else that is thrown is a defect. */
function codeOf(judge: () => unknown): string {
  try {
    judge()
    return 'accepted'
  } catch (error) {
    if ((error as Error).name !== 'KeyPolicyError') throw error
    return (error as KeyPolicyError).code
  }
}

describe('verifyKeyPolicy', () => {
  it('accepts every created policy, and says what was verified', () => {
    fc.assert(
      fc.property(someOptions, (options) => {
        const { access, locked } = verify(createKeyPolicy(options).json, options)
        expect(locked).toBe(options.locked)
        const images = [options.images].flat().map(({ label }) => label)
        for (const entry of access) {
          expect(entry.principals).toEqual(options.enclaveRoles)
          expect(images).toEqual(expect.arrayContaining([...entry.images]))
        }
        expect(access.map(({ action }) => action)).toEqual(
          options.keyUsage === 'KEY_AGREEMENT'
            ? ['DeriveSharedSecret']
            : ['Decrypt', 'GenerateDataKey', 'GenerateDataKeyPair'],
        )
      }),
    )
  })

  it('says when it was true', () => {
    const currentDate = new Date('2026-11-21T12:00:00Z')
    const options = { policy: createKeyPolicy(OPTIONS).json, grants: NO_GRANTS, key: KEY }
    const expected = expectedOf(OPTIONS)
    expect(verifyKeyPolicy({ ...options, expected, currentDate })).toEqual({
      keyArn: KEY_ARN,
      at: currentDate,
      locked: true,
      access: ['Decrypt', 'GenerateDataKey', 'GenerateDataKeyPair'].map((action) => ({
        action,
        images: ['image-1', 'image-2'],
        principals: [ENCLAVE],
      })),
      grants: 0,
    })
    const before = Date.now()
    const { at } = verifyKeyPolicy({ ...options, expected })
    expect(at.getTime()).toBeGreaterThanOrEqual(before)
  })

  it('accepts a policy that admits fewer images, and one that admits none', () => {
    const one = createKeyPolicy({ ...OPTIONS, images: image(2) }).json
    expect(verify(one).access[0]?.images).toEqual(['image-2'])
    const none = created()
    none.Statement = none.Statement.filter(({ Sid }) => !String(Sid).startsWith('AllowImage'))
    expect(verify(none).access).toEqual([])
  })

  it('accepts equal policies in other words', () => {
    const policy = created({ ...OPTIONS, images: image(1) })
    const [first] = policy.Statement as [Record<string, unknown>]
    const { 'kms:RecipientAttestation:PCR0': value, ...rest } = (
      first['Condition'] as { StringEqualsIgnoreCase: Record<string, string> }
    ).StringEqualsIgnoreCase
    first['Condition'] = {
      StringEquals: { 'kms:RecipientAttestation:ImageSha384': value },
      StringEqualsIgnoreCase: rest,
    }
    first['Action'] = 'kms:decrypt'
    first['Principal'] = { AWS: ENCLAVE }
    first['Resource'] = [KEY_ARN]
    delete first['Sid']
    const text = JSON.stringify({ Id: 'x', ...policy }, undefined, 2)
    expect(verify(text).access).toEqual([
      { action: 'Decrypt', images: ['image-1'], principals: [ENCLAVE] },
    ])
    const administration = { Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'kms:EnableKey' }
    const single = { Version: '2012-10-17', Statement: { ...administration, Resource: '*' } }
    expect(verify(single, OPTIONS, { administrators: [ROOT] }).access).toEqual([])
  })
})

/** All that nobody should be able to do, said without a look at the policy. */
function isForbidden(
  { action, principal, context }: Call,
  options: CreateKeyPolicyOptions,
): boolean {
  const name = action.replace('kms:', '')
  const account = principal.includes(`::${ACCOUNT}:`)
  const administers =
    options.administrators.includes(principal) || (account && options.administrators.includes(ROOT))
  switch (name) {
    case 'Decrypt':
    case 'GenerateDataKey':
    case 'GenerateDataKeyPair':
    case 'DeriveSharedSecret': {
      const pcrs = Object.fromEntries(
        Object.entries(context).map(([key, value]) => [key.replace(/^.*:PCR/, ''), value]),
      )
      const right = isImage(pcrs, options.images as never) && pcrs['0'] !== '0'.repeat(96)
      return !right || !options.enclaveRoles.includes(principal)
    }
    case 'Encrypt':
    case 'DescribeKey':
      return !(
        administers ||
        options.enclaveRoles.includes(principal) ||
        options.encrypters?.includes(principal) === true
      )
    case 'ScheduleKeyDeletion':
      return !administers
    case 'PutKeyPolicy':
      return options.locked || !administers
    default:
      return true
  }
}

/** Calls of every kind: right, mixed, without a document, in debug mode, by everyone. */
function forbiddenCalls(options: CreateKeyPolicyOptions): readonly Call[] {
  const images = options.images as { pcrs: Record<string, string> }[]
  const [first, second] = images.map(({ pcrs }) => pcrs) as [
    Record<string, string>,
    Record<string, string>,
  ]
  const right = [{}, first, second]
  const foreign = Object.fromEntries(Object.keys(first).map((index) => [index, pcr(999)]))
  const wrong: Record<string, string>[] = [foreign]
  for (const index of Object.keys(first)) {
    const { [index]: own, ...short } = first
    wrong.push({ ...first, [index]: second[index] as string }, short)
    wrong.push({ ...first, [index]: pcr(999) }, { [index]: own as string })
  }
  for (const document of [...right, foreign]) wrong.push({ ...document, 0: '0'.repeat(96) })
  const principals = [ENCLAVE, KEEPER, WRITER, FOREIGN, `arn:aws:iam::${ACCOUNT}:user/any`]
  const attested = ['Decrypt', 'GenerateDataKey', 'GenerateDataKeyPair', 'DeriveSharedSecret']
  const forms = attested.flatMap((action, place) => [
    ...right.flatMap((document) =>
      principals.map((principal) => call(action, document, principal)),
    ),
    ...wrong.flatMap((document) =>
      place > 1 ? [] : [call(action, document, ENCLAVE), call(action, document, KEEPER)],
    ),
  ])
  const others = [
    ...[
      'CreateGrant',
      'ReEncryptFrom',
      'ReplicateKey',
      'PutKeyPolicy',
      'Sign',
      'ImportKeyMaterial',
    ],
    ...['Encrypt', 'DescribeKey', 'ScheduleKeyDeletion', 'SomethingNew'],
  ].flatMap((action) => principals.map((principal) => call(action, {}, principal)))
  const calls = [...forms, ...others]
  return calls.filter((one) => isForbidden(one, options))
}

/** The first of the forbidden calls that a policy allows. */
function openedBy(policy: unknown, forbidden: readonly Call[]): Call | undefined {
  return forbidden.find((one) => isAllowedOrBroken(policy, one))
}

/** An operator that the evaluation does not know counts as the worse of the two. */
function isAllowedOrBroken(policy: unknown, one: Call): boolean {
  try {
    return isAllowed(policy, one)
  } catch {
    return true
  }
}

describe('of all policies that differ from a created one in one place', () => {
  const variants: readonly [string, CreateKeyPolicyOptions][] = [
    ['locked, two images', OPTIONS],
    ['not locked, two images', { ...OPTIONS, locked: false }],
    ['two signers', { ...OPTIONS, images: [image(1, [8]), image(2, [8])] }],
    ['PCR0, 1, 2, 16', { ...OPTIONS, images: [1, 2].map((n) => image(n, [0, 1, 2, 16])) }],
    ['root administers', { ...OPTIONS, administrators: [ROOT], encrypters: [] }],
    ['without the Denies', OPTIONS],
  ]

  it.each(variants)('every one that opens anything is refused (%s)', (variant, options) => {
    const policy = created(options)
    if (variant === 'without the Denies') {
      policy.Statement = policy.Statement.filter(({ Effect }) => Effect === 'Allow')
    }
    const forbidden = forbiddenCalls(options)
    expect(openedBy(policy, forbidden)).toBeUndefined()
    const count = { opening: 0, accepted: 0, all: 0 }
    for (const { name, policy: mutated } of mutationsOf(policy)) {
      const code = codeOf(() => verify(mutated, options))
      if (code !== 'accepted' && count.all++ % 6 > 0) continue
      const opened = openedBy(mutated, forbidden)
      if (opened !== undefined) {
        count.opening++
        expect({ name, opened, code }).not.toMatchObject({ code: 'accepted' })
      } else if (code === 'accepted') count.accepted++
    }
    // Neither half is empty: mutations do open things, and what opens nothing and is understood is accepted.
    expect(count.opening).toBeGreaterThan(20)
    expect(count.accepted).toBeGreaterThan(100)
  })

  it('and of random policies made of understood statements, none that opens anything is accepted', () => {
    const pcrs = [image(1).pcrs, image(2).pcrs]
    const value = (index: number) =>
      fc.constantFrom(pcrs[0]?.[index], pcrs[1]?.[index], pcr(999)) as fc.Arbitrary<string>
    const conditions = fc.dictionary(
      fc.constantFrom('StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase'),
      fc
        .subarray([0, 1, 2], { minLength: 1 })
        .chain((indices) =>
          fc.tuple(
            ...indices.map((index) =>
              fc
                .uniqueArray(value(index), { minLength: 1, maxLength: 2 })
                .map((values) => [`kms:RecipientAttestation:PCR${index}`, values] as const),
            ),
          ),
        )
        .map((entries) => Object.fromEntries(entries)),
      { minKeys: 1, maxKeys: 2 },
    )
    const full = fc.constantFrom(...pcrs).map((set) => ({
      StringEqualsIgnoreCase: Object.fromEntries(
        Object.entries(set).map(([index, one]) => [`kms:RecipientAttestation:PCR${index}`, one]),
      ),
    }))
    const allow = fc.record({
      Effect: fc.constant('Allow'),
      Principal: fc.constantFrom({ AWS: ENCLAVE }, { AWS: [ENCLAVE] }, { AWS: KEEPER }),
      Action: fc.constantFrom('kms:Decrypt', ['kms:Decrypt', 'kms:Encrypt'], 'kms:CreateGrant'),
      Resource: fc.constant('*'),
      Condition: fc.oneof(conditions, full),
    })
    const deny = fc.record({
      Effect: fc.constant('Deny'),
      Principal: fc.constantFrom('*', { AWS: '*' }, { AWS: KEEPER }),
      Action: fc.constantFrom('kms:*', 'kms:Decrypt', ['kms:CreateGrant', 'kms:De*']),
      Resource: fc.constant('*'),
      Condition: conditions,
    })
    const policies = fc
      .array(fc.oneof(allow, deny, deny), { minLength: 1, maxLength: 8 })
      .map((Statement) => ({ Version: '2012-10-17', Statement }) as unknown as LoosePolicy)
    const count = { accepted: 0, opening: 0 }
    const forbidden = forbiddenCalls(OPTIONS)
    fc.assert(
      fc.property(policies, (policy) => {
        const code = codeOf(() => verify(policy))
        const opened = openedBy(policy, forbidden)
        if (opened !== undefined) count.opening++
        if (code !== 'accepted') return
        expect(opened).toBeUndefined()
        if (isAllowed(policy, call('Decrypt', image(1).pcrs))) count.accepted++
      }),
      { numRuns: 1000 },
    )
    expect(count.opening).toBeGreaterThan(60)
    expect(count.accepted).toBeGreaterThan(5)
  })
})
