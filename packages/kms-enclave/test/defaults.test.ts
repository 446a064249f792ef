import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEnclaveKmsClient, createKmsClient, type KmsClientOptions } from '../src/index.ts'
import { CREDENTIALS, KEY_ARN } from './kms-server.ts'

const here = dirname(fileURLToPath(import.meta.url))
const modules = join(here, '../../../node_modules')
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kms-defaults-'))
  cpSync(join(here, '../src'), join(folder, 'src'), { recursive: true })
  mkdirSync(join(folder, 'node_modules'))
  for (const name of ['undici', '@smithy']) {
    symlinkSync(join(modules, name), join(folder, 'node_modules', name))
  }
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type: 'module', name: '@enclavejs/kms-enclave' }),
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs a module in a place where only the package's own dependencies are installed. */
function run(code: string): Promise<string> {
  const file = join(folder, 'main.ts')
  writeFileSync(file, code)
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'] }
    const args = ['--disable-warning=ExperimentalWarning', file]
    execFile(process.execPath, args, { env, timeout: 20_000 }, (error, stdout) => {
      if (error === null) resolve(stdout.trim())
      else reject(error as Error)
    })
  })
}

describe('the defaults', () => {
  it('are loaded when they are needed, and missed by name', async () => {
    const output = await run(`
      import { createEnclaveKmsClient } from './src/index.ts'
      await using client = createEnclaveKmsClient({ keyArn: '${KEY_ARN}' })
      await client.generateRandom({ NumberOfBytes: 1 }).catch((error) =>
        console.log(error.code, error.cause?.code, error.message))
      await client.describeKey().catch((error) => console.log(error.code, error.message))
    `)
    const [evidence, credentials] = output.split('\n')
    expect(evidence).toMatch(/^ERR_KMS_PACKAGE .*npm install @enclavejs\/nsm/)
    expect(credentials).toMatch(/^ERR_KMS_PACKAGE .*npm install @enclavejs\/vsock/)
  })

  it('can each be replaced', async () => {
    await using client = createEnclaveKmsClient({
      keyArn: KEY_ARN,
      credentials: CREDENTIALS,
      connect: () => Promise.reject(new Error('mine')),
      maxAttempts: 1,
    })
    await expect(client.describeKey()).rejects.toMatchObject({ code: 'ERR_KMS_CONNECTION' })
  })
})

describe('createKmsClient', () => {
  const good: KmsClientOptions = {
    keyArn: KEY_ARN,
    credentials: CREDENTIALS,
    connect: () => Promise.reject(new Error('unused')),
    getEvidence: async () => new Uint8Array(1),
  }
  it.each<[string, object]>([
    ['an unknown option', { rejectUnauthorized: false }],
    ['no key', { keyArn: undefined }],
    ['no connect', { connect: undefined }],
    ['no credentials', { credentials: undefined }],
    ['no getEvidence', { getEvidence: undefined }],
    ['an old version of TLS', { minTlsVersion: 'TLSv1.1' }],
    ['no sockets', { maxSockets: 0 }],
    ['many attempts', { maxAttempts: 11 }],
    ['no time to connect', { connectTimeout: 0 }],
    ['half a millisecond', { requestTimeout: 0.5 }],
    ['a deadline of an hour', { deadline: 3_600_000 }],
    ['a clock that is none', { now: 5 }],
    ['a key of 1024 bits', { modulusLength: 1024 }],
    ['a document for five minutes', { maxAgeMs: 300_000 }],
  ])('refuses %s', (_name, options) => {
    const made = (): unknown => createKmsClient({ ...good, ...options } as KmsClientOptions)
    expect(made).toThrow(/TypeError|RangeError|must|takes/)
    expect(made).toThrow(Error)
  })

  it.each<[string, (client: ReturnType<typeof createKmsClient>) => Promise<unknown>]>([
    ['no context', (client) => client.decrypt({ CiphertextBlob: new Uint8Array(1) } as never)],
    [
      'an empty context',
      (client) => client.decrypt({ CiphertextBlob: new Uint8Array(1), EncryptionContext: {} }),
    ],
    [
      'a context of numbers',
      (client) =>
        client.decrypt({ CiphertextBlob: new Uint8Array(1), EncryptionContext: { a: 1 } as never }),
    ],
    [
      'a context of 10 KB',
      (client) =>
        client.decrypt({
          CiphertextBlob: new Uint8Array(1),
          EncryptionContext: { a: 'a'.repeat(10_000) },
        }),
    ],
    [
      'a context with an asymmetric algorithm',
      (client) =>
        client.decrypt({
          CiphertextBlob: new Uint8Array(1),
          EncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
          EncryptionContext: { a: 'a' },
        } as never),
    ],
    [
      'an unknown algorithm',
      (client) =>
        client.decrypt({ CiphertextBlob: new Uint8Array(1), EncryptionAlgorithm: 'X' } as never),
    ],
    ['no ciphertext', (client) => client.decrypt({ EncryptionContext: { a: 'a' } } as never)],
    [
      'an empty ciphertext',
      (client) =>
        client.decrypt({ CiphertextBlob: new Uint8Array(), EncryptionContext: { a: 'a' } }),
    ],
    [
      'a long ciphertext',
      (client) =>
        client.decrypt({ CiphertextBlob: new Uint8Array(6145), EncryptionContext: { a: 'a' } }),
    ],
    [
      'a long plaintext',
      (client) =>
        client.encrypt({ Plaintext: new Uint8Array(4097), EncryptionContext: { a: 'a' } }),
    ],
    [
      'both KeySpec and NumberOfBytes',
      (client) =>
        client.generateDataKey({
          KeySpec: 'AES_256',
          NumberOfBytes: 1,
          EncryptionContext: { a: 'a' },
        } as never),
    ],
    ['neither', (client) => client.generateDataKey({ EncryptionContext: { a: 'a' } } as never)],
    [
      'an unknown KeySpec',
      (client) =>
        client.generateDataKey({ KeySpec: 'toString', EncryptionContext: { a: 'a' } } as never),
    ],
    ['1025 random bytes', (client) => client.generateRandom({ NumberOfBytes: 1025 })],
    ['no random bytes', (client) => client.generateRandom({} as never)],
    [
      'another agreement',
      (client) =>
        client.deriveSharedSecret({
          KeyAgreementAlgorithm: 'DH',
          PublicKey: new Uint8Array(1),
        } as never),
    ],
    [
      'eleven grant tokens',
      (client) =>
        client.generateDataKey({
          KeySpec: 'AES_256',
          EncryptionContext: { a: 'a' },
          GrantTokens: Array.from({ length: 11 }, () => 'x'),
        }),
    ],
    [
      'DryRun that is none',
      (client) =>
        client.generateDataKey({
          KeySpec: 'AES_256',
          EncryptionContext: { a: 'a' },
          DryRun: 1 as never,
        }),
    ],
  ])('has calls that refuse %s before anything is sent', async (_name, call) => {
    let dialed = 0
    await using client = createKmsClient({
      ...good,
      connect: async () => {
        dialed++
        throw new Error('dialed')
      },
    })
    const error = await call(client).catch((thrown: unknown) => thrown)
    expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
    expect(dialed).toBe(0)
  })
})
