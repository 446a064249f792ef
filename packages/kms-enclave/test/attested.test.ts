import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
} from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KmsFault } from '@enclavejs/simulator/kms'
import {
  createKmsClient,
  KmsServiceError,
  NO_ENCRYPTION_CONTEXT,
  verifyKeyPolicyOf,
  type KmsClient,
  type KmsClientOptions,
} from '../src/index.ts'
import { createKeyPolicy } from '../src/policy.ts'
import { failure, openScene, PCRS, type Scene } from './simulated-kms.ts'

let scene: Scene
let keyArn: string
let client: KmsClient

beforeAll(async () => {
  scene = await openScene()
  keyArn = (await scene.kms.createKey()).arn
})
afterAll(() => scene.kms.close())
beforeEach(() => {
  scene.kms.clearFaults()
  scene.kms.clearRequests()
  scene.evidence = 0
  scene.age = 0
  client = open()
})
afterEach(() => client.close())

function open(options: Partial<KmsClientOptions> = {}): KmsClient {
  return createKmsClient({
    keyArn,
    connect: scene.kms.connect.bind(scene.kms),
    credentials: scene.credentials,
    getEvidence: scene.getEvidence,
    roots: [scene.kms.ca],
    ...options,
  })
}

const EncryptionContext = { purpose: 'test', object: 'névtér' }
const Plaintext = new TextEncoder().encode('a secret of the enclave')

describe('an attested operation', () => {
  it('Decrypt gives what Encrypt took', async () => {
    const { CiphertextBlob, KeyId } = await client.encrypt({ Plaintext, EncryptionContext })
    expect(KeyId).toBe(keyArn)
    expect(await client.decrypt({ CiphertextBlob, EncryptionContext })).toEqual({
      KeyId: keyArn,
      KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      Plaintext,
    })
    const other = client.decrypt({ CiphertextBlob, EncryptionContext: { purpose: 'other' } })
    await expect(other).rejects.toMatchObject({ kmsCode: 'InvalidCiphertextException' })
  })

  it('Decrypt without a context, when that is said', async () => {
    const none = { EncryptionContext: NO_ENCRYPTION_CONTEXT } as const
    const { CiphertextBlob } = await client.encrypt({ Plaintext, ...none })
    expect((await client.decrypt({ CiphertextBlob, ...none })).Plaintext).toEqual(Plaintext)
  })

  it('Decrypt of 4096 bytes', async () => {
    const most = new Uint8Array(4096).fill(7)
    const { CiphertextBlob } = await client.encrypt({ Plaintext: most, EncryptionContext })
    expect((await client.decrypt({ CiphertextBlob, EncryptionContext })).Plaintext).toEqual(most)
  })

  it('GenerateDataKey gives a key of the length asked for, and Decrypt the same', async () => {
    for (const [input, length] of [
      [{ KeySpec: 'AES_256' }, 32],
      [{ KeySpec: 'AES_128' }, 16],
      [{ NumberOfBytes: 1024 }, 1024],
      [{ NumberOfBytes: 1 }, 1],
    ] as const) {
      const made = await client.generateDataKey({ ...input, EncryptionContext })
      expect(made.Plaintext).toHaveLength(length)
      const { CiphertextBlob } = made
      const opened = await client.decrypt({ CiphertextBlob, EncryptionContext })
      expect(opened.Plaintext).toEqual(made.Plaintext)
    }
  })

  it('GenerateDataKeyPair gives a private key that belongs to the public one', async () => {
    for (const KeyPairSpec of ['RSA_2048', 'ECC_NIST_P256'] as const) {
      const pair = await client.generateDataKeyPair({ KeyPairSpec, EncryptionContext })
      const key = Buffer.from(pair.PrivateKeyPlaintext)
      const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
      const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
      expect(new Uint8Array(publicKey)).toEqual(pair.PublicKey)
      const opened = await client.decrypt({
        CiphertextBlob: pair.PrivateKeyCiphertextBlob,
        EncryptionContext,
      })
      expect(opened.Plaintext).toEqual(pair.PrivateKeyPlaintext)
    }
  })

  it('GenerateRandom gives as many bytes as were asked for, others each time', async () => {
    const one = await client.generateRandom({ NumberOfBytes: 32 })
    const two = await client.generateRandom({ NumberOfBytes: 32 })
    expect(one.Plaintext).toHaveLength(32)
    expect(two.Plaintext).not.toEqual(one.Plaintext)
  })

  it('DeriveSharedSecret gives what the other side computes', async () => {
    const { arn } = await scene.kms.createKey({
      keySpec: 'ECC_NIST_P256',
      keyUsage: 'KEY_AGREEMENT',
    })
    await using own = open({ keyArn: arn })
    const { PublicKey } = await own.getPublicKey()
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { SharedSecret, KeyAgreementAlgorithm } = await own.deriveSharedSecret({
      PublicKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
    })
    const theirs = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
    expect(Buffer.from(SharedSecret)).toEqual(diffieHellman({ privateKey, publicKey: theirs }))
    expect(KeyAgreementAlgorithm).toBe('ECDH')
  })

  it('Decrypt with an RSA key takes no context', async () => {
    const { arn } = await scene.kms.createKey({ keySpec: 'RSA_2048', keyUsage: 'ENCRYPT_DECRYPT' })
    await using own = open({ keyArn: arn })
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_256' as const
    const { CiphertextBlob } = await own.encrypt({ Plaintext, EncryptionAlgorithm })
    const opened = await own.decrypt({ CiphertextBlob, EncryptionAlgorithm })
    expect(opened).toMatchObject({ Plaintext, EncryptionAlgorithm })
  })

  it('sends Recipient and KeyId, and no secret ever comes back in the clear', async () => {
    const { CiphertextBlob } = await client.generateDataKey({
      KeySpec: 'AES_256',
      EncryptionContext,
    })
    await client.decrypt({ CiphertextBlob, EncryptionContext })
    for (const { body } of scene.kms.requests) {
      expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({
        KeyId: keyArn,
        EncryptionContext,
        Recipient: {
          AttestationDocument: expect.any(String) as string,
          KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
        },
      })
    }
    expect(scene.kms.requests).toHaveLength(2)
  })

  it('shares one document among calls, and has one for each call with singleUse', async () => {
    const calls = async (one: KmsClient): Promise<unknown> =>
      Promise.all(Array.from({ length: 12 }, () => one.generateRandom({ NumberOfBytes: 8 })))
    await calls(client)
    expect(scene.evidence).toBe(1)
    expect(scene.kms.counters.connections).toBeLessThanOrEqual(3 + 20)
    await using single = open({ singleUse: true })
    scene.evidence = 0
    await calls(single)
    expect(scene.evidence).toBe(12)
  })
})

