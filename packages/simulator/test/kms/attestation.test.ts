// Recipient: what KMS refuses, each with one thing changed in a document that it takes.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { GenerateRandomCommand, type KMSClient, type RecipientInfo } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { vectors } from '../../../../test/vectors.ts'
import {
  attestationEntries,
  basicConstraints,
  changePath,
  encodeCbor,
  encodePayload,
  entry,
  issueAttestationDocument,
  keyUsage,
  leafOf,
  signCoseSign1,
  withExtension,
  withoutExtension,
  type PathChanges,
  type PayloadEntry,
} from '../../src/forge.ts'
import { createCertificateAuthority, type AttestationFields } from '../../src/index.ts'
import { AttestationVerifier } from '../../src/kms/attestation.ts'
import { KmsException } from '../../src/kms/exception.ts'
import { noDocuments, realDocuments } from '../real-documents.ts'
import {
  pcrs,
  refusal,
  sdkClient,
  setup,
  testRecipient,
  type Setup,
  type TestRecipient,
} from './bench-of-kms.ts'

let clock = Date.parse('2026-03-01T12:00:00Z')
const now = (): Date => new Date(clock)
const START = clock

let scene: Setup
let client: KMSClient
let recipient: TestRecipient

beforeAll(async () => {
  scene = await setup({ now })
  client = sdkClient(scene.kms, scene.credentials, { systemClockOffset: START - Date.now() })
  recipient = testRecipient(scene.authority)
})
beforeEach(() => {
  clock = START
})
afterAll(async () => {
  client.destroy()
  await scene.kms.close()
})

async function ask(document: Uint8Array, change: Partial<RecipientInfo> = {}): Promise<unknown> {
  const Recipient: RecipientInfo = {
    AttestationDocument: document,
    KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    ...change,
  }
  return client.send(new GenerateRandomCommand({ NumberOfBytes: 8, Recipient }))
}

async function refused(document: Uint8Array, message: string | RegExp): Promise<void> {
  const error = await refusal(ask(document))
  expect(error.message).toMatch(message)
  expect(error.name).toBe('ValidationException')
}

function fields(change: Partial<AttestationFields> = {}): AttestationFields {
  const { moduleId } = scene.authority
  const publicKey = recipient.publicKey
  return { moduleId, timestamp: clock, pcrs: pcrs(1), publicKey, ...change }
}

const UNPARSABLE = 'cannot parse the attestation document'
const NO_PATH = 'the certificate path of the attestation document is not valid'

it('a good document is taken, at once and again', async () => {
  const document = recipient.document()
  await ask(document)
  clock += 299_000
  await ask(document)
})

describe('time', () => {
  it('older than five minutes', async () => {
    const document = recipient.document()
    await ask(document)
    clock += 300_000
    await ask(document)
    clock += 1
    await refused(document, 'exceeded the five-minute age limit')
  })

  it('of the future', async () => {
    await ask(recipient.document({ timestamp: clock + 300_000 }))
    await refused(recipient.document({ timestamp: clock + 300_001 }), 'is in the future')
  })

  it('of certificates that have ended, or not begun', async () => {
    const leaf = scene.authority.issueLeaf()
    clock += 4 * 3_600_000
    const user = sdkClient(scene.kms, scene.account.issueCredentials({ role: 'enclave' }), {
      systemClockOffset: clock - Date.now(),
    })
    const send = (document: Uint8Array): Promise<unknown> =>
      user.send(
        new GenerateRandomCommand({
          NumberOfBytes: 8,
          Recipient: {
            AttestationDocument: document,
            KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
          },
        }),
      )
    const error = await refusal(send(issueAttestationDocument(fields(), leaf)))
    expect(error.message).toMatch('is not valid at this time')
    await send(issueAttestationDocument(fields(), scene.authority.issueLeaf()))
    user.destroy()
    const verifier = new AttestationVerifier([scene.authority.trustAnchor])
    const early = START - 10_000
    const document = issueAttestationDocument(fields({ timestamp: early }), leaf)
    expect(() => verifier.verify(document, new Date(early))).toThrow('is not valid at this time')
  })
})

describe('the Recipient structure', () => {
  it('another algorithm, or none', async () => {
    const document = recipient.document()
    for (const KeyEncryptionAlgorithm of ['RSAES_OAEP_SHA_1' as never, undefined]) {
      const error = await refusal(ask(document, { KeyEncryptionAlgorithm }))
      expect(error.name).toBe('ValidationException')
      expect(error.message).toMatch("at 'keyEncryptionAlgorithm' failed to satisfy constraint")
    }
  })

  it('no document, or too long a one', async () => {
    const none = await refusal(ask(recipient.document(), { AttestationDocument: undefined }))
    expect(none.name).toBe('ValidationException')
    const long = await refusal(ask(new Uint8Array(262_145)))
    expect(long.name).toBe('ValidationException')
    expect(long.message).toMatch('have length less than or equal to 262144')
  })
})

