import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KmsError, type KmsErrorCode } from '../src/error.ts'
import { sealedEnvelope } from '../src/envelope/seal.ts'
import { DataKeys, KEY_ID } from './envelope-kms.ts'
import { context, FRAME, kms, open, PLAINTEXT, put, refusal, seal, take } from './envelope-parts.ts'

describe('what was sealed opens', () => {
  test.each([0, 1, 15, 16, 17, 31, 32, 33, 58, 4096])('%i bytes', async (size) => {
    const plaintext = randomBytes(size)
    for (const frameLength of [1, 16, 4096, 1_048_576]) {
      const envelope = await seal({ plaintext, frameLength })
      const opened = await open(envelope)
      expect(Buffer.compare(opened, plaintext)).toBe(0)
      expect(opened.constructor).toBe(Uint8Array)
      expect(opened.buffer.byteLength).toBe(size)
    }
  })

  test('with the parts that the format has', async () => {
    const envelope = await seal()
    const { header, frames } = take(envelope)
    expect(put({ header, frames })).toEqual(envelope)
    expect(envelope[0]).toBe(2)
    expect(header.frameLength).toBe(FRAME)
    expect(header.encryptedDataKeys).toMatchObject([
      { providerId: 'aws-kms', providerInformation: KEY_ID },
    ])
    expect([...header.context]).toEqual([...new Map(Object.entries(context))])
    expect(frames).toHaveLength(4)
    expect((await seal({ frameLength: undefined as never })).length).toBeGreaterThan(0)
  })

  test('the default frame has 65536 bytes', async () => {
    const { generateDataKey } = kms
    const envelope = await sealedEnvelope({
      generateDataKey,
      context,
      plaintext: randomBytes(131_072),
    })
    expect(take(envelope).header.frameLength).toBe(65_536)
    expect(take(envelope).frames).toHaveLength(2)
  })

  test('no two envelopes of the same data are the same', async () => {
    const [one, two] = [take(await seal()), take(await seal())]
    expect(one.header.messageId).not.toEqual(two.header.messageId)
    expect(one.header.commitment).not.toEqual(two.header.commitment)
  })

  test('whatever it is', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 100 }),
        fc.dictionary(
          text.filter((key) => key !== '' && !key.startsWith('aws-crypto-')),
          text,
          { minKeys: 1, maxKeys: 5 },
        ),
        async (plaintext, frameLength, pairs) => {
          const envelope = await seal({ plaintext, frameLength, context: pairs })
          expect(await open(envelope, { context: pairs })).toEqual(plaintext)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('with a context named like a member of every object', async () => {
    const pairs = JSON.parse('{"__proto__":"1","constructor":"2"}') as Record<string, string>
    expect(await open(await seal({ context: pairs }), { context: pairs })).toHaveLength(58)
  })

  test('inputs may change after the call', async () => {
    const plaintext = new Uint8Array(PLAINTEXT)
    const pairs = { ...context }
    const sealing = seal({ plaintext, context: pairs })
    plaintext.fill(0)
    pairs.version = '9'
    const envelope = await sealing
    const opening = open(envelope)
    envelope.fill(0)
    expect(Buffer.from(await opening).equals(PLAINTEXT)).toBe(true)
  })

  test('data keys are overwritten', async () => {
    const own = new DataKeys()
    const envelope = await seal({ generateDataKey: own.generateDataKey })
    await open(envelope, { decrypt: own.decrypt })
    await refusal(
      open(await seal(own), {
        decrypt: own.decrypt,
        envelope: put(take(envelope), { commitment: new Uint8Array(32) }),
      }),
    )
    expect(own.given.length).toBeGreaterThanOrEqual(4)
    for (const key of own.given) expect(key.every((byte) => byte === 0)).toBe(true)
  })
})

