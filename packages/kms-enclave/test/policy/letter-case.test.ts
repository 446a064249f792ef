// KMS has PCRs in lower case, and two of the four operators compare case: what is accepted must mean the same to both.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { explain, type KeyPolicyError } from '@enclavejs/kms-enclave/policy'
import { isAllowed } from './evaluation.ts'
import { call, ENCLAVE, KEEPER, OPTIONS, ROOT, verify } from './fixture.ts'

const PCRS = [0, 1, 2, 8] as const
/** The image that is expected, and another one. */
const MINE = 'aa'.repeat(48)
const OTHER = 'bb'.repeat(48)
const THIRD = 'cc'.repeat(48)
const options = { ...OPTIONS, images: { pcrs: { 0: MINE, 1: MINE, 2: MINE } } }

function allow(value: string): Record<string, unknown> {
  const keys = [0, 1, 2].map((index) => [`kms:RecipientAttestation:PCR${index}`, value])
  return {
    ...{ Effect: 'Allow', Principal: { AWS: ENCLAVE }, Action: 'kms:Decrypt', Resource: '*' },
    Condition: { StringEqualsIgnoreCase: Object.fromEntries(keys) as unknown },
  }
}

function codeOf(statements: readonly unknown[]): string {
  try {
    verify({ Version: '2012-10-17', Statement: statements }, options)
    return 'accepted'
  } catch (error) {
    return (error as KeyPolicyError).code
  }
}

describe('a Deny that seems to shut another image out', () => {
  const deny = (operator: string, value: unknown): unknown[] => [
    allow(MINE),
    allow(OTHER),
    {
      ...{ Effect: 'Deny', Principal: '*', Action: 'kms:Decrypt', Resource: '*' },
      Condition: { [operator]: { 'kms:RecipientAttestation:PCR0': value } },
    },
  ]
  it.each([
    ['StringEquals', OTHER, 'accepted'],
    ['StringEqualsIgnoreCase', OTHER.toUpperCase(), 'accepted'],
    ['StringNotEqualsIgnoreCase', MINE.toUpperCase(), 'accepted'],
    ['StringEquals', [OTHER.toUpperCase(), OTHER], 'accepted'],
    ['StringEquals', OTHER.toUpperCase(), 'ERR_KMS_POLICY_CONDITION'],
    ['StringEquals', [THIRD, OTHER.replace('b', 'B')], 'ERR_KMS_POLICY_CONDITION'],
    ['StringNotEquals', MINE.toUpperCase(), 'ERR_KMS_POLICY_CONDITION'],
  ])('%s %s: %s', (operator, value, code) => {
    expect(codeOf(deny(operator, value))).toBe(code)
  })
})

describe('an action with a character that another case makes a letter of ASCII of', () => {
  // KELVIN SIGN in lower case is k, LONG S in upper case S, the dotted and the dotless i are near to I in either.
  const CHARACTERS: readonly (readonly [string, string])[] = [
    ['k', '\u212a'],
    ['s', '\u017f'],
    ['I', '\u0130'],
    ['I', '\u0131'],
  ]
  const ACTIONS = [
    'kms:*',
    'kms:Decrypt',
    'kms:ImportKeyMaterial',
    'kms:List*',
    '*\u212a',
    'kms:K?',
  ]
  const written = CHARACTERS.flatMap(([letter, other]) =>
    ACTIONS.map((action) => action.replace(letter, other)),
  ).filter((action) => /[^ -~]/.test(action))
  const deny = (Action: unknown): Record<string, unknown> => ({
    ...{ Effect: 'Deny', Principal: '*', Action, Resource: '*' },
  })
  const open = { ...allow(OTHER), Condition: undefined, Action: ['kms:Decrypt'] }

  it.each(written)('is refused in a Deny, which would shut out what it does not: %j', (action) => {
    expect(codeOf([open, deny(action)])).toBe('ERR_KMS_POLICY_ACTION')
    expect(codeOf([allow(MINE), deny(['kms:CreateGrant', action])])).toBe('ERR_KMS_POLICY_ACTION')
    expect(codeOf([{ ...allow(MINE), Action: action }])).toBe('ERR_KMS_POLICY_ACTION')
  })

  it('is not understood by explain', () => {
    const document = { Version: '2012-10-17', Statement: [open, deny('\u212ams:*')] }
    const given = { policy: JSON.stringify(document), action: 'Decrypt', roleArn: ENCLAVE }
    const { verdict, mismatches } = explain(given)
    expect(verdict).toBe('unknown')
    expect(mismatches).toEqual([
      { kind: 'not-understood', statement: 'Statement[1]', what: 'the action "\u212ams:*"' },
    ])
  })
})

