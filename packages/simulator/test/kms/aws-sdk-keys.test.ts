import {
  CreateAliasCommand,
  CreateGrantCommand,
  CreateKeyCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  GenerateDataKeyCommand,
  GetKeyPolicyCommand,
  ListGrantsCommand,
  PutKeyPolicyCommand,
  RevokeGrantCommand,
  ScheduleKeyDeletionCommand,
  type KMSClient,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { refusal, sdkClient, setup, type Setup } from './bench-of-kms.ts'

let scene: Setup
let client: KMSClient

beforeAll(async () => {
  scene = await setup()
  client = sdkClient(scene.kms, scene.credentials)
})
afterAll(async () => {
  client.destroy()
  await scene.kms.close()
})

it('CreateKey, DescribeKey, CreateAlias, states', async () => {
  const { KeyMetadata } = await client.send(
    new CreateKeyCommand({ Description: 'made by the SDK', MultiRegion: true }),
  )
  const KeyId = KeyMetadata?.KeyId
  expect(KeyId).toMatch(/^mrk-[0-9a-f]{32}$/)
  expect(KeyMetadata?.CreationDate).toBeInstanceOf(Date)
  expect(KeyMetadata).toMatchObject({
    KeySpec: 'SYMMETRIC_DEFAULT',
    KeyState: 'Enabled',
    Origin: 'AWS_KMS',
    MultiRegion: true,
    AWSAccountId: '123456789012',
    Description: 'made by the SDK',
  })
  await client.send(new CreateAliasCommand({ AliasName: 'alias/sdk', TargetKeyId: KeyId }))
  const described = await client.send(new DescribeKeyCommand({ KeyId: 'alias/sdk' }))
  expect(described.KeyMetadata?.Arn).toBe(KeyMetadata?.Arn)
  await client.send(new DisableKeyCommand({ KeyId }))
  expect(
    await refusal(client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))),
  ).toMatchObject({ name: 'DisabledException' })
  await client.send(new EnableKeyCommand({ KeyId }))
  await client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))
  const gone = await client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }))
  expect(gone.KeyState).toBe('PendingDeletion')
  expect(
    await refusal(client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))),
  ).toMatchObject({ name: 'KMSInvalidStateException' })
})

it('PutKeyPolicy and GetKeyPolicy', async () => {
  const { arn } = await scene.kms.createKey()
  const Policy = `{ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*" } }`
  await client.send(new PutKeyPolicyCommand({ KeyId: arn, Policy }))
  const answer = await client.send(new GetKeyPolicyCommand({ KeyId: arn }))
  expect(answer.Policy).toBe(Policy)
  expect(answer.PolicyName).toBe('default')
})

it('CreateGrant, ListGrants, RevokeGrant', async () => {
  const { arn } = await scene.kms.createKey()
  const grants = []
  for (const Name of ['one', 'two', 'three']) {
    grants.push(
      await client.send(
        new CreateGrantCommand({
          KeyId: arn,
          Name,
          GranteePrincipal: 'arn:aws:iam::999999999999:role/guest',
          Operations: ['Decrypt', 'DescribeKey'],
          Constraints: { EncryptionContextSubset: { purpose: 'test' } },
        }),
      ),
    )
  }
  const first = await client.send(new ListGrantsCommand({ KeyId: arn, Limit: 2 }))
  expect(first.Truncated).toBe(true)
  expect(first.Grants?.map(({ Name }) => Name)).toEqual(['one', 'two'])
  const second = await client.send(
    new ListGrantsCommand({ KeyId: arn, Limit: 2, Marker: first.NextMarker }),
  )
  expect(second.Truncated).toBe(false)
  expect(second.Grants?.[0]).toMatchObject({
    KeyId: arn,
    Operations: ['Decrypt', 'DescribeKey'],
    Constraints: { EncryptionContextSubset: { purpose: 'test' } },
    IssuingAccount: 'arn:aws:iam::123456789012:root',
  })
  for (const { GrantId } of grants) {
    await client.send(new RevokeGrantCommand({ KeyId: arn, GrantId }))
  }
  expect((await client.send(new ListGrantsCommand({ KeyId: arn }))).Grants).toEqual([])
})
