// A KMSClient that was made to attest is for one key, whatever is asked of it, and stays attested whatever was done with it.
import {
  CreateAliasCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  GetPublicKeyCommand,
  KMS,
  KMSClient,
  ListAliasesCommand,
  ReEncryptCommand,
  ScheduleKeyDeletionCommand,
  type KMSClientConfig,
} from '@aws-sdk/client-kms'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { attestKmsClient, type AttestKmsClientOptions } from '../src/aws-sdk.ts'
import { EnclaveRequestHandler } from '../src/aws-sdk/request-handler.ts'
import { NO_ENCRYPTION_CONTEXT } from '../src/index.ts'
import { failure, openScene, type Scene } from './simulated-kms.ts'

type Command = Parameters<KMSClient['send']>[0]
type Input = Record<string, unknown>

let scene: Scene
let keyArn: string
let other: string
let client: KMSClient
let CiphertextBlob: Uint8Array
const opened: KMSClient[] = []

const EncryptionContext = { purpose: 'test' }
const Plaintext = new TextEncoder().encode('of the enclave')

beforeAll(async () => {
  scene = await openScene()
  keyArn = (await scene.kms.createKey()).arn
  other = (await scene.kms.createKey({ alias: 'alias/evil' })).arn
  CiphertextBlob = scene.kms.encrypt(keyArn, Plaintext, EncryptionContext)
  client = attested(plain())
})
beforeEach(() => scene.kms.clearRequests())
afterEach(() => scene.kms.clearFaults())
afterAll(async () => {
  for (const one of opened) one.destroy()
  await scene.kms.close()
})

/** Another handler than ours, that reaches the same KMS. */
function foreignHandler(): EnclaveRequestHandler {
  const connect = scene.kms.connect.bind(scene.kms)
  return new EnclaveRequestHandler(scene.kms.hostNames[0] as string, {
    connect,
    roots: [scene.kms.ca],
  })
}

function plain(config: KMSClientConfig = {}): KMSClient {
  return new KMSClient({
    region: 'eu-west-1',
    credentials: scene.credentials,
    requestHandler: foreignHandler() as never,
    ...config,
  })
}

function attested<T extends KMSClient>(one: T, options: Partial<AttestKmsClientOptions> = {}): T {
  const { kms, getEvidence } = scene
  const connect = kms.connect.bind(kms)
  opened.push(one)
  return attestKmsClient(one, { keyArn, connect, getEvidence, roots: [kms.ca], ...options })
}

const decrypt = (): DecryptCommand => new DecryptCommand({ CiphertextBlob, EncryptionContext })

async function refused(one: KMSClient, command: unknown, message: RegExp): Promise<void> {
  const error: unknown = await one.send(command as Command).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(TypeError)
  expect((error as Error).message).toMatch(message)
  expect(scene.kms.requests).toHaveLength(0)
}

function lastBody(): Input {
  return JSON.parse(Buffer.from(scene.kms.requests.at(-1)?.body ?? []).toString()) as Input
}

describe('a client that was used before', () => {
  it.each([
    ['with cacheMiddleware', true],
    ['with something else there', 'yes'],
  ])('is refused %s', async (_name, cacheMiddleware) => {
    const one = plain({ cacheMiddleware } as never)
    await one.send(decrypt())
    expect(() => attested(one)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        message: expect.stringContaining('cacheMiddleware') as string,
      }) as Error,
    )
    const { getEvidence } = scene
    const kept = { keyArn, getEvidence, dangerouslyKeepRequestHandler: true }
    expect(() => attestKmsClient(one, kept)).toThrow(TypeError)
    one.destroy()
  })

  it('is refused with cacheMiddleware that was set away', async () => {
    const one = plain({ cacheMiddleware: true })
    await one.send(decrypt())
    one.config.cacheMiddleware = false
    expect(() => attested(one)).toThrow(TypeError)
    one.destroy()
  })

  it('attests from then on without, and keeps doing so with it', async () => {
    const one = plain()
    await one.send(decrypt())
    attested(one)
    one.config.cacheMiddleware = true
    for (let round = 0; round < 2; round++) {
      scene.kms.clearRequests()
      expect((await one.send(decrypt())).Plaintext).toEqual(Plaintext)
      expect(lastBody()).toHaveProperty('Recipient')
    }
  })
})