describe('data keys that are none', () => {
  const good = { Plaintext: new Uint8Array(32), CiphertextBlob: new Uint8Array(1), KeyId: KEY_ID }
  test.each<[string, object]>([
    ['31 bytes', { ...good, Plaintext: new Uint8Array(31) }],
    ['no Uint8Array', { ...good, Plaintext: 'a'.repeat(32) }],
    ['no blob', { ...good, CiphertextBlob: undefined }],
    ['an empty blob', { ...good, CiphertextBlob: new Uint8Array(0) }],
    ['a blob that KMS would not take back', { ...good, CiphertextBlob: new Uint8Array(6145) }],
    ['no key id', { ...good, KeyId: undefined }],
    ['an empty key id', { ...good, KeyId: '' }],
    ['a key id that is not ASCII', { ...good, KeyId: 'ключ' }],
  ])('from GenerateDataKey: %s', async (_, dataKey) => {
    const sealing = seal({ generateDataKey: () => Promise.resolve(dataKey as never) })
    expect(await refusal(sealing)).toBe('ERR_KMS_ENVELOPE_KEY')
  })

  test.each<[string, (key: { Plaintext: Uint8Array; KeyId: string }) => object, KmsErrorCode]>([
    ['16 bytes', (key) => ({ ...key, Plaintext: new Uint8Array(16) }), 'ERR_KMS_ENVELOPE_KEY'],
    ['no Uint8Array', (key) => ({ ...key, Plaintext: [] }), 'ERR_KMS_ENVELOPE_KEY'],
    ['of another KMS key', (key) => ({ ...key, KeyId: `${key.KeyId}x` }), 'ERR_KMS_ENVELOPE_KEY'],
    [
      'other bytes',
      (key) => ({ ...key, Plaintext: randomBytes(32) }),
      'ERR_KMS_ENVELOPE_COMMITMENT',
    ],
  ])('from Decrypt: %s', async (_, change, code) => {
    const opening = open(await seal(), {
      decrypt: async (input) => change(await kms.decrypt(input)) as never,
    })
    expect(await refusal(opening)).toBe(code)
  })

  test('a failure of KMS is passed on as it is', async () => {
    const failure = new Error('AccessDeniedException')
    await expect(seal({ generateDataKey: () => Promise.reject(failure) })).rejects.toBe(failure)
    await expect(open(await seal(), { decrypt: () => Promise.reject(failure) })).rejects.toBe(
      failure,
    )
  })
})

describe("the caller's own mistakes", () => {
  test.each<[string, object, RegExp]>([
    ['no generateDataKey', { generateDataKey: 1 }, /generateDataKey must be a function/],
    ['no context', { context: undefined }, /context must be an object/],
    ['an empty context', { context: {} }, /at least one/],
    ['a value that is no string', { context: { a: 1 } }, /value of a must be a string/],
    ['an empty key', { context: { '': 'a' } }, /key must not be empty/],
    ['a reserved key', { context: { 'aws-crypto-public-key': 'a' } }, /format's own/],
    ['half a surrogate pair', { context: { a: '\ud800' } }, /well-formed/],
    ['too much context', { context: { a: 'a'.repeat(8192) } }, /exceed 8192 bytes/],
    ['a plaintext that is no Uint8Array', { plaintext: 'text' }, /plaintext must be a Uint8Array/],
    ['a frame of no bytes', { frameLength: 0 }, /frameLength must be/],
    ['a frame above 1 MiB', { frameLength: 1_048_577 }, /frameLength must be/],
    ['half a byte', { frameLength: 1.5 }, /frameLength must be/],
  ])('sealing: %s', async (_, options, words) => {
    const sealing = seal(options)
    await expect(sealing).rejects.toThrow(words)
    await expect(sealing).rejects.not.toBeInstanceOf(KmsError)
  })

  test.each<[string, object, RegExp]>([
    ['no decrypt', { decrypt: undefined }, /decrypt must be a function/],
    ['no envelope', { envelope: 'text' }, /envelope must be a Uint8Array/],
    ['no context', { context: null }, /context must be an object/],
    ['a key id that is no string', { keyId: 1 }, /keyId must be a string/],
  ])('opening: %s', async (_, options, words) => {
    await expect(open(await seal(), options)).rejects.toThrow(words)
  })
})
