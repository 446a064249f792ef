// Envelopes are messages of the AWS Encryption SDK: what we seal, it opens, and the reverse, each with its own client against the
// same KMS, the simulator's. Ours is attested; the SDK has no Recipient, so the key's policy here asks for none.
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { Agent } from 'node:https'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createKmsClient,
  openEnvelope,
  openEnvelopeStream,
  sealedEnvelope,
  sealedEnvelopeStream,
  type KmsClient,
} from '@enclavejs/kms-enclave'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedCredentials,
  type SimulatedKms,
} from '@enclavejs/simulator/kms'

const folder = join(dirname(fileURLToPath(import.meta.url)), 'encryption-sdk')
const absent = !existsSync(join(folder, 'node_modules'))

type Context = Readonly<Record<string, string>>

/** What is used of the SDK. */
interface Sdk {
  encrypt(
    keyring: unknown,
    plaintext: Uint8Array,
    options: { encryptionContext: Context; frameLength?: number; suiteId?: number },
  ): Promise<{ result: Buffer }>
  encryptStream(
    keyring: unknown,
    options: { encryptionContext: Context; frameLength?: number; suiteId?: number },
  ): NodeJS.ReadWriteStream
  decrypt(
    keyring: unknown,
    message: Uint8Array,
  ): Promise<{
    plaintext: Buffer
    messageHeader: { encryptionContext: Context; suiteId: number }
  }>
  decryptStream(keyring: unknown): NodeJS.ReadWriteStream
  keyring(...keyIds: readonly string[]): unknown
}

type Build = (settings: object) => object
type Make = new (settings: object) => unknown

const COMMITTED = 0x0478
const SIGNED = 0x0578
const context = { purpose: 'interop', 'Ünïcode 🔑': 'värde', version: '8' }

let kms: SimulatedKms
let credentials: SimulatedCredentials
let keys: readonly [string, string]
let ours: KmsClient
let sdk: Sdk