describe('an attested client', () => {
  it('is not led elsewhere by the options of a call', async () => {
    const options = { requestHandler: foreignHandler(), cacheMiddleware: false }
    expect((await client.send(decrypt(), options as never)).Plaintext).toEqual(Plaintext)
    expect(lastBody()).toHaveProperty('Recipient')
    const abortSignal = AbortSignal.abort()
    await expect(client.send(decrypt(), { abortSignal })).rejects.toThrow()
  })

  it('refuses calls once its handler, or its configuration, was replaced', async () => {
    const one = attested(plain())
    one.config.requestHandler = foreignHandler() as never
    await refused(one, decrypt(), /request handler was replaced/)
    const two = attested(plain())
    const config = { ...two.config, requestHandler: foreignHandler() }
    Object.assign(two, { config })
    await refused(two, new DescribeKeyCommand({ KeyId: keyArn }), /request handler was replaced/)
  })

  it('refuses what a copy of its middleware of before would send', async () => {
    const one = plain()
    const before = one.middlewareStack.clone()
    attested(one)
    Object.assign(one, { middlewareStack: before })
    await refused(one, decrypt(), /Decrypt was about to be sent without Recipient/)
    const describeOther = new DescribeKeyCommand({ KeyId: other })
    await refused(one, describeOther, /DescribeKey was about to be sent with another KeyId/)
  })

  it.each<[string, (input: Input) => void, RegExp]>([
    ['takes Recipient out', (input) => delete input['Recipient'], /without Recipient/],
    ['names another key', (input) => (input['KeyId'] = other), /with another KeyId/],
    ['names none', (input) => delete input['KeyId'], /with another KeyId/],
  ])('refuses what a middleware behind its own makes, which %s', async (_name, change, message) => {
    const one = attested(plain())
    const add = one.middlewareStack.add.bind(one.middlewareStack) as (...all: unknown[]) => void
    const behind = (next: (args: unknown) => unknown) => (args: { input: Input }) => {
      const input = { ...args.input }
      change(input)
      return next({ ...args, input })
    }
    add(behind, { step: 'initialize', priority: 'low' })
    await refused(one, decrypt(), message)
  })

  it('is attested once', async () => {
    const one = attested(plain())
    expect(() => attested(one, { keyArn: other })).toThrow(/enclavejsAttest/)
    expect((await one.send(decrypt())).KeyId).toBe(keyArn)
  })

  it('may be the aggregated one', async () => {
    const config = { region: 'eu-west-1', credentials: scene.credentials }
    const one = attested(new KMS(config))
    const { Plaintext: text } = await one.decrypt({ CiphertextBlob, EncryptionContext })
    expect(text).toEqual(Plaintext)
    expect(lastBody()).toHaveProperty('Recipient')
    const evil = one.encrypt({ KeyId: 'alias/evil', Plaintext, EncryptionContext })
    await expect(evil).rejects.toThrow(TypeError)
  })
})

describe('an encryption context', () => {
  const KeyId = 'left out' as never
  const KeyPairSpec = 'ECC_NIST_P256'
  const COMMANDS: readonly [name: string, make: (context: Input) => unknown][] = [
    ['Decrypt', (context) => new DecryptCommand({ CiphertextBlob, ...context })],
    ['Encrypt', (context) => new EncryptCommand({ KeyId, Plaintext, ...context })],
    [
      'GenerateDataKey',
      (context) => new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', ...context }),
    ],
    [
      'GenerateDataKeyPair',
      (context) => new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec, ...context }),
    ],
    [
      'GenerateDataKeyWithoutPlaintext',
      (context) =>
        new GenerateDataKeyWithoutPlaintextCommand({ KeyId, KeySpec: 'AES_128', ...context }),
    ],
    [
      'GenerateDataKeyPairWithoutPlaintext',
      (context) =>
        new GenerateDataKeyPairWithoutPlaintextCommand({ KeyId, KeyPairSpec, ...context }),
    ],
    [
      'ReEncrypt, of the source',
      ({ EncryptionContext: SourceEncryptionContext }) =>
        new ReEncryptCommand({
          ...{ CiphertextBlob, DestinationKeyId: undefined as never },
          ...({
            SourceEncryptionContext,
            DestinationEncryptionContext: EncryptionContext,
          } as object),
        }),
    ],
    [
      'ReEncrypt, of the destination',
      ({ EncryptionContext: DestinationEncryptionContext }) =>
        new ReEncryptCommand({
          ...{ CiphertextBlob, DestinationKeyId: undefined as never },
          ...({
            SourceEncryptionContext: EncryptionContext,
            DestinationEncryptionContext,
          } as object),
        }),
    ],
  ]
  /** The key is left out, as JavaScript can. */
  const without = (made: unknown): unknown => {
    const command = made as { input: Input }
    if (command.input['KeyId'] === KeyId) delete command.input['KeyId']
    return made
  }

  it.each(COMMANDS)('is asked for: %s', async (_name, make) => {
    const message = /EncryptionContext .*NO_ENCRYPTION_CONTEXT/
    await refused(client, without(make({})), message)
    await refused(client, without(make({ EncryptionContext: {} })), message)
    await refused(client, without(make({ EncryptionContext: { a: 1 } })), /must be a text/)
  })

  it('may be declined by name', async () => {
    const EncryptionContext = NO_ENCRYPTION_CONTEXT as never
    const input = { KeyId: keyArn, EncryptionContext }
    const made = await client.send(new GenerateDataKeyCommand({ ...input, KeySpec: 'AES_256' }))
    expect(lastBody()).not.toHaveProperty('EncryptionContext')
    const back = await client.send(
      new DecryptCommand({ ...input, ...made, Plaintext: undefined } as never),
    )
    expect((back as { Plaintext?: Uint8Array }).Plaintext).toEqual(made.Plaintext)
    expect(lastBody()).not.toHaveProperty('EncryptionContext')
  })

  it('does not go with RSA, nor is it asked for there', async () => {
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_256'
    const input = { KeyId: keyArn, Plaintext, EncryptionAlgorithm } as const
    const both = new EncryptCommand({ ...input, EncryptionContext })
    await refused(client, both, /does not go with RSAES/)
    // The simulated key is symmetric, and KMS says so.
    await expect(client.send(new EncryptCommand(input))).rejects.toThrow()
    expect(lastBody()).toMatchObject({ EncryptionAlgorithm })
    // What has no cipher to choose is symmetric whatever is written there.
    const dataKey = { KeySpec: 'AES_256', EncryptionAlgorithm } as never
    await expect(client.send(new GenerateDataKeyCommand(dataKey))).rejects.toThrow(TypeError)
  })
})