it('of random policies in any case, none that opens anything is accepted', () => {
  const value = fc
    .tuple(fc.constantFrom(MINE, OTHER, THIRD), fc.constantFrom(0, 0, 0, 1, 96))
    .map(([text, upper]) => text.slice(0, upper).toUpperCase() + text.slice(upper))
  const key = fc
    .constantFrom('ImageSha384', ...PCRS.map((index) => `PCR${index}`))
    .map((name) => `kms:RecipientAttestation:${name}`)
  const operator = fc.constantFrom(
    ...['StringEquals', 'StringEqualsIgnoreCase', 'StringNotEquals', 'StringNotEqualsIgnoreCase'],
  )
  const values = fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 2 }))
  const conditions = fc.dictionary(
    operator,
    fc.dictionary(key, values, { minKeys: 1, maxKeys: 1 }),
    { minKeys: 1, maxKeys: 2 },
  )
  const deny = fc.record({
    Effect: fc.constant('Deny'),
    Principal: fc.constantFrom('*', { AWS: '*' }, { AWS: ENCLAVE }),
    Action: fc.constantFrom(
      ...['*', 'kms:*', 'kms:Decrypt', '\u212ams:*'],
      ...[['kms:CreateGrant', 'kms:De*']],
    ),
    Resource: fc.constant('*'),
    Condition: conditions,
  })
  const other = fc.record({
    Effect: fc.constant('Allow'),
    Principal: fc.constantFrom({ AWS: ENCLAVE }, { AWS: ROOT }, { AWS: KEEPER }),
    Action: fc.constantFrom('kms:Decrypt', 'kms:CreateGrant', 'kms:PutKeyPolicy'),
    Resource: fc.constant('*'),
    Condition: conditions,
  })
  const good = fc.constantFrom(allow(MINE), allow(OTHER))
  const policies = fc.array(fc.oneof(good, deny, deny, other), { minLength: 1, maxLength: 5 })

  const documents = [MINE, OTHER, THIRD].flatMap((pcr0) =>
    [MINE, OTHER].flatMap((pcr1) =>
      [MINE, OTHER].flatMap((pcr2) =>
        [{}, { 8: MINE }, { 8: OTHER }].map((pcr8) => ({ 0: pcr0, 1: pcr1, 2: pcr2, ...pcr8 })),
      ),
    ),
  )
  const strangers = documents.filter((pcrs) => [0, 1, 2].some((index) => pcrs[index as 0] !== MINE))
  const forbidden = [
    ...[{}, ...strangers].map((pcrs) => call('Decrypt', pcrs)),
    ...documents.map((pcrs) => call('Decrypt', pcrs, KEEPER)),
    ...['CreateGrant', 'PutKeyPolicy'].flatMap((action) =>
      [ENCLAVE, KEEPER, ROOT].map((principal) => call(action, {}, principal)),
    ),
  ]
  const count = { accepted: 0, opening: 0, letterCase: 0 }
  fc.assert(
    fc.property(policies, (statements) => {
      const code = codeOf(statements)
      const opened = forbidden.find((one) => isAllowed({ Statement: statements }, one))
      if (opened !== undefined) count.opening++
      if (code === 'ERR_KMS_POLICY_CONDITION') count.letterCase++
      if (code !== 'accepted') return
      count.accepted++
      expect(opened).toBeUndefined()
    }),
    { numRuns: 3000 },
  )
  expect(count.opening).toBeGreaterThan(100)
  expect(count.letterCase).toBeGreaterThan(100)
  expect(count.accepted).toBeGreaterThan(100)
})
