// Each refusal of verifyKeyPolicy, made to happen by one change in a good policy, a good key or a good list of grants.
import { describe, expect, it } from 'vitest'
import {
  createKeyPolicy,
  verifyKeyPolicy,
  type KeyPolicyError,
  type VerifyKeyPolicyOptions,
} from '@enclavejs/kms-enclave/policy'
import {
  created,
  ENCLAVE,
  expectedOf,
  FOREIGN,
  image,
  KEEPER,
  KEY,
  KEY_ARN,
  NO_GRANTS,
  OPTIONS,
  pcr,
  ROOT,
  WRITER,
  type LoosePolicy,
} from './fixture.ts'

const JSON_TEXT = createKeyPolicy(OPTIONS).json

function good(change: Partial<VerifyKeyPolicyOptions> = {}): VerifyKeyPolicyOptions {
  const expected = expectedOf(OPTIONS)
  return { policy: JSON_TEXT, key: KEY, grants: NO_GRANTS, expected, ...change }
}

function refusal(options: VerifyKeyPolicyOptions): KeyPolicyError {
  try {
    verifyKeyPolicy(options)
  } catch (error) {
    expect((error as Error).name).toBe('KeyPolicyError')
    return error as KeyPolicyError
  }
  throw new Error('accepted')
}

type Statement = Record<string, unknown>

/** The policy with one statement changed. */
function changed(sid: string, change: (statement: Statement) => void): string {
  const policy = created()
  change(policy.Statement.find(({ Sid }) => Sid === sid) as Statement)
  return JSON.stringify(policy)
}

function added(statement: Statement): string {
  const policy = created()
  policy.Statement.push({ Sid: 'Added', Effect: 'Allow', Resource: '*', ...statement })
  return JSON.stringify(policy)
}

function whole(change: (policy: LoosePolicy & Record<string, unknown>) => void): string {
  const policy = created()
  change(policy as LoosePolicy & Record<string, unknown>)
  return JSON.stringify(policy)
}