describe('another key', () => {
  const bareId = (): string => keyArn.split('/')[1] as string
  it.each<[string, () => unknown]>([
    ['Encrypt', () => new EncryptCommand({ KeyId: 'alias/evil', Plaintext, EncryptionContext })],
    ['Decrypt', () => new DecryptCommand({ KeyId: other, CiphertextBlob, EncryptionContext })],
    ['GetPublicKey', () => new GetPublicKeyCommand({ KeyId: bareId() })],
    ['DescribeKey', () => new DescribeKeyCommand({ KeyId: 'alias/aws/ebs' })],
    ['ScheduleKeyDeletion', () => new ScheduleKeyDeletionCommand({ KeyId: other })],
    ['CreateAlias', () => new CreateAliasCommand({ AliasName: 'alias/x', TargetKeyId: other })],
    [
      'ReEncrypt',
      () =>
        new ReEncryptCommand({
          ...{ CiphertextBlob, DestinationKeyId: 'alias/evil' },
          SourceEncryptionContext: EncryptionContext,
          DestinationEncryptionContext: EncryptionContext,
        }),
    ],
  ])('is not asked: %s', async (_name, make) => {
    await refused(client, make(), /KeyId must be left out, or be arn:/)
  })

  const answered: readonly [string, () => unknown, member?: string][] = [
    ['Decrypt', decrypt],
    ['Encrypt', () => new EncryptCommand({ KeyId: keyArn, Plaintext, EncryptionContext })],
    [
      'GenerateDataKeyWithoutPlaintext',
      () =>
        new GenerateDataKeyWithoutPlaintextCommand({
          ...{ KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext },
        }),
    ],
    ['ReEncrypt', reEncrypt],
    ['ReEncrypt', reEncrypt, 'SourceKeyId'],
    ['DescribeKey', () => new DescribeKeyCommand({ KeyId: keyArn }), 'Arn'],
  ]
  it.each(answered)('does not answer: %s', async (_name, make, member = 'KeyId') => {
    for (const wrong of [other, 'alias/evil', undefined]) {
      scene.kms.fault({
        kind: 'response',
        change: (body) =>
          member === 'Arn'
            ? { KeyMetadata: { ...(body['KeyMetadata'] as object), Arn: wrong } }
            : { ...body, [member]: wrong },
      })
      expect(await failure(client.send(make() as Command))).toBe('ERR_KMS_KEY_MISMATCH')
    }
    await client.send(make() as Command)
  })

  function reEncrypt(): ReEncryptCommand {
    return new ReEncryptCommand({
      ...{ CiphertextBlob, DestinationKeyId: keyArn },
      SourceEncryptionContext: EncryptionContext,
      DestinationEncryptionContext: EncryptionContext,
    })
  }

  it('does not answer to what looks after keys; the bare id of this one may', async () => {
    const doomed = (await scene.kms.createKey()).arn
    const one = attested(plain(), { keyArn: doomed })
    const schedule = (): unknown => new ScheduleKeyDeletionCommand({ KeyId: doomed })
    scene.kms.fault({ kind: 'wrong-key-id', keyId: bareId() })
    expect(await failure(one.send(schedule() as Command))).toBe('ERR_KMS_KEY_MISMATCH')
    scene.kms.fault({
      kind: 'raw-body',
      body: JSON.stringify({ KeyId: doomed.split('/')[1], DeletionDate: 1 }),
    })
    await one.send(schedule() as Command)
  })

  it('is not what an operation without one is about', async () => {
    expect(
      (await client.send(new GenerateRandomCommand({ NumberOfBytes: 3 }))).Plaintext,
    ).toHaveLength(3)
    // The simulated KMS does not have it, and says so: it was asked.
    await expect(client.send(new ListAliasesCommand({}))).rejects.toThrow()
    expect(scene.kms.requests).toHaveLength(2)
  })
})
