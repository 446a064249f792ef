// AWS's own client is the judge: what it sends is understood here, what is answered here it understands.
import {
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  constants,
  verify,
  createHash,
} from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateKeyCommand,
  DecryptCommand,
  DeriveSharedSecretCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  GetPublicKeyCommand,
  ReEncryptCommand,
  RotateKeyOnDemandCommand,
  SignCommand,
  type KMSClient,
  type RecipientInfo,
  type SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  refusal,
  sdkClient,
  setup,
  testRecipient,
  type Setup,
  type TestRecipient,
} from './bench-of-kms.ts'

let scene: Setup
let client: KMSClient
let recipient: TestRecipient
let symmetric: string

beforeAll(async () => {
  scene = await setup()
  client = sdkClient(scene.kms, scene.credentials)
  recipient = testRecipient(scene.authority)
  symmetric = (await scene.kms.createKey({ alias: 'alias/data' })).arn
})
afterAll(async () => {
  client.destroy()
  await scene.kms.close()
})

const EncryptionContext = { purpose: 'test', névtér: 'értek' }

function info(): RecipientInfo {
  return {
    AttestationDocument: recipient.document(),
    KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
  }
}

/** What OpenSSL makes of a CiphertextForRecipient. */
function opensslOpen(cms: Uint8Array | undefined, to: TestRecipient = recipient): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'enclavejs-cms-'))
  try {
    writeFileSync(join(folder, 'x.ber'), cms ?? new Uint8Array())
    writeFileSync(join(folder, 'key.pem'), to.privateKey.export({ type: 'pkcs8', format: 'pem' }), {
      mode: 0o600,
    })
    const args = [
      'cms',
      '-decrypt',
      '-binary',
      '-inform',
      'DER',
      '-in',
      'x.ber',
      '-inkey',
      'key.pem',
    ]
    return execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('without Recipient', () => {
  it('Encrypt and Decrypt', async () => {
    const Plaintext = Buffer.from('a secret')
    const sealed = await client.send(
      new EncryptCommand({ KeyId: 'alias/data', Plaintext, EncryptionContext }),
    )
    expect(sealed.KeyId).toBe(symmetric)
    const CiphertextBlob = sealed.CiphertextBlob as Uint8Array
    expect(Buffer.from(CiphertextBlob).toString('base64')).toMatch(/^AQICAH/)
    const opened = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))
    expect(Buffer.from(opened.Plaintext ?? []).toString()).toBe('a secret')
    expect(opened.KeyId).toBe(symmetric)
    expect(opened.EncryptionAlgorithm).toBe('SYMMETRIC_DEFAULT')
    expect(opened.KeyMaterialId).toMatch(/^[0-9a-f]{64}$/)
    expect(opened.CiphertextForRecipient).toBeUndefined()
    expect(
      await refusal(client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: {} }))),
    ).toMatchObject({ name: 'InvalidCiphertextException' })
  })

  it('a blob of 43 octets takes 184, as a real one', async () => {
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: symmetric, Plaintext: new Uint8Array(43) }),
    )
    expect(CiphertextBlob).toHaveLength(184)
  })

  it('rotation: what old material made is still opened', async () => {
    const { arn } = await scene.kms.createKey()
    const sealed = await client.send(
      new EncryptCommand({ KeyId: arn, Plaintext: Buffer.from('old') }),
    )
    await client.send(new RotateKeyOnDemandCommand({ KeyId: arn }))
    const again = await client.send(
      new EncryptCommand({ KeyId: arn, Plaintext: Buffer.from('new') }),
    )
    const old = await client.send(new DecryptCommand({ CiphertextBlob: sealed.CiphertextBlob }))
    const now = await client.send(new DecryptCommand({ CiphertextBlob: again.CiphertextBlob }))
    expect(Buffer.from(old.Plaintext ?? []).toString()).toBe('old')
    expect(Buffer.from(now.Plaintext ?? []).toString()).toBe('new')
    expect(now.KeyMaterialId).not.toBe(old.KeyMaterialId)
  })

  it('ReEncrypt', async () => {
    const { arn } = await scene.kms.createKey()
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: symmetric, Plaintext: Buffer.from('moved'), EncryptionContext }),
    )
    const moved = await client.send(
      new ReEncryptCommand({
        CiphertextBlob,
        SourceEncryptionContext: EncryptionContext,
        DestinationKeyId: arn,
        DestinationEncryptionContext: { to: 'there' },
      }),
    )
    expect(moved).toMatchObject({ SourceKeyId: symmetric, KeyId: arn })
    const opened = await client.send(
      new DecryptCommand({
        CiphertextBlob: moved.CiphertextBlob,
        KeyId: arn,
        EncryptionContext: { to: 'there' },
      }),
    )
    expect(Buffer.from(opened.Plaintext ?? []).toString()).toBe('moved')
  })

  it.each([
    [{ KeySpec: 'AES_256' as const }, 32],
    [{ KeySpec: 'AES_128' as const }, 16],
    [{ NumberOfBytes: 77 }, 77],
  ])('GenerateDataKey %j', async (what, length) => {
    const made = await client.send(new GenerateDataKeyCommand({ KeyId: symmetric, ...what }))
    expect(made.Plaintext).toHaveLength(length)
    const opened = await client.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob }))
    expect(opened.Plaintext).toEqual(made.Plaintext)
  })

  it('GenerateDataKeyWithoutPlaintext', async () => {
    const made = await client.send(
      new GenerateDataKeyWithoutPlaintextCommand({ KeyId: symmetric, NumberOfBytes: 20 }),
    )
    expect(made).not.toHaveProperty('Plaintext')
    const opened = await client.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob }))
    expect(opened.Plaintext).toHaveLength(20)
  })

  it.each([
    'RSA_2048',
    'ECC_NIST_P256',
    'ECC_NIST_P521',
    'ECC_SECG_P256K1',
    'ECC_NIST_EDWARDS25519',
  ] as const)('GenerateDataKeyPair %s', async (KeyPairSpec) => {
    const made = await client.send(
      new GenerateDataKeyPairCommand({ KeyId: symmetric, KeyPairSpec, EncryptionContext }),
    )
    const key = Buffer.from(made.PrivateKeyPlaintext ?? [])
    const publicKey = createPublicKey({ key, type: 'pkcs8', format: 'der' } as never)
    expect(publicKey.export({ type: 'spki', format: 'der' })).toEqual(
      Buffer.from(made.PublicKey ?? []),
    )
    const opened = await client.send(
      new DecryptCommand({ CiphertextBlob: made.PrivateKeyCiphertextBlob, EncryptionContext }),
    )
    expect(opened.Plaintext).toEqual(made.PrivateKeyPlaintext)
  })

  it('GenerateDataKeyPairWithoutPlaintext', async () => {
    const made = await client.send(
      new GenerateDataKeyPairWithoutPlaintextCommand({
        KeyId: symmetric,
        KeyPairSpec: 'ECC_NIST_P384',
      }),
    )
    expect(made).not.toHaveProperty('PrivateKeyPlaintext')
    expect(made.KeyPairSpec).toBe('ECC_NIST_P384')
  })

  it('GenerateRandom', async () => {
    const { Plaintext } = await client.send(new GenerateRandomCommand({ NumberOfBytes: 1024 }))
    expect(Plaintext).toHaveLength(1024)
  })

  it.each(['RSA_2048', 'RSA_3072', 'RSA_4096'] as const)('%s encryption', async (KeySpec) => {
    const { KeyMetadata } = await client.send(
      new CreateKeyCommand({ KeySpec, KeyUsage: 'ENCRYPT_DECRYPT' }),
    )
    const KeyId = KeyMetadata?.Arn
    const { PublicKey, EncryptionAlgorithms } = await client.send(
      new GetPublicKeyCommand({ KeyId }),
    )
    expect(EncryptionAlgorithms).toEqual(['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'])
    const publicKey = createPublicKey({
      key: Buffer.from(PublicKey ?? []),
      type: 'spki',
      format: 'der',
    })
    expect(publicKey.asymmetricKeyDetails?.modulusLength).toBe(Number(KeySpec.slice(4)))
    for (const EncryptionAlgorithm of ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const) {
      const sealed = await client.send(
        new EncryptCommand({ KeyId, Plaintext: Buffer.from('rsa'), EncryptionAlgorithm }),
      )
      const { CiphertextBlob } = sealed
      const opened = await client.send(
        new DecryptCommand({ KeyId, CiphertextBlob, EncryptionAlgorithm }),
      )
      expect(Buffer.from(opened.Plaintext ?? []).toString()).toBe('rsa')
      expect(opened.KeyMaterialId).toBeUndefined()
    }
  })

  it.each(['ECC_NIST_P256', 'ECC_NIST_P384'] as const)('DeriveSharedSecret %s', async (KeySpec) => {
    const { arn } = await scene.kms.createKey({ keySpec: KeySpec, keyUsage: 'KEY_AGREEMENT' })
    const namedCurve = KeySpec.replace('ECC_NIST_P', 'P-')
    const own = generateKeyPairSync('ec', { namedCurve })
    const derived = await client.send(
      new DeriveSharedSecretCommand({
        KeyId: arn,
        KeyAgreementAlgorithm: 'ECDH',
        PublicKey: own.publicKey.export({ type: 'spki', format: 'der' }),
      }),
    )
    const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: arn }))
    const publicKey = createPublicKey({
      key: Buffer.from(PublicKey ?? []),
      type: 'spki',
      format: 'der',
    })
    const expected = diffieHellman({ privateKey: own.privateKey, publicKey })
    expect(Buffer.from(derived.SharedSecret ?? [])).toEqual(expected)
    expect(derived.KeyOrigin).toBe('AWS_KMS')
  })

  it.each([
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256'],
    ['RSA_2048', 'RSASSA_PSS_SHA_384'],
    ['RSA_2048', 'RSASSA_PSS_SHA_512'],
    ['ECC_NIST_P256', 'ECDSA_SHA_256'],
    ['ECC_NIST_P384', 'ECDSA_SHA_384'],
  ] as const)('Sign with %s %s, a message and a digest', async (keySpec, SigningAlgorithm) => {
    const { arn } = await scene.kms.createKey({ keySpec, keyUsage: 'SIGN_VERIFY' })
    const message = Buffer.from('to be signed')
    const hash = `sha${SigningAlgorithm.slice(-3)}`
    const digest = createHash(hash).update(message).digest()
    const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: arn }))
    const key = createPublicKey({ key: Buffer.from(PublicKey ?? []), type: 'spki', format: 'der' })
    const padding = SigningAlgorithm.includes('PSS')
      ? constants.RSA_PKCS1_PSS_PADDING
      : constants.RSA_PKCS1_PADDING
    const input = keySpec.startsWith('RSA') ? { key, padding } : key
    for (let round = 0; round < 4; round += 1) {
      for (const [Message, MessageType] of [
        [message, 'RAW'],
        [digest, 'DIGEST'],
      ] as const) {
        const { Signature } = await client.send(
          new SignCommand({
            KeyId: arn,
            Message,
            MessageType,
            SigningAlgorithm: SigningAlgorithm as SigningAlgorithmSpec,
          }),
        )
        expect(verify(hash, message, input, Buffer.from(Signature ?? []))).toBe(true)
      }
    }
  })
})