describe('COSE and CBOR', () => {
  it.each<[string, (document: Uint8Array) => Uint8Array]>([
    ['is cut', (document) => document.subarray(0, -1)],
    ['has an octet more', (document) => Buffer.concat([document, Uint8Array.of(0)])],
    ['has a tag', (document) => Buffer.concat([Uint8Array.of(0xd2), document])],
    ['is something else', () => encodeCbor(['a', 'b', 'c', 'd'])],
    ['is an array of three', () => encodeCbor([new Uint8Array(), new Map(), new Uint8Array()])],
    ['is a map', () => encodeCbor(new Map([['a', 1]]))],
  ])('that %s', async (_name, change) => {
    await refused(change(recipient.document()), UNPARSABLE)
  })

  it.each([
    ['protected header', { protected: encodeCbor(new Map([[1, -7]])) }],
    ['unprotected header', { unprotected: encodeCbor(new Map([[4, new Uint8Array(1)]])) }],
    ['payload item', { payloadItem: encodeCbor('text') }],
  ])('another %s', async (_name, change) => {
    const leaf = scene.authority.issueLeaf()
    const payload = encodePayload(attestationEntries(fields(), leaf))
    const { privateKey } = leaf
    await refused(signCoseSign1({ payload, privateKey, ...change }), UNPARSABLE)
  })

  it.each<[string, Uint8Array | undefined]>([
    ['module_id', undefined],
    ['module_id', encodeCbor('')],
    ['digest', undefined],
    ['digest', encodeCbor('SHA256')],
    ['timestamp', undefined],
    ['timestamp', encodeCbor(0)],
    ['pcrs', undefined],
    ['pcrs', encodeCbor(new Map())],
    ['pcrs', encodeCbor(new Map([[32, new Uint8Array(48)]]))],
    ['pcrs', encodeCbor(new Map([[0, new Uint8Array(47)]]))],
    ['pcrs', encodeCbor(new Map([[0, 'text']]))],
    ['certificate', undefined],
    ['certificate', encodeCbor(new Uint8Array(9))],
    ['cabundle', undefined],
    ['cabundle', encodeCbor([])],
    ['cabundle', encodeCbor(['text'])],
    ['public_key', encodeCbor('text')],
  ])('%s missing or wrong: %#', async (key, value) => {
    const leaf = scene.authority.issueLeaf()
    const name = Buffer.from(encodeCbor(key))
    const entries = attestationEntries(fields(), leaf).flatMap((one): PayloadEntry[] => {
      if (!name.equals(one[0])) return [one]
      return value === undefined ? [] : [entry(key, value)]
    })
    const { privateKey } = leaf
    await refused(signCoseSign1({ payload: encodePayload(entries), privateKey }), UNPARSABLE)
  })

  it('a flipped bit of the signature, of the payload', async () => {
    const document = recipient.document()
    for (const at of [document.length - 1, document.length - 96]) {
      const changed = document.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      await refused(changed, 'the signature of the attestation document is not valid')
    }
    const payload = document.slice()
    const moduleId = Buffer.from(payload).indexOf('-enc') + 5
    payload[moduleId] = (payload[moduleId] ?? 0) ^ 1
    await refused(payload, 'the signature of the attestation document is not valid')
  })

  it('a flipped bit anywhere', () => {
    const verifier = new AttestationVerifier([scene.authority.trustAnchor])
    const document = recipient.document()
    const bits = fc.integer({ min: 0, max: document.length * 8 - 1 })
    fc.assert(
      fc.property(bits, (bit) => {
        const changed = document.slice()
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(() => verifier.verify(changed, now())).toThrow(KmsException)
      }),
    )
  })

  it('a short signature', async () => {
    const leaf = scene.authority.issueLeaf()
    const payload = encodePayload(attestationEntries(fields(), leaf))
    const mutateSignature = (signature: Uint8Array): Uint8Array => signature.subarray(1)
    const { privateKey } = leaf
    await refused(signCoseSign1({ payload, privateKey, mutateSignature }), 'signature')
  })
})