describe('what is not attestable', () => {
  it('GetKeyPolicy, DescribeKey and GetPublicKey', async () => {
    const { Policy } = await client.getKeyPolicy()
    expect(JSON.parse(Policy)).toMatchObject({ Statement: expect.any(Array) as unknown })
    const { KeyMetadata } = await client.describeKey()
    expect(KeyMetadata).toMatchObject({ Arn: keyArn, Origin: 'AWS_KMS', MultiRegion: false })
    await expect(client.getPublicKey()).rejects.toMatchObject({ code: 'ERR_KMS_SERVICE' })
  })

  it('ListGrants', async () => {
    expect(await client.listGrants()).toEqual({ Grants: [], Truncated: false })
  })
})

describe('what a hostile or broken KMS answers is refused', () => {
  const cases: readonly (readonly [string, KmsFault, string])[] = [
    ['a plaintext beside the CMS', { kind: 'extra-plaintext' }, 'ERR_KMS_UNATTESTED_PLAINTEXT'],
    ['a plaintext instead of it', { kind: 'ignore-recipient' }, 'ERR_KMS_UNATTESTED_PLAINTEXT'],
    ['neither', { kind: 'missing-ciphertext' }, 'ERR_KMS_RESPONSE'],
    ['another key', { kind: 'wrong-key-id' }, 'ERR_KMS_KEY_MISMATCH'],
    ['no ARN at all', { kind: 'wrong-key-id', keyId: 'alias/x' }, 'ERR_KMS_KEY_MISMATCH'],
    ['another recipient', { kind: 'wrong-rid' }, 'ERR_KMS_CMS'],
    ['a CMS for a foreign key', { kind: 'foreign-recipient' }, 'ERR_KMS_CMS'],
    ['bytes behind the CMS', { kind: 'trailing-bytes' }, 'ERR_KMS_CMS'],
    ['a malformed CMS', { kind: 'malformed-cms' }, 'ERR_KMS_CMS'],
    ['no JSON', { kind: 'raw-body', body: '<html>' }, 'ERR_KMS_RESPONSE'],
    ['a list', { kind: 'raw-body', body: '[]' }, 'ERR_KMS_RESPONSE'],
    [
      'bytes that are no UTF-8',
      { kind: 'raw-body', body: new Uint8Array([0x22, 0xff, 0x22]) },
      'ERR_KMS_RESPONSE',
    ],
    ['too long a body', { kind: 'huge-body', bytes: 10_000_000 }, 'ERR_KMS_RESPONSE_SIZE'],
    ['too long a head', { kind: 'huge-headers', bytes: 1_000_000 }, 'ERR_KMS_RESPONSE_SIZE'],
  ]
  it.each(cases)('%s', async (_name, fault, code) => {
    scene.kms.fault({ operation: 'GenerateDataKey', ...fault })
    const made = client.generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
    expect(await failure(made)).toBe(code)
    expect(scene.kms.requests).toHaveLength(1)
    // The client goes on, with a new key where it must be.
    const next = await client.generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
    expect(next.Plaintext).toHaveLength(32)
  })

  it('a key of another length', async () => {
    scene.kms.fault({
      kind: 'response',
      change: (body) => {
        saved = body
        return body
      },
    })
    let saved: Record<string, unknown> = {}
    await client.generateDataKey({ KeySpec: 'AES_128', EncryptionContext })
    scene.kms.fault({ kind: 'response', change: () => saved })
    const made = client.generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
    expect(await failure(made)).toBe('ERR_KMS_PLAINTEXT_LENGTH')
    scene.kms.fault({ kind: 'response', change: () => saved })
    const random = client.generateRandom({ NumberOfBytes: 17 })
    expect(await failure(random)).toBe('ERR_KMS_PLAINTEXT_LENGTH')
  })

  it('a flipped IV opens to other bytes of the right length: integrity is the business of TLS', async () => {
    scene.kms.fault({ kind: 'flipped-iv' })
    const outcome = await client
      .generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
      .then(({ Plaintext: { length } }) => length)
    expect(outcome).toBe(32)
  })
})