describe('with Recipient', () => {
  it('Decrypt: no Plaintext, and OpenSSL opens the CMS', async () => {
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: symmetric, Plaintext: Buffer.from('a secret') }),
    )
    const opened = await client.send(
      new DecryptCommand({ CiphertextBlob, KeyId: symmetric, Recipient: info() }),
    )
    expect(opened.Plaintext).toBeUndefined()
    expect(opened.KeyId).toBe(symmetric)
    expect(opensslOpen(opened.CiphertextForRecipient).toString()).toBe('a secret')
    expect(scene.kms.requests.at(-1)?.operation).toBe('Decrypt')
  })

  it('GenerateDataKey', async () => {
    const made = await client.send(
      new GenerateDataKeyCommand({ KeyId: symmetric, KeySpec: 'AES_256', Recipient: info() }),
    )
    expect(made.Plaintext).toBeUndefined()
    const opened = await client.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob }))
    expect(opensslOpen(made.CiphertextForRecipient)).toEqual(Buffer.from(opened.Plaintext ?? []))
  })

  it('GenerateDataKeyPair', async () => {
    const made = await client.send(
      new GenerateDataKeyPairCommand({
        KeyId: symmetric,
        KeyPairSpec: 'RSA_2048',
        Recipient: info(),
      }),
    )
    expect(made.PrivateKeyPlaintext).toBeUndefined()
    const opened = await client.send(
      new DecryptCommand({ CiphertextBlob: made.PrivateKeyCiphertextBlob }),
    )
    const inside = opensslOpen(made.CiphertextForRecipient)
    expect(inside).toEqual(Buffer.from(opened.Plaintext ?? []))
  })

  it('GenerateRandom', async () => {
    const { Plaintext, CiphertextForRecipient } = await client.send(
      new GenerateRandomCommand({ NumberOfBytes: 100, Recipient: info() }),
    )
    expect(Plaintext).toBeUndefined()
    expect(opensslOpen(CiphertextForRecipient)).toHaveLength(100)
  })

  it('DeriveSharedSecret', async () => {
    const { arn } = await scene.kms.createKey({
      keySpec: 'ECC_NIST_P256',
      keyUsage: 'KEY_AGREEMENT',
    })
    const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const input = {
      KeyId: arn,
      KeyAgreementAlgorithm: 'ECDH' as const,
      PublicKey: own.publicKey.export({ type: 'spki', format: 'der' }),
    }
    const open = await client.send(new DeriveSharedSecretCommand(input))
    const sealed = await client.send(new DeriveSharedSecretCommand({ ...input, Recipient: info() }))
    expect(sealed.SharedSecret).toBeUndefined()
    expect(opensslOpen(sealed.CiphertextForRecipient)).toEqual(Buffer.from(open.SharedSecret ?? []))
  })

  it.each([3072, 4096])('a recipient of %i bits', async (modulusLength) => {
    const large = testRecipient(scene.authority, modulusLength)
    const { CiphertextForRecipient } = await client.send(
      new GenerateRandomCommand({
        NumberOfBytes: 32,
        Recipient: {
          AttestationDocument: large.document(),
          KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
        },
      }),
    )
    expect(opensslOpen(CiphertextForRecipient, large)).toHaveLength(32)
  })
})

it('what the SDK got was one connection, and signed requests are recorded with their principal', () => {
  expect(scene.kms.counters.handshakes).toBeLessThan(5)
  expect(scene.kms.requests.at(-1)).toMatchObject({
    principalArn: 'arn:aws:iam::123456789012:role/enclave',
    status: 200,
    tls: { protocol: 'TLSv1.3', servername: 'kms.eu-west-1.amazonaws.com' },
  })
})
