import { generateKeyPairSync } from 'node:crypto'
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeriveSharedSecretCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateRandomCommand,
  GetPublicKeyCommand,
  ListGrantsCommand,
  ReEncryptCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  type KMSClient,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSimulatedKms } from '../../src/kms.ts'
import { refusal, ROLE, sdkClient, setup, type Setup } from './bench-of-kms.ts'

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

describe('what is not taken, each with its code', () => {
  let symmetric: string
  let rsa: string
  let signing: string
  let agreement: string
  beforeAll(async () => {
    const { kms } = scene
    symmetric = (await kms.createKey()).arn
    rsa = (await kms.createKey({ keySpec: 'RSA_2048', keyUsage: 'ENCRYPT_DECRYPT' })).arn
    signing = (await kms.createKey({ keySpec: 'ECC_NIST_P256', keyUsage: 'SIGN_VERIFY' })).arn
    agreement = (await kms.createKey({ keySpec: 'ECC_NIST_P256', keyUsage: 'KEY_AGREEMENT' })).arn
  })

  type Sent = Parameters<KMSClient['send']>[0]
  const cases: readonly [string, () => unknown, string, RegExp?][] = [
    [
      'a key that does not exist',
      () => new DescribeKeyCommand({ KeyId: '00000000-0000-4000-8000-000000000000' }),
      'NotFoundException',
      /^Key 'arn:aws:kms:eu-west-1:123456789012:key\/00000000-.*' does not exist$/,
    ],
    [
      'an alias that does not exist',
      () => new DescribeKeyCommand({ KeyId: 'alias/none' }),
      'NotFoundException',
      /^Alias arn:aws:kms:eu-west-1:123456789012:alias\/none is not found\.$/,
    ],
    [
      'a key id that is none',
      () => new DescribeKeyCommand({ KeyId: 'x y' }),
      'NotFoundException',
      /^Invalid keyId 'x y'$/,
    ],
    [
      'a key of another region',
      () => new DescribeKeyCommand({ KeyId: symmetric.replace('eu-west-1', 'us-east-1') }),
      'NotFoundException',
      /^Invalid arn us-east-1$/,
    ],
    [
      'an ARN of something else',
      () => new DescribeKeyCommand({ KeyId: 'arn:aws:s3:::bucket' }),
      'NotFoundException',
      /^Invalid arn /,
    ],
    [
      'the account of another',
      () => new DescribeKeyCommand({ KeyId: symmetric.replace('123456789012', '999999999999') }),
      'NotFoundException',
    ],
    [
      'no key id',
      () => new DescribeKeyCommand({ KeyId: undefined }),
      'ValidationException',
      /^1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null$/,
    ],
    [
      'a long key id',
      () => new DescribeKeyCommand({ KeyId: 'x'.repeat(2049) }),
      'ValidationException',
      /length less than or equal to 2048$/,
    ],
    [
      'neither KeySpec nor NumberOfBytes',
      () => new GenerateDataKeyCommand({ KeyId: symmetric }),
      'ValidationException',
    ],
    [
      'both',
      () => new GenerateDataKeyCommand({ KeyId: symmetric, KeySpec: 'AES_256', NumberOfBytes: 32 }),
      'ValidationException',
    ],
    [
      'another KeySpec',
      () => new GenerateDataKeyCommand({ KeyId: symmetric, KeySpec: 'DES' as never }),
      'ValidationException',
      /Value 'DES' at 'keySpec' .* enum value set: \[AES_256, AES_128\]$/,
    ],
    [
      'too many bytes',
      () => new GenerateRandomCommand({ NumberOfBytes: 1025 }),
      'ValidationException',
      /value less than or equal to 1024$/,
    ],
    ['no bytes', () => new GenerateRandomCommand({ NumberOfBytes: 0 }), 'ValidationException'],
    ['no number', () => new GenerateRandomCommand({}), 'ValidationException'],
    [
      'a custom key store',
      () => new GenerateRandomCommand({ NumberOfBytes: 1, CustomKeyStoreId: 'cks-1' }),
      'UnsupportedOperationException',
    ],
    [
      'a plaintext that is too long',
      () => new EncryptCommand({ KeyId: symmetric, Plaintext: new Uint8Array(4097) }),
      'ValidationException',
    ],
    [
      'a plaintext that is too long for RSA',
      () =>
        new EncryptCommand({
          KeyId: rsa,
          Plaintext: new Uint8Array(191),
          EncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
        }),
      'ValidationException',
      /cannot encrypt data larger than 190 bytes/,
    ],
    [
      'an encryption context with RSA',
      () =>
        new EncryptCommand({
          KeyId: rsa,
          Plaintext: new Uint8Array(1),
          EncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
          EncryptionContext: { a: 'b' },
        }),
      'ValidationException',
    ],
    [
      'the algorithm of another kind of key',
      () => new EncryptCommand({ KeyId: rsa, Plaintext: new Uint8Array(1) }),
      'InvalidKeyUsageException',
    ],
    [
      'encryption under a key for signatures',
      () => new EncryptCommand({ KeyId: signing, Plaintext: new Uint8Array(1) }),
      'InvalidKeyUsageException',
      /key usage is SIGN_VERIFY which is not valid for Encrypt\.$/,
    ],
    [
      'a data key under RSA',
      () => new GenerateDataKeyCommand({ KeyId: rsa, KeySpec: 'AES_256' }),
      'InvalidKeyUsageException',
    ],
    [
      'a key pair of a spec that is not made here',
      () => new GenerateDataKeyPairCommand({ KeyId: symmetric, KeyPairSpec: 'SM2' }),
      'UnsupportedOperationException',
    ],
    [
      'a ciphertext that is none',
      () => new DecryptCommand({ CiphertextBlob: new Uint8Array(100) }),
      'InvalidCiphertextException',
    ],
    [
      'a ciphertext that is none, with its key named',
      () => new DecryptCommand({ CiphertextBlob: new Uint8Array(100), KeyId: symmetric }),
      'InvalidCiphertextException',
    ],
    [
      'a ciphertext that is none, for RSA',
      () =>
        new DecryptCommand({
          CiphertextBlob: new Uint8Array(256),
          KeyId: rsa,
          EncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
        }),
      'InvalidCiphertextException',
    ],
    [
      'RSA without a key id',
      () =>
        new DecryptCommand({
          CiphertextBlob: new Uint8Array(256),
          EncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
        }),
      'ValidationException',
    ],
    [
      'ECDH under a symmetric key',
      () =>
        new DeriveSharedSecretCommand({
          KeyId: symmetric,
          KeyAgreementAlgorithm: 'ECDH',
          PublicKey: new Uint8Array(91),
        }),
      'InvalidKeyUsageException',
    ],
    [
      'ECDH with what is no key',
      () =>
        new DeriveSharedSecretCommand({
          KeyId: agreement,
          KeyAgreementAlgorithm: 'ECDH',
          PublicKey: new Uint8Array(91),
        }),
      'ValidationException',
    ],
    [
      'ECDH with a key on another curve',
      () =>
        new DeriveSharedSecretCommand({
          KeyId: agreement,
          KeyAgreementAlgorithm: 'ECDH',
          PublicKey: generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({
            type: 'spki',
            format: 'der',
          }),
        }),
      'ValidationException',
      /same curve/,
    ],
    [
      'a signature by a key for agreement',
      () =>
        new SignCommand({
          KeyId: agreement,
          Message: new Uint8Array(1),
          SigningAlgorithm: 'ECDSA_SHA_256',
        }),
      'InvalidKeyUsageException',
    ],
    [
      'a signature with the algorithm of another key',
      () =>
        new SignCommand({
          KeyId: signing,
          Message: new Uint8Array(1),
          SigningAlgorithm: 'ECDSA_SHA_384',
        }),
      'InvalidKeyUsageException',
    ],
    [
      'a digest of another length',
      () =>
        new SignCommand({
          KeyId: signing,
          Message: new Uint8Array(31),
          MessageType: 'DIGEST',
          SigningAlgorithm: 'ECDSA_SHA_256',
        }),
      'ValidationException',
    ],
    [
      'the public key of a symmetric key',
      () => new GetPublicKeyCommand({ KeyId: symmetric }),
      'UnsupportedOperationException',
    ],
    [
      'the rotation of an asymmetric key',
      () => new RotateKeyOnDemandCommand({ KeyId: rsa }),
      'UnsupportedOperationException',
    ],
    [
      'a key of a spec that is not made here',
      () => new CreateKeyCommand({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
      'UnsupportedOperationException',
    ],
    [
      'a key of another origin',
      () => new CreateKeyCommand({ Origin: 'EXTERNAL' }),
      'UnsupportedOperationException',
    ],
    [
      'a key without a usage',
      () => new CreateKeyCommand({ KeySpec: 'RSA_2048' }),
      'ValidationException',
    ],
    [
      'a usage that does not fit',
      () => new CreateKeyCommand({ KeySpec: 'RSA_2048', KeyUsage: 'KEY_AGREEMENT' }),
      'ValidationException',
    ],
    [
      'an alias of AWS',
      () => new CreateAliasCommand({ AliasName: 'alias/aws/x', TargetKeyId: symmetric }),
      'ValidationException',
    ],
    [
      'deletion at once',
      () => new ScheduleKeyDeletionCommand({ KeyId: symmetric, PendingWindowInDays: 1 }),
      'ValidationException',
    ],
    [
      'a trial of what would succeed',
      () => new GenerateDataKeyCommand({ KeyId: symmetric, KeySpec: 'AES_256', DryRun: true }),
      'DryRunOperationException',
    ],
    [
      'a page of too many grants',
      () => new ListGrantsCommand({ KeyId: symmetric, Limit: 101 }),
      'ValidationException',
    ],
  ]

  it.each(cases)('%s', async (_name, command, name, message = /^/) => {
    const error = await refusal(client.send(command() as Sent))
    expect(error.name).toBe(name)
    expect(error.message).toMatch(message)
  })

  it('a blob of another key, of no key here, and under another name', async () => {
    const Plaintext = new Uint8Array(8)
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: symmetric, Plaintext }),
    )
    const other = (await scene.kms.createKey()).arn
    const wrong = new DecryptCommand({ CiphertextBlob, KeyId: other })
    expect(await refusal(client.send(wrong))).toMatchObject({ name: 'IncorrectKeyException' })
    await using elsewhere = await createSimulatedKms({
      accounts: [scene.account],
      attestationRoots: [scene.authority.trustAnchor],
    })
    const stranger = sdkClient(elsewhere, scene.credentials)
    expect(await refusal(stranger.send(new DecryptCommand({ CiphertextBlob })))).toEqual({
      name: 'AccessDeniedException',
      message:
        'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    })
    stranger.destroy()
  })

  it('each octet of a blob is needed as it is', async () => {
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: symmetric, Plaintext: new Uint8Array(8) }),
    )
    const blob = CiphertextBlob as Uint8Array
    for (let at = 0; at < blob.length; at += 1) {
      const changed = blob.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      const sent = client.send(new DecryptCommand({ CiphertextBlob: changed, KeyId: symmetric }))
      expect([at, (await refusal(sent)).name]).toEqual([at, 'InvalidCiphertextException'])
    }
  })

  it('a trial has status 412, and a key that is disabled or to be deleted is not used', async () => {
    const { arn, keyId } = await scene.kms.createKey()
    const send = (DryRun: boolean): Promise<unknown> =>
      client.send(new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256', DryRun }))
    await expect(send(true)).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } })
    await scene.kms.setKeyState(keyId, 'Disabled')
    expect(await refusal(send(true))).toEqual({
      name: 'DisabledException',
      message: `${arn} is disabled.`,
    })
    await scene.kms.setKeyState(arn, 'PendingDeletion')
    expect(await refusal(send(false))).toEqual({
      name: 'KMSInvalidStateException',
      message: `${arn} is pending deletion.`,
    })
  })

  it('an alias twice, and twenty-six rotations', async () => {
    const { arn } = await scene.kms.createKey({ alias: 'alias/twice' })
    const again = new CreateAliasCommand({ AliasName: 'alias/twice', TargetKeyId: arn })
    expect(await refusal(client.send(again))).toMatchObject({ name: 'AlreadyExistsException' })
    const rotate = (): Promise<unknown> => client.send(new RotateKeyOnDemandCommand({ KeyId: arn }))
    for (let count = 0; count < 25; count += 1) await rotate()
    expect(await refusal(rotate())).toMatchObject({ name: 'LimitExceededException' })
  })

  it('a source and a destination of ReEncrypt that are not allowed', async () => {
    const admin = `{"Statement":{"Effect":"Allow","Principal":{"AWS":"${ROLE}"},"Action":["kms:Encrypt","kms:ReEncryptTo"],"Resource":"*"}}`
    const { arn } = await scene.kms.createKey({ policy: admin })
    const open = await client.send(
      new EncryptCommand({ KeyId: symmetric, Plaintext: new Uint8Array(1) }),
    )
    const shut = await client.send(new EncryptCommand({ KeyId: arn, Plaintext: new Uint8Array(1) }))
    const move = (
      CiphertextBlob: Uint8Array | undefined,
      DestinationKeyId: string,
    ): Promise<unknown> => client.send(new ReEncryptCommand({ CiphertextBlob, DestinationKeyId }))
    await move(open.CiphertextBlob, arn)
    const from = await refusal(move(shut.CiphertextBlob, symmetric))
    expect(from.message).toMatch('kms:ReEncryptFrom')
    await scene.kms.setKeyPolicy(arn, admin.replace(',"kms:ReEncryptTo"', ''))
    const to = await refusal(move(open.CiphertextBlob, arn))
    expect(to).toMatchObject({ name: 'AccessDeniedException' })
    expect(to.message).toMatch('kms:ReEncryptTo')
  })
})
