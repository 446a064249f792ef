import {
  CreateGrantCommand,
  DecryptCommand,
  DescribeKeyCommand,
  ListGrantsCommand,
  RevokeGrantCommand,
  type KMSClient,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pcrHex, refusal, ROLE, sdkClient, type Setup } from './bench-of-kms.ts'
import { ADMIN, decrypt, denied, DENY, policy, PolicyScene } from './policy-scene.ts'

let scene: Setup
let client: KMSClient
let under: PolicyScene

beforeAll(async () => {
  under = await PolicyScene.open()
  scene = under.setup
  client = under.client
})
afterAll(() => under.close())

describe('grants', () => {
  it('let in whom they name, for what they name, under their constraints', async () => {
    const guest = scene.other.issueCredentials({ role: 'guest' })
    const by = sdkClient(scene.kms, guest)
    const context = { purpose: 'test', id: '7' }
    const key = await under.sealed([], context)
    const cases = [
      [{ EncryptionContextSubset: { purpose: 'test' } }, true],
      [{ EncryptionContextSubset: { purpose: 'other' } }, false],
      [{ EncryptionContextEquals: context }, true],
      [{ EncryptionContextEquals: { purpose: 'test' } }, false],
      [undefined, true],
    ] as const
    for (const [Constraints, allowed] of cases) {
      const { GrantId, GrantToken } = await client.send(
        new CreateGrantCommand({
          KeyId: key.arn,
          GranteePrincipal: guest.principalArn,
          Operations: ['Decrypt'],
          Constraints,
        }),
      )
      const outcome = await under.tryDecrypt(key, { by, context, attested: false })
      expect(outcome === 'allowed', JSON.stringify(Constraints)).toBe(allowed)
      if (allowed) {
        const sent = by.send(
          new DecryptCommand({
            CiphertextBlob: key.blob,
            EncryptionContext: context,
            GrantTokens: [GrantToken ?? ''],
          }),
        )
        expect((await sent).KeyId).toBe(key.arn)
      }
      await client.send(new RevokeGrantCommand({ KeyId: key.arn, GrantId }))
      expect(await under.tryDecrypt(key, { by, context })).toMatchObject({
        name: 'AccessDeniedException',
      })
    }
    by.destroy()
  })

  it('do not prevail over a Deny', async () => {
    const key = await under.sealed([])
    await client.send(
      new CreateGrantCommand({
        KeyId: key.arn,
        GranteePrincipal: ROLE,
        Operations: ['Decrypt'],
      }),
    )
    expect(await under.tryDecrypt(key, { attested: false })).toBe('allowed')
    await scene.kms.setKeyPolicy(
      key.arn,
      policy(
        ADMIN,
        decrypt(
          { StringNotEqualsIgnoreCase: { 'kms:RecipientAttestation:PCR0': pcrHex(1, 0) } },
          'Deny',
        ),
      ),
    )
    expect(await under.tryDecrypt(key, { attested: false })).toEqual(denied(key.arn, DENY))
    expect(await under.tryDecrypt(key)).toBe('allowed')
  })

  it('that are not well formed', async () => {
    const { arn } = await scene.kms.createKey()
    const good = { KeyId: arn, GranteePrincipal: ROLE, Operations: ['Decrypt' as const] }
    const create = (change: object): Promise<{ name: string; message: string }> =>
      refusal(client.send(new CreateGrantCommand({ ...good, ...change })))
    expect(await create({ GranteePrincipal: 'me' })).toMatchObject({ name: 'InvalidArnException' })
    expect(await create({ RetiringPrincipal: 'me' })).toMatchObject({ name: 'InvalidArnException' })
    expect(await create({ Operations: [] })).toMatchObject({ name: 'ValidationException' })
    expect(await create({ Operations: ['Fly'] })).toMatchObject({ name: 'ValidationException' })
    expect(await create({ DryRun: true })).toMatchObject({ name: 'DryRunOperationException' })
    const revoke = new RevokeGrantCommand({ KeyId: arn, GrantId: 'none' })
    expect(await refusal(client.send(revoke))).toMatchObject({ name: 'NotFoundException' })
    const list = new ListGrantsCommand({ KeyId: arn, Marker: 'none' })
    expect(await refusal(client.send(list))).toMatchObject({ name: 'InvalidMarkerException' })
    const token = new DescribeKeyCommand({ KeyId: arn, GrantTokens: ['none'] })
    expect(await refusal(client.send(token))).toMatchObject({ name: 'InvalidGrantTokenException' })
  })

  it('can be limited by conditions', async () => {
    const { arn } = await scene.kms.createKey({
      policy: policy({
        ...ADMIN,
        Condition: { 'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Encrypt'] } },
      }),
    })
    const create = (Operations: ('Encrypt' | 'Decrypt')[]): Promise<unknown> =>
      client.send(new CreateGrantCommand({ KeyId: arn, GranteePrincipal: ROLE, Operations }))
    await create(['Encrypt'])
    expect(await refusal(create(['Encrypt', 'Decrypt']))).toMatchObject({
      name: 'AccessDeniedException',
    })
  })
})
