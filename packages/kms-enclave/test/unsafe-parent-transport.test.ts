import { createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { KMSClient, DecryptCommand, DeriveSharedSecretCommand } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createKmsClient,
  createUnsafeParentClient,
  type UnsafeParentClient,
  type UnsafeParentClientOptions,
  type UnsafeParentRequest,
} from '../src/index.ts'
import { EnclaveRequestHandler } from '../src/aws-sdk/request-handler.ts'
import { failure, openScene, type Scene } from './simulated-kms.ts'

let scene: Scene
let keyArn: string
/** The parent's own client, of the AWS SDK. */
let parent: KMSClient

beforeAll(async () => {
  scene = await openScene()
  keyArn = (await scene.kms.createKey()).arn
  parent = new KMSClient({
    region: scene.kms.region,
    credentials: scene.credentials,
    requestHandler: new EnclaveRequestHandler('kms.eu-west-1.amazonaws.com', {
      connect: scene.kms.connect.bind(scene.kms),
      roots: [scene.kms.ca],
    }) as never,
  })
})
afterAll(async () => {
  parent.destroy()
  await scene.kms.close()
})

/** What a parent does that keeps to its task. */
async function honest({ operation, body }: UnsafeParentRequest): Promise<Uint8Array> {
  const input = JSON.parse(Buffer.from(body).toString(), (key, value: unknown) =>
    ['CiphertextBlob', 'PublicKey', 'AttestationDocument'].includes(key)
      ? Buffer.from(value as string, 'base64')
      : value,
  ) as never
  const { $metadata, ...output } =
    operation === 'Decrypt'
      ? await parent.send(new DecryptCommand(input))
      : await parent.send(new DeriveSharedSecretCommand(input))
  expect($metadata.httpStatusCode).toBe(200)
  const sealed = Buffer.from(output.CiphertextForRecipient ?? []).toString('base64')
  return Buffer.from(JSON.stringify({ ...output, CiphertextForRecipient: sealed }))
}

function open(
  unsafeParentTransport: UnsafeParentClientOptions['unsafeParentTransport'],
  options: Partial<UnsafeParentClientOptions> = {},
): UnsafeParentClient {
  const { getEvidence } = scene
  return createUnsafeParentClient({ keyArn, getEvidence, unsafeParentTransport, ...options })
}

const EncryptionContext = { purpose: 'test' }
const Plaintext = new TextEncoder().encode('of the enclave')

async function encrypted(): Promise<Uint8Array> {
  await using client = createKmsClient({
    keyArn,
    connect: scene.kms.connect.bind(scene.kms),
    credentials: scene.credentials,
    getEvidence: scene.getEvidence,
    roots: [scene.kms.ca],
  })
  return (await client.encrypt({ Plaintext, EncryptionContext })).CiphertextBlob
}

describe('a client whose parent calls KMS', () => {
  it('decrypts, with a key of its own for each call', async () => {
    const CiphertextBlob = await encrypted()
    using client = open(honest)
    scene.evidence = 0
    for (let index = 0; index < 2; index++) {
      const opened = await client.decrypt({ CiphertextBlob, EncryptionContext })
      expect(opened).toEqual({ KeyId: keyArn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT', Plaintext })
    }
    expect(scene.evidence).toBe(2)
  })

  it('derives a shared secret', async () => {
    const { arn } = await scene.kms.createKey({
      keySpec: 'ECC_NIST_P256',
      keyUsage: 'KEY_AGREEMENT',
    })
    using client = open(honest, { keyArn: arn })
    const theirs = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const PublicKey = new Uint8Array(theirs.publicKey.export({ type: 'spki', format: 'der' }))
    const { SharedSecret } = await client.deriveSharedSecret({ PublicKey })
    await using own = createKmsClient({
      keyArn: arn,
      connect: scene.kms.connect.bind(scene.kms),
      credentials: scene.credentials,
      getEvidence: scene.getEvidence,
      roots: [scene.kms.ca],
    })
    const spki = Buffer.from((await own.getPublicKey()).PublicKey)
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    expect(Buffer.from(SharedSecret)).toEqual(
      diffieHellman({ privateKey: theirs.privateKey, publicKey }),
    )
  })

  it('has no other operation', () => {
    using client = open(honest)
    expect(Object.keys(client).toSorted()).toEqual(['close', 'decrypt', 'deriveSharedSecret'])
  })

  const json =
    (change: (body: Record<string, unknown>) => unknown) =>
    async (request: UnsafeParentRequest): Promise<Uint8Array> =>
      Buffer.from(
        JSON.stringify(change(JSON.parse(Buffer.from(await honest(request)).toString()) as never)),
      )
  let before: unknown
  it.each<[string, UnsafeParentClientOptions['unsafeParentTransport'], string]>([
    [
      'a plaintext',
      json((body) => ({ ...body, Plaintext: 'AA==' })),
      'ERR_KMS_UNATTESTED_PLAINTEXT',
    ],
    [
      'another key',
      json((body) => ({ ...body, KeyId: keyArn.replace('eu-west-1', 'eu-west-2') })),
      'ERR_KMS_KEY_MISMATCH',
    ],
    [
      'nothing sealed',
      json(({ CiphertextForRecipient: _none, ...body }) => body),
      'ERR_KMS_RESPONSE',
    ],
    ['no JSON', async () => new Uint8Array([1]), 'ERR_KMS_RESPONSE'],
    ['too much', async () => new Uint8Array(70_000), 'ERR_KMS_RESPONSE_SIZE'],
    ['silence', () => sleep(5000, new Uint8Array(1), { ref: false }), 'ERR_KMS_DEADLINE'],
    [
      'what it was given for another call',
      json((body) => {
        const last = before
        before = body
        return last ?? body
      }),
      'ERR_KMS_CMS',
    ],
  ])('refuses %s', async (_name, transport, code) => {
    const CiphertextBlob = await encrypted()
    using client = open(transport, { requestTimeout: code === 'ERR_KMS_DEADLINE' ? 200 : 20_000 })
    const call = (): Promise<unknown> => client.decrypt({ CiphertextBlob, EncryptionContext })
    if (code === 'ERR_KMS_CMS') await call()
    expect(await failure(call())).toBe(code)
  })

  it.each([
    ['an unknown option', { singleUse: false }],
    ['no transport', { unsafeParentTransport: undefined }],
    ['an alias', { keyArn: 'alias/x' }],
  ])('takes no %s', (_name, options) => {
    expect(() => open(honest, options as never)).toThrow(TypeError)
  })

  it('lets an error of the transport through, and refuses what is no bytes', async () => {
    const CiphertextBlob = await encrypted()
    const error = new Error('the parent')
    using broken = open(() => Promise.reject(error))
    await expect(broken.decrypt({ CiphertextBlob, EncryptionContext })).rejects.toBe(error)
    using text = open(async () => 'text' as never)
    await expect(text.decrypt({ CiphertextBlob, EncryptionContext })).rejects.toThrow(TypeError)
  })
})
