// Shapes of key policies that are published for enclaves: in AWS's own guides and samples, and in projects. The JSON is
// written here; from there come only the facts of who may do what under which condition.
import { describe, expect, it } from 'vitest'
import { explain, verifyKeyPolicy, type KeyPolicyError } from '@enclavejs/kms-enclave/policy'
import { isAllowed } from './evaluation.ts'
import {
  call,
  ENCLAVE,
  expectedOf,
  image,
  KEEPER,
  KEY,
  KEY_ARN,
  NO_GRANTS,
  OPTIONS,
  pcr,
  ROOT,
  WRITER,
} from './fixture.ts'

const options = { ...OPTIONS, images: image(1) }
const PCRS = options.images.pcrs as Record<number, string>
const key = (name: string) => `kms:RecipientAttestation:${name}`
const pcr0 = { [key('PCR0')]: PCRS[0] }
const all = { ...pcr0, [key('PCR1')]: PCRS[1], [key('PCR2')]: PCRS[2] }
const decrypt = {
  Effect: 'Allow',
  Principal: { AWS: ENCLAVE },
  Action: 'kms:Decrypt',
  Resource: '*',
}
const document = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement })

function verdict(policy: string): string {
  const expected = expectedOf(options)
  try {
    verifyKeyPolicy({ policy, key: KEY, grants: NO_GRANTS, expected })
    return 'accepted'
  } catch (error) {
    return (error as KeyPolicyError).code.replace('ERR_KMS_POLICY_', '')
  }
}

describe('a published shape', () => {
  it.each<[shape: string, open: readonly string[], code: string, policy: string]>([
    [
      'the default statement beside a condition on the image: IAM gives Decrypt to anyone (KMS guide; aws-nitro-enclaves-sdk-c issues 100, 157)',
      ['Decrypt enclave', 'Decrypt keeper', 'GenerateDataKey enclave', 'GenerateDataKey keeper'],
      'ACTION',
      document(
        { Effect: 'Allow', Principal: { AWS: ROOT }, Action: 'kms:*', Resource: '*' },
        { ...decrypt, Condition: { StringEqualsIgnoreCase: { [key('ImageSha384')]: PCRS[0] } } },
      ),
    ],
    [
      'root with NotAction kms:Decrypt: IAM gives data keys, grants and the policy (KMS guide, conditions-nitro-enclaves)',
      ['GenerateDataKey enclave', 'GenerateDataKey keeper'],
      'ELEMENT',
      document(
        { Effect: 'Allow', Principal: { AWS: ROOT }, NotAction: 'kms:Decrypt', Resource: '*' },
        { ...decrypt, Condition: { StringEqualsIgnoreCase: all } },
      ),
    ],
    [
      'administrators with kms:Create*, which is CreateGrant too (kmstool guide; blockchain wallet sample)',
      [],
      'ACTION',
      document(
        { ...decrypt, Condition: { StringEqualsIgnoreCase: all } },
        {
          Effect: 'Allow',
          Principal: { AWS: KEEPER },
          Action: ['kms:Create*', 'kms:Describe*', 'kms:Put*', 'kms:ScheduleKeyDeletion'],
          Resource: '*',
        },
      ),
    ],
    [
      'the image by ImageSha384 alone: what is booted from the same bytes may be cut elsewhere (most samples)',
      [],
      'PCR',
      document({
        ...decrypt,
        Condition: { StringEqualsIgnoreCase: { [key('ImageSha384')]: PCRS[0] } },
      }),
    ],
    [
      'everyone, held by a condition on the caller (a generator of test policies)',
      [],
      'PRINCIPAL',
      document({
        ...decrypt,
        Principal: { AWS: '*' },
        Condition: {
          Null: { [key('ImageSha384')]: 'false' },
          StringEqualsIgnoreCase: all,
          StringEquals: { 'kms:CallerAccount': '123456789012' },
        },
      }),
    ],
    [
      'a service as the caller: the enclave is none, so it admits nobody (a strict-looking sample)',
      [],
      'PRINCIPAL',
      document({
        ...decrypt,
        Principal: { Service: 'kms.amazonaws.com' },
        Condition: { StringEquals: all },
      }),
    ],
    [
      'Deny with Null and with a mismatch (a design that is right, in words that are not understood here)',
      [],
      'CONDITION',
      document(
        { ...decrypt, Condition: { StringEqualsIgnoreCase: all } },
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 'kms:Decrypt',
          Resource: '*',
          Condition: { Null: { [key('ImageSha384')]: 'true' } },
        },
      ),
    ],
    [
      'locked, Decrypt held, GenerateDataKey free for the role: the parent knows every data key (a migration tool)',
      ['GenerateDataKey enclave'],
      'PCR',
      document(
        { ...decrypt, Condition: { StringEqualsIgnoreCase: all } },
        { ...decrypt, Action: ['kms:Encrypt', 'kms:GenerateDataKey'] },
      ),
    ],
    [
      'two builds in value lists: PCR0 of one with PCR1 of the other',
      [],
      'PCR',
      document({
        ...decrypt,
        Condition: {
          StringEqualsIgnoreCase: Object.fromEntries(
            Object.entries(all).map(([name, value], index) => [name, [value, pcr(500 + index)]]),
          ),
        },
      }),
    ],
    [
      'every digest in lower and in upper case under StringEquals (a deployment script): needless, and right',
      [],
      'accepted',
      document({
        ...decrypt,
        Condition: {
          StringEquals: Object.fromEntries(
            Object.entries(all).map(([name, value]) => [name, [value, value?.toUpperCase()]]),
          ),
        },
      }),
    ],
    [
      'a writer that encrypts, Resource by ARN, further PCRs: 3, and 17 that the application extends (EKS sample)',
      [],
      'accepted',
      document(
        {
          ...decrypt,
          Resource: KEY_ARN,
          Condition: {
            StringEqualsIgnoreCase: { ...all, [key('PCR3')]: pcr(3), [key('PCR17')]: pcr(17) },
          },
        },
        { ...decrypt, Principal: { AWS: WRITER }, Action: 'kms:Encrypt' },
      ),
    ],
    [
      'immutable, for key agreement: the role derives, another reads and deletes (foobar service)',
      [],
      'accepted',
      document(
        { ...decrypt, Action: 'kms:GetPublicKey' },
        {
          ...decrypt,
          Action: 'kms:DeriveSharedSecret',
          Condition: { StringEqualsIgnoreCase: all },
        },
        {
          ...decrypt,
          Principal: { AWS: KEEPER },
          Action: ['kms:DescribeKey', 'kms:GetKeyPolicy', 'kms:ScheduleKeyDeletion'],
        },
      ),
    ],
  ])('%s', (_shape, open, code, policy) => {
    expect(verdict(policy)).toBe(code)
    const roles = { enclave: ENCLAVE, keeper: KEEPER }
    const opened = ['Decrypt', 'GenerateDataKey'].flatMap((action) =>
      Object.entries(roles)
        .filter(([, principal]) => isAllowed(JSON.parse(policy), call(action, {}, principal)))
        .map(([role]) => `${action} ${role}`),
    )
    expect(opened).toEqual(open)
  })
})