function load(): Sdk {
  const require = createRequire(join(folder, 'package.json'))
  const part = <T>(name: string): T => require(`@aws-crypto/${name}`) as T
  const { buildEncrypt } = part<{ buildEncrypt: Build }>('encrypt-node')
  const { buildDecrypt } = part<{ buildDecrypt: Build }>('decrypt-node')
  const { KMS, KmsKeyringNode } = part<{ KMS: Make; KmsKeyringNode: Make }>('kms-keyring-node')
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
  const client = new KMS({
    region: kms.region,
    credentials,
    endpoint: `https://${host}:${port}`,
    requestHandler: { httpsAgent },
  })
  return {
    ...buildEncrypt({ commitmentPolicy: 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT' }),
    ...buildDecrypt({ commitmentPolicy: 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT' }),
    keyring: (generatorKeyId, ...keyIds) =>
      new KmsKeyringNode({ clientProvider: () => client, generatorKeyId, keyIds }),
  } as Sdk
}

beforeAll(async () => {
  if (absent) return
  const authority = await createCertificateAuthority()
  const account = createSimulatedAccount()
  credentials = account.issueCredentials({ role: 'enclave' })
  kms = await createSimulatedKms({
    accounts: [account],
    attestationRoots: [authority.trustAnchor],
  })
  keys = [(await kms.createKey()).arn, (await kms.createKey()).arn]
  ours = createKmsClient({
    keyArn: keys[0],
    credentials,
    roots: [kms.ca],
    connect: (host, port, options) => kms.connect(host, port, options),
    getEvidence: async ({ publicKey }) =>
      issueAttestationDocument(
        {
          moduleId: authority.moduleId,
          timestamp: Date.now(),
          pcrs: new Map([[0, new Uint8Array(48).fill(7)]]),
          publicKey,
        },
        authority.issueLeaf(),
      ),
  })
  sdk = load()
})
afterAll(async () => {
  await ours?.close()
  await kms?.close()
})

const seal = {
  generateDataKey: (input: Parameters<KmsClient['generateDataKey']>[0]) =>
    ours.generateDataKey(input),
  context,
}
const open = {
  decrypt: (input: Parameters<KmsClient['decrypt']>[0]) => ours.decrypt(input),
  context,
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size)
    yield bytes.subarray(offset, offset + size)
}

const CASES = [
  [0, 16],
  [1, 16],
  [16, 16],
  [17, 16],
  [48, 16],
  [10_000, 4096],
  [200_000, 65_536],
] as const

describe.skipIf(absent)(
  'the AWS Encryption SDK for JavaScript (needs `npm ci` in test/encryption-sdk)',
  () => {
    test.each(CASES)(
      'opens what we seal: %i bytes in frames of %i',
      async (length, frameLength) => {
        const plaintext = randomBytes(length)
        const whole = await sealedEnvelope({ ...seal, plaintext, frameLength })
        const { plaintext: opened, messageHeader } = await sdk.decrypt(sdk.keyring(keys[0]), whole)
        expect(opened.equals(plaintext)).toBe(true)
        expect(messageHeader.suiteId).toBe(COMMITTED)
        expect({ ...messageHeader.encryptionContext }).toEqual(context)
        const streamed = Readable.from(
          sealedEnvelopeStream({ ...seal, plaintext: pieces(plaintext, 777), frameLength }),
        )
        const decrypting = sdk.decryptStream(sdk.keyring(keys[0]))
        expect((await buffer(streamed.pipe(decrypting))).equals(plaintext)).toBe(true)
      },
    )

    test.each(CASES)(
      'seals what we open: %i bytes in frames of %i',
      async (length, frameLength) => {
        const plaintext = randomBytes(length)
        const options = { encryptionContext: context, frameLength, suiteId: COMMITTED }
        const { result } = await sdk.encrypt(sdk.keyring(keys[0]), plaintext, options)
        expect(
          Buffer.from(await openEnvelope({ ...open, envelope: result })).equals(plaintext),
        ).toBe(true)
        const streamed = Readable.from(plaintext.length === 0 ? [] : [plaintext]).pipe(
          sdk.encryptStream(sdk.keyring(keys[0]), options),
        )
        const opened = openEnvelopeStream({
          ...open,
          envelope: streamed as unknown as AsyncIterable<Uint8Array>,
        })
        expect((await buffer(Readable.from(opened))).equals(plaintext)).toBe(true)
      },
    )

    test('under two KMS keys opens here where one is named', async () => {
      const plaintext = randomBytes(100)
      const options = { encryptionContext: context, suiteId: COMMITTED }
      const { result } = await sdk.encrypt(sdk.keyring(...keys), plaintext, options)
      await expect(openEnvelope({ ...open, envelope: result })).rejects.toMatchObject({
        code: 'ERR_KMS_ENVELOPE_KEY',
      })
      const opened = await openEnvelope({ ...open, envelope: result, keyId: keys[0] })
      expect(Buffer.from(opened).equals(plaintext)).toBe(true)
    })

    test('with a signature, which is its default, is refused by name of the suite', async () => {
      const { result } = await sdk.encrypt(sdk.keyring(keys[0]), randomBytes(10), {
        encryptionContext: context,
        suiteId: SIGNED,
      })
      await expect(openEnvelope({ ...open, envelope: result })).rejects.toMatchObject({
        code: 'ERR_KMS_ENVELOPE_FORMAT',
        message: expect.stringContaining('0x0578') as string,
      })
    })

    test('refuses as we do what was changed in any part', async () => {
      const plaintext = randomBytes(40)
      const envelope = await sealedEnvelope({ ...seal, plaintext, frameLength: 16 })
      for (let at = 3; at < envelope.length; at += 29) {
        const changed = new Uint8Array(envelope)
        changed[at] = (changed[at] as number) ^ 1
        await expect(sdk.decrypt(sdk.keyring(keys[0]), changed)).rejects.toThrow()
        await expect(openEnvelope({ ...open, envelope: changed })).rejects.toMatchObject({
          code: expect.stringMatching(/^ERR_KMS_/) as string,
        })
      }
    })
  },
)
