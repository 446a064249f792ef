// AWS's own client as the judge: for each operation both clients ask the same KMS, and the requests that it received are compared.
import { generateKeyPairSync } from 'node:crypto'
import { Agent } from 'node:https'
import {
  DecryptCommand,
  DeriveSharedSecretCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateRandomCommand,
  GetKeyPolicyCommand,
  GetPublicKeyCommand,
  KMSClient,
  ListGrantsCommand,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SimulatedKms } from '@enclavejs/simulator/kms'
import { attestKmsClient } from '../src/aws-sdk.ts'
import { createKmsClient, type KmsClient } from '../src/index.ts'
import { openScene, type Scene } from './simulated-kms.ts'

const EncryptionContext = { purpose: 'comparison', Ünïcode: '"quoted" \u2028' }
const Plaintext = new TextEncoder().encode('of the enclave')
const spki = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
const PublicKey = new Uint8Array(spki.export({ type: 'spki', format: 'der' }))

type Kind = 'symmetric' | 'agreement' | 'rsa'

let scene: Scene
let aws: KMSClient
const keys = new Map<Kind, string>()
const ours = new Map<Kind, KmsClient>()
const attested = new Map<Kind, KMSClient>()
let CiphertextBlob: Uint8Array
let underRsa: Uint8Array