describe('explain on published shapes', () => {
  it('says where IAM decides, so that a document is not even asked for', () => {
    const policy = document({
      Effect: 'Allow',
      Principal: { AWS: ROOT },
      Action: 'kms:*',
      Resource: '*',
    })
    const { verdict, sentences } = explain({ policy, action: 'Decrypt', roleArn: KEEPER })
    expect(verdict).toBe('unknown')
    expect(sentences).toEqual([
      "Statement[0] leaves it to the caller's IAM policy, which is not known here.",
    ])
  })

  it('understands Null', () => {
    const deny = {
      Sid: 'DenyUnattested',
      Effect: 'Deny',
      Principal: '*',
      Action: 'kms:Decrypt',
      Resource: '*',
      Condition: { Null: { [key('ImageSha384')]: 'true' } },
    }
    const policy = document({ ...decrypt, Condition: { StringEqualsIgnoreCase: all } }, deny)
    const request = { policy, action: 'Decrypt', roleArn: ENCLAVE }
    expect(explain({ ...request, pcrs: PCRS }).verdict).toBe('allowed')
    const { verdict, sentences } = explain(request)
    expect(verdict).toBe('denied')
    expect(sentences[0]).toBe(
      'DenyUnattested denies Decrypt: PCR0 any value expected, and no document was sent.',
    )
  })

  it('sees the zero digest of the guide’s debug example', () => {
    const condition = { StringEqualsIgnoreCase: { [key('ImageSha384')]: '0'.repeat(96) } }
    const policy = document({ Sid: 'Debug', ...decrypt, Condition: condition })
    const { sentences } = explain({ policy, action: 'Decrypt', roleArn: ENCLAVE, pcrs: PCRS })
    expect(sentences).toEqual([
      `Debug does not allow Decrypt: PCR0 ${'0'.repeat(96)} expected, ${PCRS[0]} seen.`,
    ])
  })
})