describe('the certificate path', () => {
  it('of another root', async () => {
    const stranger = await createCertificateAuthority({ now })
    const document = testRecipient(stranger).document()
    await refused(document, 'do not end in a trusted root')
  })

  const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

  it.each<[string, PathChanges]>([
    [
      'with a CA that is none',
      {
        recipes: {
          zonal: (recipe) => ({
            ...recipe,
            extensions: withExtension(recipe.extensions, basicConstraints({ ca: false })),
          }),
        },
      },
    ],
    [
      'with a CA without basicConstraints',
      {
        recipes: {
          zonal: (recipe) => ({
            ...recipe,
            extensions: withoutExtension(recipe.extensions, '2.5.29.19'),
          }),
        },
      },
    ],
    [
      'with a CA that must not sign certificates',
      {
        recipes: {
          instance: (recipe) => ({
            ...recipe,
            extensions: withExtension(recipe.extensions, keyUsage(['digitalSignature'])),
          }),
        },
      },
    ],
    [
      'with a pathLenConstraint that is too low',
      {
        recipes: {
          regional: (recipe) => ({
            ...recipe,
            extensions: withExtension(
              recipe.extensions,
              basicConstraints({ ca: true, pathLenConstraint: 1 }),
            ),
          }),
        },
      },
    ],
    [
      'with a leaf that is a CA',
      {
        recipes: {
          leaf: (recipe) => ({
            ...recipe,
            extensions: withExtension(recipe.extensions, basicConstraints({ ca: true })),
          }),
        },
      },
    ],
    [
      'with an unknown critical extension',
      {
        recipes: {
          leaf: (recipe) => ({
            ...recipe,
            extensions: [
              ...recipe.extensions,
              { oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) },
            ],
          }),
        },
      },
    ],
    [
      'with a certificate that another key signed',
      { recipes: { leaf: (recipe) => ({ ...recipe, signingKey: ec }) } },
    ],
    [
      'with an issuer of another name',
      {
        recipes: {
          leaf: (recipe) => ({ ...recipe, issuer: [['CN', 'somebody']] }),
        },
      },
    ],
    ['with a leaf on another curve', { keys: { leaf: p256 } }],
  ])('%s', async (_name, changes) => {
    const path = changePath(scene.authority.certificationPath(), changes)
    await refused(issueAttestationDocument(fields(), leafOf(path)), NO_PATH)
  })

  it('with a certificate left out, and in another order', async () => {
    const leaf = scene.authority.issueLeaf()
    const [root, regional, zonal, instance] = leaf.cabundle as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    const without = { ...leaf, cabundle: [root, zonal, instance] }
    await refused(issueAttestationDocument(fields(), without), NO_PATH)
    const swapped = { ...leaf, cabundle: [root, zonal, regional, instance] }
    await refused(issueAttestationDocument(fields(), swapped), NO_PATH)
    const rootLast = { ...leaf, cabundle: [instance, zonal, regional, root] }
    await refused(issueAttestationDocument(fields(), rootLast), 'trusted root')
  })
})

describe('the public key', () => {
  it.each([
    ['absent', undefined],
    ['empty', new Uint8Array()],
  ])('%s', async (_name, publicKey) => {
    await refused(
      issueAttestationDocument(fields({ publicKey }), scene.authority.issueLeaf()),
      'has no public key',
    )
  })

  it.each([
    ['no key', Uint8Array.of(1, 2, 3)],
    ['on a curve', spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)],
    ['RSA of 1024 bits', spkiOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)],
  ])('%s', async (_name, publicKey) => {
    await refused(
      issueAttestationDocument(fields({ publicKey }), scene.authority.issueLeaf()),
      'is not an RSA key of 2048 bits or more',
    )
  })
})

function spkiOf(key: { export(options: { type: 'spki'; format: 'der' }): Buffer }): Uint8Array {
  return new Uint8Array(key.export({ type: 'spki', format: 'der' }))
}

it("AWS's own documents hold under AWS's root, and under no other", (ctx) => {
  const root = vectors('attestation-docs/aws-nitro-enclaves-root-G1.pem')
  if (noDocuments !== undefined || root === undefined) return void ctx.skip(noDocuments)
  const genuine = new AttestationVerifier([readFileSync(root, 'utf8')])
  const simulated = new AttestationVerifier([scene.authority.trustAnchor])
  let count = 0
  let withKey = 0
  for (const { bytes, fields: real } of realDocuments()) {
    const at = new Date(Number(real.get('timestamp')))
    expect(() => simulated.verify(bytes, at)).toThrow('trusted root')
    try {
      genuine.verify(bytes, at)
      withKey += 1
    } catch (error) {
      // The public key is looked at last: everything before it held.
      const { message } = error as Error
      if (message.includes('do not end in a trusted root')) continue
      expect(message).toMatch(/public key of the attestation|has no public key/)
    }
    count += 1
  }
  expect(count).toBeGreaterThan(50)
  expect(withKey).toBeGreaterThan(0)
})

it('an empty list of roots, and what is no certificate', () => {
  expect(() => new AttestationVerifier([])).toThrow(/^attestationRoots/)
  expect(() => new AttestationVerifier(['PEM'])).toThrow(/^attestationRoots/)
})