describe('an attempt is made again', () => {
  const random = { NumberOfBytes: 8 }

  it.each([
    ['after throttling', { kind: 'throttling' }],
    ['after a failure of KMS', { kind: 'internal' }],
    ['after a 503 with a page of HTML', { kind: 'unavailable' }],
    ['after a reset before the answer', { kind: 'refuse' }],
    ['after a reset in the body', { kind: 'reset' }],
    ['after the end of the stream in the body', { kind: 'truncate' }],
    [
      'after DependencyTimeoutException',
      { kind: 'error', type: 'DependencyTimeoutException', status: 500 },
    ],
    ['after a namespaced code', { kind: 'error', type: 'com.amazonaws.kms#ThrottlingException' }],
  ] as const)('%s', async (_name, fault) => {
    scene.kms.fault({ times: 2, ...fault })
    expect((await client.generateRandom(random)).Plaintext).toHaveLength(8)
    expect(scene.kms.requests).toHaveLength(3)
  })

  it('three times and not more', async () => {
    scene.kms.fault({ times: 5, kind: 'throttling' })
    await expect(client.generateRandom(random)).rejects.toMatchObject({
      code: 'ERR_KMS_SERVICE',
      kmsCode: 'ThrottlingException',
      status: 400,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      operation: 'GenerateRandom',
    })
    expect(scene.kms.requests).toHaveLength(3)
  })

  it.each([
    'AccessDeniedException',
    'InvalidCiphertextException',
    'NotFoundException',
    'ValidationException',
  ])('not after %s', async (type) => {
    scene.kms.fault({ times: 2, kind: 'error', type, message: 'because' })
    const error = await client.generateRandom(random).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(KmsServiceError)
    expect(error).toMatchObject({ kmsCode: type, kmsMessage: 'because' })
    expect((error as Error).message).toContain(`${type}: because (HTTP 400, request `)
    expect(scene.kms.requests).toHaveLength(1)
  })

  it('once with a new document, when KMS finds it too old', async () => {
    await client.generateRandom(random)
    scene.kms.fault({
      kind: 'error',
      type: 'ValidationException',
      message: 'The attestation document exceeded the five-minute age limit.',
    })
    expect((await client.generateRandom(random)).Plaintext).toHaveLength(8)
    expect(scene.evidence).toBe(2)
    scene.age = 301_000
    await using old = open()
    await expect(old.generateRandom(random)).rejects.toMatchObject({
      kmsCode: 'ValidationException',
    })
    expect(scene.evidence).toBe(4)
  })

  it('once with new credentials, when KMS finds them expired', async () => {
    const asked: unknown[] = []
    await using own = open({
      credentials: async (request) => {
        asked.push(request?.forceRefresh)
        return scene.credentials
      },
    })
    scene.kms.fault({ kind: 'error', type: 'ExpiredTokenException' })
    await own.generateRandom(random)
    expect(asked).toEqual([undefined, true])
    scene.kms.fault({ times: 3, kind: 'error', type: 'UnrecognizedClientException' })
    await expect(own.generateRandom(random)).rejects.toMatchObject({
      kmsCode: 'UnrecognizedClientException',
    })
    expect(asked).toEqual([undefined, true, true])
  })

  it('when a bad answer to another call destroyed the key that both had', async () => {
    await client.generateRandom(random)
    scene.kms.fault({ operation: 'GenerateDataKey', kind: 'foreign-recipient' })
    scene.kms.fault({ operation: 'GenerateRandom', kind: 'slow', delayMs: 1500 })
    const slow = client.generateRandom(random)
    const bad = client.generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
    expect(await failure(bad)).toBe('ERR_KMS_CMS')
    expect((await slow).Plaintext).toHaveLength(8)
    expect(scene.evidence).toBe(2)
  })
})

