import {
  CreateGrantCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateRandomCommand,
  KMSClient,
  type KMSClientConfig,
} from '@aws-sdk/client-kms'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KmsFault } from '@enclavejs/simulator/kms'
import { attestKmsClient, type AttestKmsClientOptions } from '../src/aws-sdk.ts'
import { EnclaveRequestHandler } from '../src/aws-sdk/request-handler.ts'
import { createKmsClient } from '../src/index.ts'
import { openScene, type Scene } from './simulated-kms.ts'

let scene: Scene
let keyArn: string
let client: KMSClient

beforeAll(async () => {
  scene = await openScene()
  keyArn = (await scene.kms.createKey()).arn
})
afterAll(() => scene.kms.close())
beforeEach(() => {
  scene.kms.clearFaults()
  scene.kms.clearRequests()
  scene.evidence = 0
  client = open()
})
afterEach(() => client.destroy())

function plain(config: KMSClientConfig = {}): KMSClient {
  return new KMSClient({ region: 'eu-west-1', credentials: scene.credentials, ...config })
}

function open(options: Partial<AttestKmsClientOptions> = {}, config?: KMSClientConfig): KMSClient {
  return attestKmsClient(plain(config), {
    keyArn,
    connect: scene.kms.connect.bind(scene.kms),
    getEvidence: scene.getEvidence,
    roots: [scene.kms.ca],
    ...options,
  })
}

const EncryptionContext = { purpose: 'test' }
const Plaintext = new TextEncoder().encode('of the enclave')

function lastBody(): Record<string, unknown> {
  return JSON.parse(Buffer.from(scene.kms.requests.at(-1)?.body ?? []).toString()) as never
}

