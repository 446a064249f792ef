import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { explain, type ExplainOptions, type Mismatch } from '@enclavejs/kms-enclave/policy'
import { isAllowed } from './evaluation.ts'
import {
  call,
  created,
  ENCLAVE,
  FOREIGN,
  image,
  KEEPER,
  KEY_ARN,
  OPTIONS,
  pcr,
  ROOT,
  someOptions,
  somePcrs,
  WRITER,
} from './fixture.ts'
import { mutationsOf } from './mutation.ts'

const one = { ...OPTIONS, images: image(1) }
const POLICY = JSON.stringify(created(one))
const RIGHT = image(1).pcrs as Record<number, string>

function explained(change: Partial<ExplainOptions> = {}) {
  return explain({ policy: POLICY, action: 'Decrypt', pcrs: RIGHT, roleArn: ENCLAVE, ...change })
}

const pcrOf = (pcr: number, effect: 'Allow' | 'Deny', actual: string | undefined): Mismatch => ({
  kind: 'pcr',
  statement: effect === 'Allow' ? 'AllowImage1' : `DenyOtherPcr${pcr}`,
  effect,
  pcr,
  expected: [RIGHT[pcr] as string],
  actual,
})

describe('explain', () => {
  it('finds nothing wrong with the right call', () => {
    expect(explained()).toEqual({ verdict: 'allowed', mismatches: [], sentences: [] })
    expect(explained({ action: 'kms:GenerateDataKey' }).verdict).toBe('allowed')
    expect(
      explained({ pcrs: new Map([0, 1, 2].map((index) => [index, RIGHT[index] as string])) })
        .verdict,
    ).toBe('allowed')
    const bytes = Object.fromEntries(
      Object.entries(RIGHT).map(([index, hex]) => [`PCR${index}`, Buffer.from(hex, 'hex')]),
    )
    expect(explained({ pcrs: bytes }).verdict).toBe('allowed')
  })

  it('names the PCR that differs, the Deny and the Allow', () => {
    const { verdict, mismatches, sentences } = explained({ pcrs: { ...RIGHT, 1: pcr(999) } })
    expect(verdict).toBe('denied')
    expect(mismatches).toEqual([pcrOf(1, 'Deny', pcr(999)), pcrOf(1, 'Allow', pcr(999))])
    expect(sentences).toEqual([
      `DenyOtherPcr1 denies Decrypt: PCR1 ${RIGHT[1]} expected, ${pcr(999)} seen.`,
      `AllowImage1 does not allow Decrypt: PCR1 ${RIGHT[1]} expected, ${pcr(999)} seen.`,
    ])
  })

  it('names a PCR that was not locked, a document that was not sent, and debug mode', () => {
    const unlocked = explained({ pcrs: { 0: RIGHT[0] as string, 1: RIGHT[1] as string } })
    expect(unlocked.mismatches).toEqual([pcrOf(2, 'Deny', undefined), pcrOf(2, 'Allow', undefined)])
    expect(unlocked.sentences[0]).toMatch(/the document has none: it was not locked\.$/)
    const bare = explain({ policy: POLICY, action: 'Decrypt', roleArn: ENCLAVE })
    expect(bare.mismatches).toHaveLength(6)
    expect(bare.sentences[0]).toMatch(/no document was sent\.$/)
    const debug = explained({ pcrs: { 0: '0'.repeat(96), 1: '0'.repeat(96), 2: '0'.repeat(96) } })
    expect(debug.verdict).toBe('denied')
    expect(debug.sentences[0]).toMatch(/Zero: the enclave runs in debug mode\.$/)
  })

  it('takes the image that is closest', () => {
    const policy = JSON.stringify(created({ ...OPTIONS, images: [image(1), image(2), image(3)] }))
    const near = image(2).pcrs as Record<number, string>
    const { mismatches } = explained({ policy, pcrs: { ...near, 2: RIGHT[2] as string } })
    expect(mismatches).toEqual([
      {
        kind: 'pcr',
        statement: 'AllowImage2',
        effect: 'Allow',
        pcr: 2,
        expected: [near[2]],
        actual: RIGHT[2],
      },
    ])
  })

  it('names the role', () => {
    const { verdict, mismatches, sentences } = explained({ roleArn: KEEPER })
    expect(verdict).toBe('denied')
    expect(mismatches).toEqual([
      { kind: 'principal', statement: 'AllowImage1', expected: [ENCLAVE], actual: KEEPER },
    ])
    expect(sentences).toEqual([
      `AllowImage1 allows Decrypt to ${ENCLAVE}; the caller is ${KEEPER}.`,
    ])
  })

  it('does not compare a caller that is left out', () => {
    expect(explain({ policy: POLICY, action: 'Decrypt', pcrs: RIGHT }).verdict).toBe('allowed')
    const pcrs = { ...RIGHT, 1: pcr(999) }
    expect(explain({ policy: POLICY, action: 'Decrypt', pcrs }).verdict).toBe('denied')
    const policy = created(one)
    policy.Statement.push({
      Sid: 'DenyKeeper',
      Effect: 'Deny',
      Principal: { AWS: KEEPER },
      Action: 'kms:*',
      Resource: '*',
    })
    const request = { policy: JSON.stringify(policy), action: 'Decrypt', pcrs: RIGHT }
    expect(explain(request).verdict).toBe('unknown')
    expect(explain(request).sentences).toEqual([
      `Not understood in DenyKeeper: whether the caller is one of ${KEEPER}, without roleArn.`,
    ])
    expect(explain({ ...request, roleArn: ENCLAVE }).verdict).toBe('allowed')
    expect(explain({ ...request, roleArn: KEEPER }).mismatches[0]).toEqual({
      kind: 'denied',
      statement: 'DenyKeeper',
    })
  })

  it('knows a role by its session, with or without a path', () => {
    const roleArn = 'arn:aws:sts::123456789012:assumed-role/enclave/i-0123456789abcdef0'
    expect(explained({ roleArn }).verdict).toBe('allowed')
    const withPath = { ...one, enclaveRoles: [ENCLAVE.replace('role/', 'role/shop/')] }
    const policy = JSON.stringify(created(withPath))
    expect(explained({ policy, roleArn }).verdict).toBe('allowed')
    expect(explained({ policy }).verdict).toBe('denied')
    expect(explained({ roleArn: roleArn.replace('enclave', 'other') }).verdict).toBe('denied')
  })

  it('names the account and the Region', () => {
    const policy = JSON.stringify(created({ ...one, enclaveRoles: [FOREIGN] }))
    const { verdict, mismatches } = explained({
      policy,
      roleArn: FOREIGN,
      keyArn: KEY_ARN,
      region: 'us-east-1',
    })
    expect(verdict).toBe('unknown')
    expect(mismatches).toEqual([
      { kind: 'region', expected: 'eu-west-1', actual: 'us-east-1' },
      { kind: 'account', expected: '123456789012', actual: '999999999999' },
    ])
    expect(explained({ keyArn: KEY_ARN, region: 'eu-west-1' }).mismatches).toEqual([])
  })

  it('names the action that nobody has, and the Deny that knows no exception', () => {
    expect(explained({ action: 'Sign' })).toEqual({
      verdict: 'denied',
      mismatches: [{ kind: 'action', action: 'Sign' }],
      sentences: ['No statement allows Sign.'],
    })
    expect(explained({ action: 'CreateGrant' }).mismatches).toEqual([
      { kind: 'denied', statement: 'DenyWaysAround' },
      { kind: 'action', action: 'CreateGrant' },
    ])
  })

  it('names the Deny that wants any other value', () => {
    const policy = JSON.stringify(created({ ...OPTIONS, images: image(1, [8]) }))
    const pcrs = { ...image(1, [8]).pcrs, 0: '0'.repeat(96) }
    const { sentences } = explained({ policy, pcrs })
    expect(sentences[0]).toMatch(
      /^DenyDebugMode denies Decrypt: PCR0 another value expected, 0+ seen\. Zero/,
    )
  })

  it('leaves an Allow for the account to IAM', () => {
    const policy = JSON.stringify(created({ ...one, administrators: [ROOT] }))
    const { verdict, mismatches } = explained({ policy, action: 'EnableKey', roleArn: KEEPER })
    expect(verdict).toBe('unknown')
    expect(mismatches).toEqual([{ kind: 'iam', statement: 'AllowAdministration' }])
  })

  it('sees that only the case differs', () => {
    const policy = POLICY.replaceAll('IgnoreCase', '').replaceAll(pcr(65), pcr(65).toUpperCase())
    const lower = POLICY.replaceAll('IgnoreCase', '')
    expect(explained({ policy: lower }).verdict).toBe('allowed')
    // Digits alone have no case.
    expect(explained({ policy }).verdict).toBe('allowed')
    const hex = 'ab'.repeat(48)
    const upper = lower.replaceAll(pcr(65), hex.toUpperCase())
    const { sentences } = explained({ policy: upper, pcrs: { ...RIGHT, 0: hex } })
    expect(sentences[0]).toMatch(/Only the case differs/)
  })

  it.each<[string, Partial<ExplainOptions>, RegExp]>([
    ['no JSON', { policy: 'a policy' }, /not strict JSON/],
    ['no text', { policy: undefined as never }, /./],
    ['no statements', { policy: '{"Version":"2012-10-17"}' }, /there is no Statement/],
    ['a statement as text', { policy: '{"Statement":["x"]}' }, /must be an object/],
    [
      'NotAction as a number',
      { policy: '{"Statement":[{"Effect":"Allow","NotAction":1}]}' },
      /Action is/,
    ],
    ['a role that is none', { roleArn: 'enclave' }, /no ARN of a role/],
    ['an account that is not the role’s', { account: '1' }, /account 1 is not that of/],
    ['a key that is none', { keyArn: 'alias/x' }, /keyArn must be/],
    ['PCRs that are none', { pcrs: { ...RIGHT, 3: 'abc' } }, /pcrs: 3 is not a PCR/],
    ['PCRs as null', { pcrs: null as never }, /./],
    [
      'a condition on something else',
      {
        policy: POLICY.replaceAll(
          '"StringEqualsIgnoreCase":{',
          '"StringEqualsIgnoreCase":{"aws:x":"y",',
        ),
      },
      /the condition key "aws:x"/,
    ],
    [
      'an operator',
      { policy: POLICY.replaceAll('StringEquals', 'StringLike') },
      /operator "StringLikeIgnoreCase"/,
    ],
    [
      'NotPrincipal',
      { policy: POLICY.replaceAll('"Principal"', '"NotPrincipal"') },
      /NotPrincipal/,
    ],
    ['a service', { policy: POLICY.replaceAll('{"AWS":', '{"Service":') }, /Principal is neither/],
  ])('says what it does not understand: %s', (_name, change, message) => {
    const { mismatches, sentences } = explained(change)
    expect(mismatches.some(({ kind }) => kind === 'not-understood')).toBe(true)
    expect(sentences.join('\n')).toMatch(message)
    for (const sentence of sentences) expect(sentence).toMatch(/\.$/)
  })

  it('never throws and always has a sentence for a mismatch, whatever it is given', () => {
    const anything = fc.record(
      {
        policy: fc.oneof(fc.string(), fc.json(), fc.anything()),
        action: fc.oneof(fc.string(), fc.anything()),
        pcrs: fc.anything(),
        roleArn: fc.anything(),
        account: fc.anything(),
        region: fc.anything(),
        keyArn: fc.anything(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(anything, (options) => {
        const { mismatches, sentences, verdict } = explain(options as never)
        expect(sentences).toHaveLength(mismatches.length)
        expect(['denied', 'unknown', 'allowed']).toContain(verdict)
      }),
    )
    expect(explain(undefined as never).verdict).toBe('unknown')
  })

  it('agrees with AWS’s rules on every created policy', () => {
    const cases = someOptions.chain((options) =>
      fc.tuple(
        fc.constant(options),
        somePcrs(options.images as never),
        fc.constantFrom('Decrypt', 'DeriveSharedSecret', 'Encrypt', 'PutKeyPolicy', 'CreateGrant'),
        fc.constantFrom(ENCLAVE, KEEPER, WRITER, FOREIGN),
      ),
    )
    fc.assert(
      fc.property(cases, ([options, pcrs, action, roleArn]) => {
        const policy = created(options)
        const { verdict, mismatches } = explain({
          policy: JSON.stringify(policy),
          action,
          pcrs,
          roleArn,
        })
        const allowed = isAllowed(policy, call(action, pcrs, roleArn))
        if (verdict === 'unknown') expect(mismatches.some(({ kind }) => kind === 'iam')).toBe(true)
        else expect(verdict).toBe(allowed ? 'allowed' : 'denied')
        if (verdict === 'denied') expect(mismatches).not.toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  it('is never sure of what is wrong on a policy with one change', () => {
    const calls = [RIGHT, {}, { ...RIGHT, 1: pcr(999) }].flatMap((pcrs) =>
      [ENCLAVE, KEEPER].map((principal) => call('Decrypt', pcrs, principal)),
    )
    let sure = 0
    for (const { name, policy } of mutationsOf(created(one))) {
      const text = JSON.stringify(policy)
      for (const [index, attempt] of calls.entries()) {
        const pcrs = [RIGHT, {}, { ...RIGHT, 1: pcr(999) }][Math.floor(index / 2)] as typeof RIGHT
        const { verdict } = explain({
          policy: text,
          action: 'Decrypt',
          pcrs,
          roleArn: attempt.principal,
        })
        if (verdict === 'unknown') continue
        sure++
        expect({ name, verdict }).toEqual({
          name,
          verdict: isAllowed(policy, attempt) ? 'allowed' : 'denied',
        })
      }
    }
    expect(sure).toBeGreaterThan(500)
  })
})
