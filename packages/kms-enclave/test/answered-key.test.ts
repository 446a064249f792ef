// Each operation is answered about another key than the client's, once by each.
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKmsClient, type KmsClient } from '../src/index.ts'
import { failure, openScene, type Scene } from './simulated-kms.ts'

const EncryptionContext = { purpose: 'test' }
const Plaintext = new TextEncoder().encode('of the enclave')
const spki = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
const PublicKey = new Uint8Array(spki.export({ type: 'spki', format: 'der' }))

let scene: Scene
let symmetric: KmsClient
let agreement: KmsClient
let other: string
let CiphertextBlob: Uint8Array

beforeAll(async () => {
  scene = await openScene()
  const { kms, credentials, getEvidence } = scene
  const open = (keyArn: string): KmsClient => {
    const connect = kms.connect.bind(kms)
    return createKmsClient({ keyArn, connect, credentials, getEvidence, roots: [kms.ca] })
  }
  const { arn } = await kms.createKey()
  symmetric = open(arn)
  const options = { keySpec: 'ECC_NIST_P256', keyUsage: 'KEY_AGREEMENT' } as const
  agreement = open((await kms.createKey(options)).arn)
  other = (await kms.createKey()).arn
  CiphertextBlob = kms.encrypt(arn, Plaintext, EncryptionContext)
})
afterAll(async () => {
  await Promise.all([symmetric.close(), agreement.close()])
  await scene.kms.close()
})

const OPERATIONS: readonly [operation: string, call: () => Promise<unknown>][] = [
  ['Decrypt', () => symmetric.decrypt({ CiphertextBlob, EncryptionContext })],
  ['Encrypt', () => symmetric.encrypt({ Plaintext, EncryptionContext })],
  ['GenerateDataKey', () => symmetric.generateDataKey({ KeySpec: 'AES_256', EncryptionContext })],
  [
    'GenerateDataKeyPair',
    () => symmetric.generateDataKeyPair({ KeyPairSpec: 'ECC_NIST_P256', EncryptionContext }),
  ],
  ['DeriveSharedSecret', () => agreement.deriveSharedSecret({ PublicKey })],
  ['GetPublicKey', () => agreement.getPublicKey()],
]

describe('an answer about another key is refused', () => {
  it.each(OPERATIONS)('%s', async (operation, call) => {
    await call()
    for (const keyId of [undefined, other, 'alias/mine']) {
      scene.kms.fault({ operation, kind: 'wrong-key-id', ...(keyId !== undefined && { keyId }) })
      expect(await failure(call())).toBe('ERR_KMS_KEY_MISMATCH')
    }
    await call()
  })

  it('DescribeKey', async () => {
    for (const Arn of [other, 'alias/mine']) {
      scene.kms.fault({
        operation: 'DescribeKey',
        kind: 'response',
        change: ({ KeyMetadata }) => ({ KeyMetadata: { ...(KeyMetadata as object), Arn } }),
      })
      expect(await failure(symmetric.describeKey())).toBe('ERR_KMS_KEY_MISMATCH')
    }
    await symmetric.describeKey()
  })
})