describe('a KMSClient that was made to attest', () => {
  it('decrypts what it encrypted, and the plaintext is where the SDK has it', async () => {
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: keyArn, Plaintext, EncryptionContext }),
    )
    expect(lastBody()).not.toHaveProperty('Recipient')
    const command = new DecryptCommand({ CiphertextBlob, EncryptionContext })
    const opened = await client.send(command)
    expect(opened.Plaintext).toEqual(Plaintext)
    expect(opened).not.toHaveProperty('CiphertextForRecipient')
    expect(opened.KeyId).toBe(keyArn)
    expect(lastBody()).toMatchObject({
      KeyId: keyArn,
      Recipient: { AttestationDocument: expect.any(String) as string },
    })
    expect(command.input).toEqual({ CiphertextBlob, EncryptionContext })
  })

  it('generates data keys, pairs and random bytes', async () => {
    const key = await client.send(
      new GenerateDataKeyCommand({ KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext }),
    )
    expect(key.Plaintext).toHaveLength(32)
    const pair = await client.send(
      new GenerateDataKeyPairCommand({
        KeyId: keyArn,
        KeyPairSpec: 'ECC_NIST_P256',
        EncryptionContext,
      }),
    )
    expect(pair.PrivateKeyPlaintext?.length).toBeGreaterThan(100)
    const { CiphertextBlob } = key
    const opened = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))
    expect(opened.Plaintext).toEqual(key.Plaintext)
    const random = await client.send(new GenerateRandomCommand({ NumberOfBytes: 24 }))
    expect(random.Plaintext).toHaveLength(24)
    expect(scene.evidence).toBe(1)
  })

  it('sends what our client sends', async () => {
    await using own = createKmsClient({
      keyArn,
      connect: scene.kms.connect.bind(scene.kms),
      credentials: scene.credentials,
      getEvidence: async () => new Uint8Array([1]),
      roots: [scene.kms.ca],
    })
    const other = open({ getEvidence: async () => new Uint8Array([1]) })
    const input = { KeySpec: 'AES_256', EncryptionContext } as const
    await own.generateDataKey(input).catch(() => undefined)
    const ours = lastBody()
    const headers = scene.kms.requests.at(-1)?.headers
    await other.send(new GenerateDataKeyCommand({ KeyId: keyArn, ...input })).catch(() => undefined)
    other.destroy()
    // The key and the document differ in nothing but the key that each made.
    expect(lastBody()).toEqual(ours)
    const theirs = scene.kms.requests.at(-1)?.headers
    for (const name of [
      'host',
      'content-type',
      'x-amz-target',
      'x-amz-security-token',
      'content-length',
    ]) {
      expect(theirs?.[name], name).toBe(headers?.[name])
    }
  })

  it.each<[string, KmsFault, string]>([
    ['a plaintext beside the CMS', { kind: 'extra-plaintext' }, 'ERR_KMS_UNATTESTED_PLAINTEXT'],
    ['a plaintext instead of it', { kind: 'ignore-recipient' }, 'ERR_KMS_UNATTESTED_PLAINTEXT'],
    ['neither', { kind: 'missing-ciphertext' }, 'ERR_KMS_RESPONSE'],
    ['another key', { kind: 'wrong-key-id' }, 'ERR_KMS_KEY_MISMATCH'],
    ['a CMS for a foreign key', { kind: 'foreign-recipient' }, 'ERR_KMS_CMS'],
  ])('refuses %s', async (_name, fault, code) => {
    scene.kms.fault(fault)
    const call = client.send(
      new GenerateDataKeyCommand({ KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext }),
    )
    await expect(call).rejects.toMatchObject({ code })
  })

  it('leaves errors and attempts to the SDK', async () => {
    scene.kms.fault({ kind: 'throttling' })
    expect(
      (await client.send(new GenerateRandomCommand({ NumberOfBytes: 4 }))).Plaintext,
    ).toHaveLength(4)
    scene.kms.fault({ kind: 'reset' })
    expect(
      (await client.send(new GenerateRandomCommand({ NumberOfBytes: 4 }))).Plaintext,
    ).toHaveLength(4)
    scene.kms.fault({ kind: 'error', type: 'AccessDeniedException', message: 'no' })
    await expect(
      client.send(new GenerateRandomCommand({ NumberOfBytes: 4 })),
    ).rejects.toMatchObject({
      name: 'AccessDeniedException',
    })
  })

  it('has a new document where KMS finds the last too old', async () => {
    scene.kms.fault({
      kind: 'error',
      type: 'ValidationException',
      message: 'the document exceeded the five-minute age limit',
    })
    await client.send(new GenerateRandomCommand({ NumberOfBytes: 4 }))
    expect(scene.evidence).toBe(2)
  })

  it('asks again when a bad answer to another call destroyed the key that both had', async () => {
    const random = new GenerateRandomCommand({ NumberOfBytes: 8 })
    await client.send(random)
    scene.kms.fault({ operation: 'GenerateDataKey', kind: 'foreign-recipient' })
    scene.kms.fault({ operation: 'GenerateRandom', kind: 'slow', delayMs: 1500 })
    const slow = client.send(random)
    const input = { KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext } as const
    await expect(client.send(new GenerateDataKeyCommand(input))).rejects.toMatchObject({
      code: 'ERR_KMS_CMS',
    })
    expect((await slow).Plaintext).toHaveLength(8)
    expect(scene.evidence).toBe(2)
  })

  it('refuses a secret of another length than was asked for', async () => {
    let saved: Record<string, unknown> = {}
    scene.kms.fault({ kind: 'response', change: (body) => (saved = body) })
    const input = { KeyId: keyArn, EncryptionContext }
    const made = await client.send(new GenerateDataKeyCommand({ ...input, KeySpec: 'AES_128' }))
    expect(made.Plaintext).toHaveLength(16)
    const wrong = [
      new GenerateDataKeyCommand({ ...input, KeySpec: 'AES_256' }),
      new GenerateDataKeyCommand({ ...input, NumberOfBytes: 17 }),
      new GenerateRandomCommand({ NumberOfBytes: 32 }),
    ]
    for (const command of wrong) {
      scene.kms.fault({ kind: 'response', change: () => saved })
      await expect(client.send(command as GenerateDataKeyCommand)).rejects.toMatchObject({
        code: 'ERR_KMS_PLAINTEXT_LENGTH',
      })
    }
  })

  it('refuses another key, a Recipient of the caller’s, and another host', async () => {
    const other = keyArn.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
    await expect(
      client.send(new GenerateDataKeyCommand({ KeyId: other, KeySpec: 'AES_256' })),
    ).rejects.toThrow(TypeError)
    await expect(
      client.send(new GenerateRandomCommand({ NumberOfBytes: 1, Recipient: {} })),
    ).rejects.toThrow(TypeError)
    const away = open({}, { region: 'us-east-1' })
    await expect(away.send(new DescribeKeyCommand({ KeyId: keyArn }))).rejects.toThrow(
      /kms\.us-east-1\.amazonaws\.com/,
    )
    away.destroy()
    expect(scene.kms.requests).toHaveLength(0)
  })

  it('keeps a handler of its own with single use alone, and when that is said', async () => {
    const config = {
      requestHandler: new EnclaveRequestHandler('kms.eu-west-1.amazonaws.com', {
        connect: scene.kms.connect.bind(scene.kms),
        roots: [scene.kms.ca],
      }) as never,
    }
    const { getEvidence } = scene
    expect(() => attestKmsClient(plain(config), { keyArn, getEvidence })).toThrow(TypeError)
    expect(() => open({ dangerouslyKeepRequestHandler: true }, config)).toThrow(TypeError)
    expect(() => open({ credentials: scene.credentials } as never)).toThrow(TypeError)
    expect(() => open({ unknown: 1 } as never)).toThrow(TypeError)
    const kept = attestKmsClient(plain(config), {
      keyArn,
      getEvidence,
      dangerouslyKeepRequestHandler: true,
    })
    await kept.send(new GenerateRandomCommand({ NumberOfBytes: 4 }))
    await kept.send(new GenerateRandomCommand({ NumberOfBytes: 4 }))
    expect(scene.evidence).toBe(2)
    kept.destroy()
  })

  it('of whatever else passes as it is', async () => {
    const Operations = ['Decrypt'] as 'Decrypt'[]
    const GranteePrincipal = scene.credentials.principalArn
    for (let index = 0; index < 25; index++) {
      await client.send(new CreateGrantCommand({ KeyId: keyArn, GranteePrincipal, Operations }))
    }
    await using own = createKmsClient({
      keyArn,
      connect: scene.kms.connect.bind(scene.kms),
      credentials: scene.credentials,
      getEvidence: scene.getEvidence,
      roots: [scene.kms.ca],
    })
    scene.kms.clearRequests()
    const { Grants } = await own.listGrants()
    expect(new Set(Grants.map(({ GrantId }) => GrantId)).size).toBe(25)
    expect(scene.kms.requests).toHaveLength(2)
  })
})
