// Each refusal of verifyKeyPolicy over a key or its grants, made to happen by one change in good ones.
import { describe, expect, it } from 'vitest'
import {
  verifyKeyPolicy,
  type ExpectedKeyPolicy,
  type KeyPolicyError,
  type VerifyKeyPolicyOptions,
} from '@enclavejs/kms-enclave/policy'
import {
  created,
  expectedOf,
  FOREIGN,
  KEY,
  KEY_ARN,
  NO_GRANTS,
  OPTIONS,
  WRITER,
} from './fixture.ts'

function good(change: Partial<VerifyKeyPolicyOptions>): VerifyKeyPolicyOptions {
  const policy = JSON.stringify(created())
  return { policy, key: KEY, grants: NO_GRANTS, expected: expectedOf(OPTIONS), ...change }
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

describe('a key', () => {
  it.each<[code: string, change: Record<string, unknown>]>([
    ['ERR_KMS_POLICY_ANSWER', { Arn: undefined }],
    ['ERR_KMS_POLICY_ANSWER', { KeyManager: 1 }],
    ['ERR_KMS_POLICY_ANSWER', { MultiRegion: undefined }],
    ['ERR_KMS_POLICY_KEY', { Arn: KEY_ARN.replace('0d99', '0d98') }],
    ['ERR_KMS_POLICY_KEY_KIND', { KeyManager: 'AWS' }],
    ['ERR_KMS_POLICY_KEY_KIND', { KeyUsage: 'SIGN_VERIFY' }],
    ['ERR_KMS_POLICY_ORIGIN', { Origin: 'EXTERNAL' }],
    ['ERR_KMS_POLICY_MULTI_REGION', { MultiRegion: true }],
  ])('%s: %j', (code, change) => {
    expect(refusal(good({ key: { ...KEY, ...change } as never })).code).toBe(code)
  })

  it('ERR_KMS_POLICY_ANSWER: nothing', () => {
    expect(refusal(good({ key: null as never })).code).toBe('ERR_KMS_POLICY_ANSWER')
  })

  it('may come from elsewhere, and be of several Regions, when told', () => {
    const key = { ...KEY, Origin: 'AWS_CLOUDHSM', MultiRegion: true }
    const expected: ExpectedKeyPolicy = {
      ...expectedOf(OPTIONS),
      origin: 'AWS_CLOUDHSM',
      allowMultiRegion: true,
    }
    expect(verifyKeyPolicy(good({ key, expected }))).toBeDefined()
  })
})

describe('a grant', () => {
  const grant = { KeyId: KEY_ARN, GranteePrincipal: WRITER, Operations: ['Encrypt', 'DescribeKey'] }
  const last = (...Grants: unknown[]): object => ({ Grants, Truncated: false })
  it.each<readonly [code: string, grants: unknown, statement?: string]>([
    ['ERR_KMS_POLICY_ANSWER', []],
    ['ERR_KMS_POLICY_ANSWER', null],
    ['ERR_KMS_POLICY_ANSWER', {}],
    ['ERR_KMS_POLICY_ANSWER', { Truncated: false }],
    ['ERR_KMS_POLICY_ANSWER', { Grants: [], Truncated: 'no' }],
    ['ERR_KMS_POLICY_ANSWER', { Grants: [] }],
    ['ERR_KMS_POLICY_ANSWER', { Grants: [], NextMarker: 'x' }],
    ['ERR_KMS_POLICY_ANSWER', { Grants: [], Truncated: false, NextMarker: 'x' }],
    ['ERR_KMS_POLICY_ANSWER', [{ Grants: [], Truncated: true }, { Grants: [] }]],
    ['ERR_KMS_POLICY_ANSWER', last(null), 'Grants[0]'],
    ['ERR_KMS_POLICY_ANSWER', last({ ...grant, Operations: undefined }), 'Grants[0]'],
    ['ERR_KMS_POLICY_GRANTS_TRUNCATED', { Grants: [], Truncated: true }],
    [
      'ERR_KMS_POLICY_GRANTS_TRUNCATED',
      [
        { Grants: [], Truncated: false },
        { Grants: [], Truncated: false },
      ],
    ],
    ['ERR_KMS_POLICY_KEY', last({ ...grant, KeyId: `${KEY_ARN}0` }), 'Grants[0]'],
    ['ERR_KMS_POLICY_GRANT', last(grant, { ...grant, GranteePrincipal: FOREIGN }), 'Grants[1]'],
    ['ERR_KMS_POLICY_GRANT', last({ ...grant, GranteePrincipal: undefined }), 'Grants[0]'],
    ...['Decrypt', 'CreateGrant', 'ReEncryptFrom', 'GenerateDataKey', 'New'].map(
      (operation) =>
        ['ERR_KMS_POLICY_GRANT', last({ ...grant, Operations: ['Encrypt', operation] })] as const,
    ),
  ])('%s: %j', (code, grants, statement) => {
    const error = refusal(good({ grants: grants as never }))
    expect(error.code).toBe(code)
    if (statement !== undefined) expect(error.statement).toBe(statement)
  })

  it('that gives nothing secret to somebody named is counted', () => {
    const pages = [
      { Grants: [grant], Truncated: true, NextMarker: 'x' },
      last({ ...grant, KeyId: KEY_ARN.split('/')[1], Operations: ['RetireGrant'] }),
    ]
    expect(verifyKeyPolicy(good({ grants: pages as never })).grants).toBe(2)
  })
})
