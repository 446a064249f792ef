// Key policies and identity policies: who may do what, and with which words it is refused.
import {
  CreateKeyCommand,
  DescribeKeyCommand,
  GenerateRandomCommand,
  GetKeyPolicyCommand,
  PutKeyPolicyCommand,
  type KMSClient,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Condition, PolicyStatement } from '../../src/kms.ts'
import { pcrHex, pcrs, refusal, ROLE, sdkClient, type Setup } from './bench-of-kms.ts'
import {
  ADMIN,
  decrypt,
  denied,
  DENY,
  NOBODY_ALLOWS,
  policy,
  PolicyScene,
  ROOT,
  SESSION,
} from './policy-scene.ts'

let scene: Setup
let client: KMSClient
let under: PolicyScene

beforeAll(async () => {
  under = await PolicyScene.open()
  scene = under.setup
  client = under.client
})
afterAll(() => under.close())

describe('PCRs', () => {
  it('ImageSha384 and PCR0 are PCR0, in lower case', async () => {
    for (const condition of [
      { StringEquals: { 'kms:RecipientAttestation:ImageSha384': pcrHex(1, 0) } },
      { StringEquals: { 'kms:RecipientAttestation:PCR0': pcrHex(1, 0) } },
      {
        StringEqualsIgnoreCase: {
          'KMS:recipientattestation:pcr0': pcrHex(1, 0).toUpperCase(),
        },
      },
    ]) {
      const key = await under.sealed([decrypt(condition)])
      expect(await under.tryDecrypt(key)).toBe('allowed')
      expect(await under.tryDecrypt(key, { seed: 2 })).toEqual(denied(key.arn, NOBODY_ALLOWS))
      expect(await under.tryDecrypt(key, { attested: false })).toEqual(
        denied(key.arn, NOBODY_ALLOWS),
      )
    }
    const upper = {
      StringEquals: { 'kms:RecipientAttestation:PCR0': `${pcrHex(1, 10)}`.toUpperCase() },
    }
    expect(await under.tryDecrypt(await under.sealed([decrypt(upper)]))).not.toBe('allowed')
  })

  it('keys under one operator are all needed, values of one key are alternatives', async () => {
    const key = await under.sealed([
      decrypt({
        StringEqualsIgnoreCase: {
          'kms:RecipientAttestation:PCR0': [pcrHex(1, 0), pcrHex(2, 0)],
          'kms:RecipientAttestation:PCR1': [pcrHex(1, 1), pcrHex(2, 1)],
        },
      }),
    ])
    expect(await under.tryDecrypt(key, { seed: 1 })).toBe('allowed')
    expect(await under.tryDecrypt(key, { seed: 2 })).toBe('allowed')
    const mixed = pcrs(1).set(1, pcrs(2).get(1) as Uint8Array)
    // The lists mix two images: the simulator shows it as KMS would.
    expect(await under.tryDecrypt(key, { pcrs: mixed })).toBe('allowed')
    const other = pcrs(1).set(1, pcrs(3).get(1) as Uint8Array)
    expect(await under.tryDecrypt(key, { pcrs: other })).toEqual(denied(key.arn, NOBODY_ALLOWS))
  })

  it('a negated Deny bites where the key is absent', async () => {
    const deny = decrypt(
      { StringNotEqualsIgnoreCase: { 'kms:RecipientAttestation:PCR0': pcrHex(1, 0) } },
      'Deny',
    )
    const key = await under.sealed([decrypt(), deny])
    expect(await under.tryDecrypt(key)).toBe('allowed')
    expect(await under.tryDecrypt(key, { seed: 2 })).toEqual(denied(key.arn, DENY))
    expect(await under.tryDecrypt(key, { attested: false })).toEqual(denied(key.arn, DENY))
  })

  it('keys under one negated Deny are ANDed: one that matches lets all pass', async () => {
    const deny = decrypt(
      {
        StringNotEqualsIgnoreCase: {
          'kms:RecipientAttestation:PCR0': pcrHex(1, 0),
          'kms:RecipientAttestation:PCR1': pcrHex(1, 1),
        },
      },
      'Deny',
    )
    const key = await under.sealed([decrypt(), deny])
    const half = pcrs(2).set(1, pcrs(1).get(1) as Uint8Array)
    expect(await under.tryDecrypt(key, { pcrs: half })).toBe('allowed')
    expect(await under.tryDecrypt(key, { seed: 2 })).toEqual(denied(key.arn, DENY))
  })

  it('IfExists does not bite where the key is absent', async () => {
    const deny = decrypt(
      { StringNotEqualsIfExists: { 'kms:RecipientAttestation:PCR0': pcrHex(1, 0) } },
      'Allow',
    )
    const allow = decrypt({
      StringEqualsIfExists: { 'kms:RecipientAttestation:PCR0': pcrHex(1, 0) },
    })
    expect(await under.tryDecrypt(await under.sealed([allow]), { attested: false })).toBe('allowed')
    expect(await under.tryDecrypt(await under.sealed([allow]), { seed: 2 })).not.toBe('allowed')
    expect(await under.tryDecrypt(await under.sealed([deny]), { attested: false })).toBe('allowed')
  })

  it('Null, and operations that are not attested', async () => {
    const key = await under.sealed([
      decrypt(),
      decrypt({ Null: { 'kms:RecipientAttestation:PCR0': 'true' } }, 'Deny'),
    ])
    expect(await under.tryDecrypt(key)).toBe('allowed')
    expect(await under.tryDecrypt(key, { attested: false })).toEqual(denied(key.arn, DENY))
    const locked = await scene.kms.createKey({
      policy: policy({
        ...ADMIN,
        Condition: { Null: { 'kms:RecipientAttestation:PCR0': false } },
      }),
    })
    const error = await refusal(client.send(new DescribeKeyCommand({ KeyId: locked.arn })))
    expect(error.name).toBe('AccessDeniedException')
  })

  it('NitroTPM PCRs are others', async () => {
    const key = await under.sealed([
      decrypt({ StringEquals: { 'kms:RecipientAttestation:NitroTPMPCR4': pcrHex(1, 4) } }),
    ])
    expect(await under.tryDecrypt(key)).toEqual(denied(key.arn, NOBODY_ALLOWS))
  })
})