const set = (name: string, value: unknown) => (one: Statement) => void (one[name] = value)
const EQUAL = { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:PCR0': pcr(65) } }

it('the good one is good', () => {
  expect(verifyKeyPolicy(good()).access).toHaveLength(3)
})

describe('a policy', () => {
  it.each<readonly [code: string, why: string, policy: string, statement?: string]>([
    ['ERR_KMS_POLICY_ELEMENT', 'no object', '[]'],
    ['ERR_KMS_POLICY_ELEMENT', 'an unknown element', whole(set('Statements', []))],
    ['ERR_KMS_POLICY_ELEMENT', 'an Id that is no text', whole(set('Id', 7))],
    ['ERR_KMS_POLICY_ELEMENT', 'Statement as text', whole(set('Statement', 'all'))],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'a statement as text',
      whole(set('Statement', ['all'])),
      'Statement[0]',
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'a Sid that is no text',
      changed('AllowImage1', set('Sid', 7)),
      'Statement[0]',
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'another Effect',
      changed('AllowImage1', set('Effect', 'allow')),
      'AllowImage1',
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'NotAction',
      changed('AllowImage1', set('NotAction', 'kms:X')),
      'AllowImage1',
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'NotPrincipal',
      changed('DenyOtherPcr0', set('NotPrincipal', { AWS: ROOT })),
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'NotResource',
      changed('DenyOtherPcr0', set('NotResource', 'x')),
      'DenyOtherPcr0',
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'no Principal',
      changed('DenyOtherPcr0', (one) => delete one['Principal']),
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'an empty Principal',
      changed('DenyOtherPcr0', set('Principal', {})),
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'an empty list of principals',
      changed('AllowImage1', set('Principal', { AWS: [] })),
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'no Action',
      changed('DenyOtherPcr0', (one) => delete one['Action']),
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'an Action that is no text',
      changed('AllowImage1', set('Action', [null])),
    ],
    [
      'ERR_KMS_POLICY_ELEMENT',
      'no Resource',
      changed('AllowImage1', (one) => delete one['Resource']),
    ],
    [
      'ERR_KMS_POLICY_PRINCIPAL',
      'everyone',
      changed('AllowImage1', set('Principal', '*')),
      'AllowImage1',
    ],
    [
      'ERR_KMS_POLICY_PRINCIPAL',
      'everyone in a list',
      changed('AllowImage1', set('Principal', { AWS: ['*'] })),
    ],
    [
      'ERR_KMS_POLICY_PRINCIPAL',
      'a service',
      changed('AllowImage1', set('Principal', { Service: 'ec2.amazonaws.com' })),
    ],
    [
      'ERR_KMS_POLICY_PRINCIPAL',
      'a deleted role',
      changed('AllowImage1', set('Principal', { AWS: 'AROAEXAMPLE' })),
    ],
    [
      'ERR_KMS_POLICY_PRINCIPAL',
      'a wildcard',
      changed('AllowImage1', set('Principal', { AWS: `${ENCLAVE}*` })),
    ],
    [
      'ERR_KMS_POLICY_ACTION',
      'an unknown action',
      added({ Principal: { AWS: KEEPER }, Action: 'kms:Transmute' }),
    ],
    [
      'ERR_KMS_POLICY_ACTION',
      'a star in the middle',
      changed('DenyOtherPcr0', set('Action', 'kms:*crypt')),
    ],
    [
      'ERR_KMS_POLICY_ACTION',
      'a question mark',
      changed('DenyOtherPcr0', set('Action', 'kms:Decryp?')),
    ],
    [
      'ERR_KMS_POLICY_ACTION',
      'another service',
      added({ Principal: { AWS: KEEPER }, Action: 's3:GetObject' }),
    ],
    [
      'ERR_KMS_POLICY_ACTION',
      'a wildcard in an Allow',
      added({ Principal: { AWS: KEEPER }, Action: 'kms:List*' }),
    ],
    [
      'ERR_KMS_POLICY_RESOURCE',
      'another key',
      changed('DenyOtherPcr0', set('Resource', `${KEY_ARN}0`)),
      'DenyOtherPcr0',
    ],
    [
      'ERR_KMS_POLICY_CONDITION',
      'no object',
      changed('AllowImage1', set('Condition', 'x')),
      'AllowImage1',
    ],
    ['ERR_KMS_POLICY_CONDITION', 'an empty one', changed('AllowImage1', set('Condition', {}))],
    [
      'ERR_KMS_POLICY_CONDITION',
      'an operator without keys',
      changed('AllowImage1', set('Condition', { StringEquals: {} })),
    ],
    ...[
      'StringLike',
      'StringEqualsIfExists',
      'StringEqualsIgnoreCaseIfExists',
      'StringNotEqualsIgnoreCaseIfExists',
      'ForAnyValue:StringEquals',
      'Null',
      'stringEquals',
    ].map(
      (operator) =>
        [
          ...(['ERR_KMS_POLICY_CONDITION', operator] as const),
          changed('AllowImage1', set('Condition', { [operator]: EQUAL.StringEqualsIgnoreCase })),
          'AllowImage1',
        ] as const,
    ),
    ...['PCR32', 'PCR01', 'NitroTPMPCR4', 'pcr0'].map(
      (key) =>
        [
          ...(['ERR_KMS_POLICY_CONDITION', key] as const),
          changed(
            'AllowImage1',
            set('Condition', { StringEquals: { [`kms:RecipientAttestation:${key}`]: pcr(65) } }),
          ),
        ] as const,
    ),
    [
      ...(['ERR_KMS_POLICY_CONDITION', 'the encryption context'] as const),
      changed(
        'AllowImage1',
        set('Condition', { StringEquals: { 'kms:EncryptionContext:a': 'b' } }),
      ),
    ],
    ...['*', '', `\${kms:RecipientAttestation:PCR0}`, pcr(65).slice(2), 7, null, []].map(
      (value) =>
        [
          ...(['ERR_KMS_POLICY_CONDITION', `the value ${JSON.stringify(value)}`] as const),
          changed(
            'AllowImage1',
            set('Condition', { StringEquals: { 'kms:RecipientAttestation:PCR0': value } }),
          ),
        ] as const,
    ),
    [
      'ERR_KMS_POLICY_ESCAPE',
      'ReEncryptTo’s partner',
      added({ Principal: { AWS: ENCLAVE }, Action: 'kms:Sign' }),
      'Added',
    ],
    [
      'ERR_KMS_POLICY_STRANGER',
      'a foreign role',
      changed('AllowImage1', set('Principal', { AWS: FOREIGN })),
      'AllowImage1',
    ],
    [
      'ERR_KMS_POLICY_STRANGER',
      'the account',
      changed('AllowImage2', set('Principal', { AWS: ROOT })),
      'AllowImage2',
    ],
    [
      'ERR_KMS_POLICY_STRANGER',
      'a writer that administers',
      changed('AllowAdministration', set('Principal', { AWS: WRITER })),
    ],
    [
      'ERR_KMS_POLICY_STRANGER',
      'an administrator that decrypts',
      changed('AllowImage1', set('Principal', { AWS: KEEPER })),
    ],
    [
      'ERR_KMS_POLICY_STRANGER',
      'a reader',
      added({ Principal: { AWS: ROOT }, Action: 'kms:DescribeKey' }),
      'Added',
    ],
  ])('%s: %s', (code, _why, policy, statement) => {
    const error = refusal(good({ policy: policy as string }))
    expect(error.code).toBe(code)
    if (statement === undefined) return
    expect(error.statement).toBe(statement)
    expect(error.message.startsWith(`${statement}: `)).toBe(true)
  })

  it('ERR_KMS_POLICY_ESCAPE: each way around, once its Deny is gone', () => {
    for (const action of ['CreateGrant', 'ReEncryptFrom', 'ReplicateKey', 'Decapsulate']) {
      const policy = JSON.parse(
        added({ Principal: { AWS: KEEPER }, Action: `kms:${action}` }),
      ) as LoosePolicy
      if (action !== 'Decapsulate')
        expect(verifyKeyPolicy(good({ policy: JSON.stringify(policy) }))).toBeDefined()
      policy.Statement = policy.Statement.filter(({ Sid }) => Sid !== 'DenyWaysAround')
      expect(refusal(good({ policy: JSON.stringify(policy) }))).toMatchObject({
        code: 'ERR_KMS_POLICY_ESCAPE',
        statement: 'Added',
      })
    }
  })

  it('ERR_KMS_POLICY_NOT_LOCKED: a policy that can be replaced', () => {
    const policy = createKeyPolicy({ ...OPTIONS, locked: false }).json
    expect(refusal(good({ policy }))).toMatchObject({
      code: 'ERR_KMS_POLICY_NOT_LOCKED',
      statement: 'AllowAdministration',
    })
    const expected = { ...expectedOf(OPTIONS), locked: false }
    expect(verifyKeyPolicy(good({ policy, expected })).locked).toBe(false)
  })

  it('ERR_KMS_POLICY_STRANGER: a policy that others than administrators can replace', () => {
    const expected = { ...expectedOf(OPTIONS), locked: false }
    const { json } = createKeyPolicy({ ...OPTIONS, locked: false, administrators: [ROOT] })
    expect(refusal(good({ policy: json, expected })).code).toBe('ERR_KMS_POLICY_STRANGER')
  })

  it.each<[why: string, condition: unknown, says: RegExp]>([
    ['no condition', undefined, /without an attestation document/],
    ['one PCR short', EQUAL, /and any PCR1, PCR2/],
    ['a negated condition', { StringNotEqualsIgnoreCase: EQUAL.StringEqualsIgnoreCase }, /without/],
    [
      'another image',
      { StringEqualsIgnoreCase: equalTo({ 0: [pcr(7)], 1: [pcr(8)], 2: [pcr(9)] }) },
      /with PCR0 (0007)+, PCR1 (0008)+, PCR2 (0009)+, which is no expected image/,
    ],
    [
      'a list that mixes two images',
      {
        StringEqualsIgnoreCase: equalTo(
          Object.fromEntries(
            [0, 1, 2].map((index) => [index, [pcr(65 + index), pcr(129 + index)]]),
          ),
        ),
      },
      /no expected image/,
    ],
  ])('ERR_KMS_POLICY_PCR: %s', (_why, condition, says) => {
    const policy = created()
    policy.Statement = policy.Statement.filter(({ Sid }) => !String(Sid).startsWith('DenyOther'))
    const first = policy.Statement[0] as Statement
    if (condition === undefined) delete first['Condition']
    else first['Condition'] = condition
    const error = refusal(good({ policy: JSON.stringify(policy) }))
    expect(error).toMatchObject({ code: 'ERR_KMS_POLICY_PCR', statement: 'AllowImage1' })
    expect(error.message).toMatch(says)
  })

  it('ERR_KMS_POLICY_PCR: AWS’s default statement with the Denies still mixes two images', () => {
    const policy = added({ Principal: { AWS: ENCLAVE }, Action: 'kms:Decrypt' })
    expect(refusal(good({ policy })).code).toBe('ERR_KMS_POLICY_PCR')
    const expected = { ...expectedOf(OPTIONS), images: image(1) }
    const one = JSON.parse(createKeyPolicy({ ...OPTIONS, images: image(1) }).json) as LoosePolicy
    one.Statement.push({
      Effect: 'Allow',
      Principal: { AWS: ENCLAVE },
      Action: 'kms:Decrypt',
      Resource: '*',
    })
    expect(verifyKeyPolicy(good({ policy: JSON.stringify(one), expected })).access).toHaveLength(3)
  })

  it('ERR_KMS_POLICY_PCR: more combinations than are tried', () => {
    const values = (index: number) => Array.from({ length: 17 }, (_, row) => pcr(index * 100 + row))
    const condition = {
      StringEqualsIgnoreCase: equalTo({ 0: values(1), 1: values(2), 2: values(3) }),
    }
    const policy = created()
    policy.Statement = [{ ...(policy.Statement[0] as Statement), Condition: condition }]
    const error = refusal(good({ policy: JSON.stringify(policy) }))
    expect(error).toMatchObject({ code: 'ERR_KMS_POLICY_PCR' })
    expect(error.message).toContain('too many combinations')
  })

  it('ERR_KMS_POLICY_DEBUG_MODE: the signer alone is pinned, and debug mode is not denied', () => {
    const options = { ...OPTIONS, images: image(1, [8]) }
    const policy = created(options)
    const expected = expectedOf(options)
    expect(verifyKeyPolicy(good({ policy: JSON.stringify(policy), expected }))).toBeDefined()
    policy.Statement = policy.Statement.filter(({ Sid }) => Sid !== 'DenyDebugMode')
    const without = JSON.stringify(policy)
    expect(refusal(good({ policy: without, expected })).code).toBe('ERR_KMS_POLICY_DEBUG_MODE')
    const told = { ...expected, allowDebugMode: true }
    expect(verifyKeyPolicy(good({ policy: without, expected: told }))).toBeDefined()
    for (const statement of policy.Statement.filter(({ Sid }) => Sid === 'AllowImage1')) {
      const conditions = statement['Condition'] as { StringEqualsIgnoreCase: Statement }
      conditions.StringEqualsIgnoreCase['kms:RecipientAttestation:PCR0'] = '0'.repeat(96)
    }
    expect(refusal(good({ policy: JSON.stringify(policy), expected })).code).toBe(
      'ERR_KMS_POLICY_DEBUG_MODE',
    )
  })
})