describe('verifyKeyPolicyOf', () => {
  it('asks KMS for all that there is to verify, and refuses what was not expected', async () => {
    const { accountId } = scene.account
    const pcrs = Object.fromEntries(
      [0, 1, 2].map((index) => [`PCR${index}`, PCRS.get(index) as Uint8Array]),
    )
    const administrators = [`arn:aws:iam::${accountId}:root`]
    const enclaveRoles = [scene.credentials.principalArn]
    const expected = { images: { pcrs }, enclaveRoles, administrators, locked: true }
    const { json } = createKeyPolicy({ account: accountId, ...expected })
    const { arn } = await scene.kms.createKey({ policy: json })
    await using own = open({ keyArn: arn })
    const verified = await verifyKeyPolicyOf(own, expected)
    expect(verified).toMatchObject({ keyArn: arn, locked: true, grants: 0 })
    expect(scene.kms.requests.map(({ operation }) => operation)).toEqual([
      'DescribeKey',
      'GetKeyPolicy',
      'ListGrants',
    ])
    const other = { ...expected, enclaveRoles: [`arn:aws:iam::${accountId}:role/other`] }
    expect(await failure(verifyKeyPolicyOf(own, other))).toMatch(/^ERR_KMS_POLICY_/)
    expect(await failure(verifyKeyPolicyOf(client, expected))).toMatch(/^ERR_KMS_POLICY_/)
  })
})

describe('Evidence', () => {
  it('over the key is judged by the policy of the KMS key', async () => {
    const pcr0 = Buffer.from(PCRS.get(0) ?? []).toString('hex')
    const policy = (value: string): string =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { AWS: scene.credentials.principalArn },
            Action: 'kms:*',
            Resource: '*',
            Condition: { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:PCR0': value } },
          },
        ],
      })
    const { arn } = await scene.kms.createKey({ policy: policy(pcr0) })
    await using own = open({ keyArn: arn })
    const made = await own.generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
    expect(made.Plaintext).toHaveLength(32)
    await scene.kms.setKeyPolicy(arn, policy(createHash('sha384').update('other').digest('hex')))
    const denied = own.generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
    await expect(denied).rejects.toMatchObject({ kmsCode: 'AccessDeniedException' })
  })

  it('that does not come is a refusal of its own', async () => {
    await using own = open({ getEvidence: () => Promise.reject(new Error('no device')) })
    expect(await failure(own.generateRandom({ NumberOfBytes: 8 }))).toBe('ERR_KMS_EVIDENCE')
    expect(scene.kms.requests).toHaveLength(0)
  })
})