describe('encryption context', () => {
  it('by value, by name whatever its case, and the list of names', async () => {
    const context = { Purpose: 'test', id: '7' }
    const cases: readonly [Condition, boolean][] = [
      [{ StringEquals: { 'kms:EncryptionContext:Purpose': 'test' } }, true],
      [{ StringEquals: { 'kms:EncryptionContext:purpose': 'test' } }, true],
      [{ StringEquals: { 'kms:EncryptionContext:Purpose': 'Test' } }, false],
      [{ StringLike: { 'kms:EncryptionContext:Purpose': 't?s*' } }, true],
      [{ 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['Purpose', 'id'] } }, true],
      [{ 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['Purpose'] } }, false],
      [{ 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'id' } }, true],
      [{ 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'none' } }, false],
    ]
    for (const [condition, allowed] of cases) {
      const key = await under.sealed([decrypt(condition)], context)
      const outcome = await under.tryDecrypt(key, { attested: false, context })
      expect(outcome === 'allowed', JSON.stringify(condition)).toBe(allowed)
    }
  })
})

describe('principals', () => {
  it('a role, a session, everyone; the account leaves it to identity policies', async () => {
    const guest = scene.account.issueCredentials({ role: 'guest' })
    scene.account.setIdentityPolicy(guest.principalArn, undefined)
    const by = sdkClient(scene.kms, guest)
    const cases: readonly [PolicyStatement['Principal'], boolean][] = [
      [{ AWS: guest.principalArn }, true],
      [{ AWS: [ROLE, guest.sessionArn] }, true],
      ['*', true],
      [{ AWS: '*' }, true],
      [{ AWS: ROLE }, false],
      [{ AWS: ROOT }, false],
      [{ AWS: '123456789012' }, false],
      [{ Service: 'ec2.amazonaws.com' }, false],
    ]
    for (const [Principal, allowed] of cases) {
      const statement = { ...decrypt(), Principal } as PolicyStatement
      const key = await under.sealed([statement])
      const outcome = await under.tryDecrypt(key, { by })
      expect(outcome === 'allowed', JSON.stringify(Principal)).toBe(allowed)
    }
    const root = await under.sealed([{ ...decrypt(), Principal: { AWS: ROOT } }])
    expect(await under.tryDecrypt(root, { by })).toMatchObject({
      message: expect.stringContaining(
        'because no identity-based policy allows the kms:Decrypt action',
      ) as string,
    })
    scene.account.setIdentityPolicy(guest.principalArn, {
      Statement: { Effect: 'Allow', Action: 'kms:Dec*', Resource: root.arn },
    })
    expect(await under.tryDecrypt(root, { by })).toBe('allowed')
    scene.account.setIdentityPolicy(guest.principalArn, {
      Statement: [{ Effect: 'Deny', Action: 'kms:Decrypt', Resource: '*' }],
    })
    expect(await under.tryDecrypt(root, { by })).toMatchObject({
      message: expect.stringContaining(
        'with an explicit deny in an identity-based policy',
      ) as string,
    })
    by.destroy()
  })

  it('NotPrincipal and NotAction', async () => {
    const names = [ROLE, SESSION, ROOT]
    for (const count of [1, 2, 3]) {
      const key = await under.sealed([
        decrypt(),
        {
          Effect: 'Deny',
          NotPrincipal: { AWS: names.slice(0, count) },
          Action: 'kms:Decrypt',
          Resource: '*',
        },
      ])
      // Account, role and session have to be named to be spared.
      expect(await under.tryDecrypt(key)).toEqual(count === 3 ? 'allowed' : denied(key.arn, DENY))
    }
    const others = { Effect: 'Allow', Action: 'kms:Decrypt', Resource: '*' } as const
    const allowed = await under.sealed([
      { ...others, NotPrincipal: { AWS: 'arn:aws:iam::123456789012:role/another' } },
    ])
    expect(await under.tryDecrypt(allowed)).toBe('allowed')
    expect(
      await under.tryDecrypt(await under.sealed([{ ...others, NotPrincipal: { AWS: ROLE } }])),
    ).toMatchObject({ name: 'AccessDeniedException' })
    const notAction = await under.sealed([
      { Effect: 'Allow', Principal: { AWS: ROLE }, NotAction: 'kms:Encrypt', Resource: '*' },
    ])
    expect(await under.tryDecrypt(notAction)).toBe('allowed')
  })

  it('resources, and conditions on the caller', async () => {
    const cases: readonly [Partial<PolicyStatement>, boolean][] = [
      [{ Resource: 'arn:aws:kms:eu-west-1:123456789012:key/*' }, true],
      [{ Resource: 'arn:aws:kms:us-east-1:*' }, false],
      [{ Action: ['kms:*'] }, true],
      [{ Action: 'KMS:decrypt' }, true],
      [{ Action: 'kms:Decryp?' }, true],
      [{ Action: 'kms:GenerateDataKey*' }, false],
      [{ Action: '*' }, true],
      [{ Condition: { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:role/encl*' } } }, true],
      [{ Condition: { StringEquals: { 'kms:CallerAccount': '123456789012' } } }, true],
      [{ Condition: { StringEquals: { 'kms:ViaService': 's3.eu-west-1.amazonaws.com' } } }, false],
      [{ Condition: { Bool: { 'aws:SecureTransport': 'true' } } }, true],
      [{ Condition: { StringEquals: { 'aws:PrincipalArn': [ROLE, 'x'] } } }, true],
      [{ Condition: { StringEquals: { 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT' } } }, true],
      [{ Condition: { DateLessThan: { 'aws:CurrentTime': '2020-01-01T00:00:00Z' } } }, false],
    ]
    for (const [change, allowed] of cases) {
      const key = await under.sealed([{ ...decrypt(), ...change }])
      expect((await under.tryDecrypt(key)) === 'allowed', JSON.stringify(change)).toBe(allowed)
    }
  })

  it('of another account: both policies are needed, and bare ids mean their own account', async () => {
    const foreign = scene.other.issueCredentials({ role: 'enclave' })
    const by = sdkClient(scene.kms, foreign)
    const key = await under.sealed([{ ...decrypt(), Principal: { AWS: foreign.principalArn } }])
    expect(await under.tryDecrypt(key, { by })).toBe('allowed')
    scene.other.setIdentityPolicy(foreign.principalArn, undefined)
    expect(await under.tryDecrypt(key, { by })).toMatchObject({ name: 'AccessDeniedException' })
    scene.other.setIdentityPolicy(foreign.principalArn, {
      Statement: { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
    })
    expect(await under.tryDecrypt(await under.sealed([decrypt()]), { by })).toMatchObject({
      name: 'AccessDeniedException',
    })
    const KeyId = key.arn.split('key/')[1]
    expect(await refusal(by.send(new DescribeKeyCommand({ KeyId })))).toMatchObject({
      name: 'NotFoundException',
      message: `Key 'arn:aws:kms:eu-west-1:999999999999:key/${KeyId}' does not exist`,
    })
    by.destroy()
  })

  it('operations without a key ask the identity policy alone', async () => {
    const bare = scene.account.issueCredentials({ role: 'bare' })
    scene.account.setIdentityPolicy(bare.principalArn, undefined)
    const by = sdkClient(scene.kms, bare)
    for (const command of [
      new GenerateRandomCommand({ NumberOfBytes: 1 }),
      new CreateKeyCommand({}),
    ]) {
      const error = await refusal(by.send(command as CreateKeyCommand))
      expect(error.name).toBe('AccessDeniedException')
      expect(error.message).toMatch(/on resource: \* because no identity-based policy allows/)
    }
    by.destroy()
  })
})

describe('PutKeyPolicy', () => {
  const put = (arn: string, Policy: string, bypass?: boolean): Promise<unknown> =>
    client.send(
      new PutKeyPolicyCommand({ KeyId: arn, Policy, BypassPolicyLockoutSafetyCheck: bypass }),
    )
  const locked = JSON.stringify(policy(decrypt()))

  it('does not lock out, unless told', async () => {
    const { arn } = await scene.kms.createKey()
    expect(await refusal(put(arn, locked))).toEqual({
      name: 'MalformedPolicyDocumentException',
      message: 'The new key policy will not allow you to update the key policy in the future.',
    })
    await put(arn, locked, true)
    expect(await refusal(put(arn, locked, true))).toMatchObject({ name: 'AccessDeniedException' })
    const create = new CreateKeyCommand({ Policy: locked })
    expect(await refusal(client.send(create))).toMatchObject({
      name: 'MalformedPolicyDocumentException',
    })
    const bypass = new CreateKeyCommand({ Policy: locked, BypassPolicyLockoutSafetyCheck: true })
    expect((await client.send(bypass)).KeyMetadata?.Enabled).toBe(true)
  })

  it('counts a Deny of PutKeyPolicy as a lockout', async () => {
    const { arn } = await scene.kms.createKey()
    const text = JSON.stringify(
      policy(ADMIN, { Effect: 'Deny', Principal: '*', Action: 'kms:Put*', Resource: '*' }),
    )
    expect(await refusal(put(arn, text))).toMatchObject({
      name: 'MalformedPolicyDocumentException',
    })
  })

  it('bypassing can itself be denied', async () => {
    const { arn } = await scene.kms.createKey({
      policy: policy(ADMIN, {
        Effect: 'Deny',
        Principal: '*',
        Action: 'kms:PutKeyPolicy',
        Resource: '*',
        Condition: { Bool: { 'kms:BypassPolicyLockoutSafetyCheck': true } },
      }),
    })
    expect(await refusal(put(arn, locked, true))).toMatchObject({ name: 'AccessDeniedException' })
  })

  it('there is no other name than default', async () => {
    const { arn } = await scene.kms.createKey()
    const get = new GetKeyPolicyCommand({ KeyId: arn, PolicyName: 'other' })
    expect(await refusal(client.send(get))).toMatchObject({ name: 'NotFoundException' })
  })

  it('over the wire a malformed one is MalformedPolicyDocumentException', async () => {
    const { arn } = await scene.kms.createKey()
    expect(await refusal(put(arn, '{'))).toMatchObject({ name: 'MalformedPolicyDocumentException' })
  })
})