function equalTo(pcrs: Readonly<Record<number, readonly string[]>>): Statement {
  return Object.fromEntries(
    Object.entries(pcrs).map(([index, values]) => [`kms:RecipientAttestation:PCR${index}`, values]),
  )
}

it.each<[string, Record<string, unknown>, RegExp]>([
  ['an unknown option', { polcy: '' }, /unknown option "polcy"/],
  ['an unknown expectation', { expected: { ...expectedOf(OPTIONS), lock: true } }, /"lock"/],
  ['no policy', { policy: undefined }, /policy must be a text/],
  ['no date', { currentDate: new Date('x') }, /currentDate/],
  ['an alias', { expected: { ...expectedOf(OPTIONS), keyArn: 'alias/x' } }, /keyArn must be/],
  ['no choice', { expected: { ...expectedOf(OPTIONS), locked: undefined } }, /locked must be said/],
  ['an origin', { expected: { ...expectedOf(OPTIONS), origin: 'AWS' } }, /origin must be one of/],
  ['no expectation', { expected: undefined }, /expected must be an object/],
  [
    'zero PCRs',
    { expected: { ...expectedOf(OPTIONS), images: { pcrs: { 0: pcr(0), 1: pcr(1), 2: pcr(2) } } } },
    /is zero/,
  ],
])('wrong use: %s', (_name, change, message) => {
  let thrown: unknown
  try {
    verifyKeyPolicy(good(change as never))
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(TypeError)
  expect((thrown as TypeError).message).toMatch(message)
})