beforeAll(async () => {
  scene = await openScene()
  const { kms, credentials, getEvidence } = scene
  const connect: SimulatedKms['connect'] = (...all) => kms.connect(...all)
  keys.set('symmetric', (await kms.createKey()).arn)
  const agreement = { keySpec: 'ECC_NIST_P256', keyUsage: 'KEY_AGREEMENT' } as const
  keys.set('agreement', (await kms.createKey(agreement)).arn)
  keys.set('rsa', (await kms.createKey({ keySpec: 'RSA_2048', keyUsage: 'ENCRYPT_DECRYPT' })).arn)
  const { port } = kms.address() as { port: number }
  const [host = ''] = kms.hostNames
  const httpsAgent = new Agent({
    ca: kms.ca,
    servername: host,
    lookup: (_host, options, found) => {
      if (options.all === true) found(null, [{ address: '127.0.0.1', family: 4 }])
      else found(null, '127.0.0.1', 4)
    },
  })
  aws = new KMSClient({
    ...{ region: 'eu-west-1', credentials, endpoint: `https://${host}:${port}` },
    requestHandler: { httpsAgent },
  })
  for (const [kind, keyArn] of keys) {
    const common = { keyArn, connect, getEvidence, roots: [kms.ca] }
    ours.set(kind, createKmsClient({ ...common, credentials }))
    const plain = new KMSClient({ region: 'eu-west-1', credentials })
    attested.set(kind, attestKmsClient(plain, common))
  }
  CiphertextBlob = kms.encrypt(keys.get('symmetric') as string, Plaintext, EncryptionContext)
  const rsa = ours.get('rsa') as KmsClient
  const made = await rsa.encrypt({ Plaintext, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' })
  underRsa = made.CiphertextBlob
})
afterAll(async () => {
  aws.destroy()
  for (const client of attested.values()) client.destroy()
  for (const client of ours.values()) await client.close()
  await scene.kms.close()
})

interface Received {
  readonly body: Record<string, unknown>
  readonly headers: Record<string, string | undefined>
}

function received(): Received {
  const record = scene.kms.requests.at(-1)
  const body = JSON.parse(Buffer.from(record?.body ?? []).toString()) as Received['body']
  const headers = { ...record?.headers }
  const [signature] = /Signature=\w+$/.exec(headers['authorization'] ?? '') ?? []
  expect(signature).toBeDefined()
  // What differs by time, by the length of the body, and what the SDK tells of itself and of its attempts.
  for (const name of ['authorization', 'x-amz-date', 'content-length', 'connection']) {
    expect(headers[name], name).toBeDefined()
    delete headers[name]
  }
  // The SDK is told the port of this KMS, where ours has it from `connect`.
  headers['host'] = headers['host']?.replace(/:\d+$/, '') ?? ''
  for (const name of Object.keys(headers)) {
    if (/^(?:amz-sdk-|user-agent$|x-amz-user-agent$|x-amz-content-sha256$|accept$)/.test(name)) {
      delete headers[name]
    }
  }
  return { body, headers }
}

type AwsCommand = Parameters<KMSClient['send']>[0]

interface Comparison {
  readonly name: string
  readonly key: Kind
  readonly ours: (client: KmsClient) => Promise<unknown>
  /** With what ours is told. */
  readonly command: (KeyId: string) => unknown
  /** What ours adds. */
  readonly added?: readonly string[]
}

const keyOf = (KeyId: string): { KeyId: string } => ({ KeyId })

const COMPARISONS: readonly Comparison[] = [
  {
    name: 'Decrypt',
    key: 'symmetric',
    ours: (client) => client.decrypt({ CiphertextBlob, EncryptionContext }),
    command: () => new DecryptCommand({ CiphertextBlob, EncryptionContext }),
    added: ['KeyId', 'Recipient'],
  },
  {
    name: 'Decrypt with RSA',
    key: 'rsa',
    ours: (client) =>
      client.decrypt({ CiphertextBlob: underRsa, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }),
    command: (KeyId) =>
      new DecryptCommand({
        ...{ KeyId, CiphertextBlob: underRsa, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' },
      }),
    added: ['Recipient'],
  },
  {
    name: 'GenerateDataKey',
    key: 'symmetric',
    ours: (client) => client.generateDataKey({ KeySpec: 'AES_256', EncryptionContext }),
    command: (KeyId) =>
      new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext }),
    added: ['Recipient'],
  },
  {
    name: 'GenerateDataKey of a length',
    key: 'symmetric',
    ours: (client) => client.generateDataKey({ NumberOfBytes: 64, EncryptionContext }),
    command: (KeyId) => new GenerateDataKeyCommand({ KeyId, NumberOfBytes: 64, EncryptionContext }),
    added: ['Recipient'],
  },
  {
    name: 'GenerateDataKeyPair',
    key: 'symmetric',
    ours: (client) =>
      client.generateDataKeyPair({ KeyPairSpec: 'ECC_NIST_P256', EncryptionContext }),
    command: (KeyId) =>
      new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: 'ECC_NIST_P256', EncryptionContext }),
    added: ['Recipient'],
  },
  {
    name: 'GenerateRandom',
    key: 'symmetric',
    ours: (client) => client.generateRandom({ NumberOfBytes: 24 }),
    command: () => new GenerateRandomCommand({ NumberOfBytes: 24 }),
    added: ['Recipient'],
  },
  {
    name: 'DeriveSharedSecret',
    key: 'agreement',
    ours: (client) => client.deriveSharedSecret({ PublicKey }),
    command: (KeyId) =>
      new DeriveSharedSecretCommand({ KeyId, PublicKey, KeyAgreementAlgorithm: 'ECDH' }),
    added: ['Recipient'],
  },
  {
    name: 'Encrypt',
    key: 'symmetric',
    ours: (client) => client.encrypt({ Plaintext, EncryptionContext }),
    command: (KeyId) => new EncryptCommand({ KeyId, Plaintext, EncryptionContext }),
  },
  {
    name: 'GetKeyPolicy',
    key: 'symmetric',
    ours: (client) => client.getKeyPolicy(),
    command: (KeyId) => new GetKeyPolicyCommand(keyOf(KeyId)),
    added: ['PolicyName'],
  },
  {
    name: 'ListGrants',
    key: 'symmetric',
    ours: (client) => client.listGrants(),
    command: (KeyId) => new ListGrantsCommand(keyOf(KeyId)),
    added: ['Limit'],
  },
  {
    name: 'GetPublicKey',
    key: 'agreement',
    ours: (client) => client.getPublicKey(),
    command: (KeyId) => new GetPublicKeyCommand(keyOf(KeyId)),
  },
  {
    name: 'DescribeKey',
    key: 'symmetric',
    ours: (client) => client.describeKey(),
    command: (KeyId) => new DescribeKeyCommand(keyOf(KeyId)),
  },
]

describe('a request is that of @aws-sdk/client-kms, but for what is added', () => {
  it.each(COMPARISONS)('$name', async ({ key, ours: call, command, added = [] }) => {
    await aws.send(command(keys.get(key) as string) as AwsCommand)
    const theirs = received()
    await call(ours.get(key) as KmsClient)
    const own = received()
    expect(own.headers).toEqual(theirs.headers)
    const rest = Object.entries(own.body).filter(([name]) => !added.includes(name))
    expect(Object.fromEntries(rest)).toEqual(theirs.body)
    expect(Object.keys(own.body)).toHaveLength(rest.length + added.length)
    // The SDK that was made to attest sends what ours sends.
    if (!added.includes('Recipient')) return
    await (attested.get(key) as KMSClient).send(command(keys.get(key) as string) as AwsCommand)
    const other = received()
    expect(Object.keys(other.body).toSorted()).toEqual(Object.keys(own.body).toSorted())
    expect({ ...other.body, Recipient: 0 }).toEqual({ ...own.body, Recipient: 0 })
    const shape = (body: Received['body']): readonly string[] =>
      Object.keys(body['Recipient'] as object).toSorted()
    expect(shape(other.body)).toEqual(shape(own.body))
  })
})
