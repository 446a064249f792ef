import { generateKeyPairSync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  nodeCrypto,
  openEnvelopedData,
  paddingBytes,
  type EnvelopeCrypto,
} from '../src/cms/open.ts'
import type { KmsError } from '../src/error.ts'
import { counting, recipient, refusal } from './cms-recipient.ts'
import { encryptFor, pkcs7, writeEnvelopedData, type Fields } from './cms-writer.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const own = recipient(privateKey)
const PLAINTEXT = Buffer.from('a data key of thirty-two octets.')
const fields = encryptFor(privateKey, PLAINTEXT)
const write = (): Uint8Array => writeEnvelopedData(fields)

describe('after the form, one outcome for every failure', () => {
  let UNIFORM: KmsError
  beforeAll(async () => {
    const malformed = writeEnvelopedData({ ...fields, encryptedKey: Buffer.alloc(256) })
    UNIFORM = await refusal(() => openEnvelopedData(malformed, own))
  })
  const encrypted = (plaintext: Uint8Array, padding: Uint8Array): Fields =>
    encryptFor(privateKey, plaintext, { padding })
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

  test.each<[string, Fields]>([
    ['an encryptedKey of zeros', { ...fields, encryptedKey: Buffer.alloc(256) }],
    ['an encryptedKey above the modulus', { ...fields, encryptedKey: Buffer.alloc(256, 0xff) }],
    [
      'an encryptedKey for another key',
      { ...fields, encryptedKey: encryptFor(other, PLAINTEXT).encryptedKey },
    ],
    [
      'a content key of 16 bytes',
      {
        ...fields,
        encryptedKey: encryptFor(privateKey, PLAINTEXT, { contentKey: randomBytes(32) })
          .encryptedKey,
      },
    ],
    [
      'a content key of 64 bytes',
      encryptFor(privateKey, PLAINTEXT, { contentKey: randomBytes(64) }),
    ],
    ['a padding count of 0', encrypted(Buffer.alloc(31, 7), Buffer.alloc(1, 0))],
    ['a padding count of 17', encrypted(Buffer.alloc(15, 17), Buffer.alloc(1, 17))],
    ['a padding count of 255', encrypted(Buffer.alloc(31, 255), Buffer.alloc(1, 255))],
    [
      'padding that differs in its first byte',
      encrypted(Buffer.alloc(16), Buffer.from('10'.repeat(16).replace('10', '11'), 'hex')),
    ],
    [
      'padding that differs in its middle',
      encrypted(Buffer.alloc(28), Buffer.from('04050404', 'hex')),
    ],
  ])('%s', async (_, malformed) => {
    const genuine = counting()
    await openEnvelopedData(write(), own, genuine.crypto)
    const { crypto, counts, given } = counting()
    const error = await refusal(() => openEnvelopedData(writeEnvelopedData(malformed), own, crypto))
    expect(error.message).toBe(UNIFORM.message)
    expect(error.cause).toBeUndefined()
    expect(Object.keys(error)).toEqual(Object.keys(UNIFORM))
    // The same steps as for a genuine message, each once.
    expect(counts).toEqual(genuine.counts)
    expect(counts).toEqual({ decryptKey: 1, decryptContent: 1, randomKey: 1 })
    for (const bytes of given) expect(bytes.every((byte) => byte === 0)).toBe(true)
  })

  test('the substitute key is what the content is decrypted under', async () => {
    const keys: Uint8Array[] = []
    const crypto: EnvelopeCrypto = {
      ...nodeCrypto,
      randomKey: () => Buffer.alloc(32, 0x5a),
      decryptContent(key, ...rest) {
        keys.push(new Uint8Array(key))
        return nodeCrypto.decryptContent(key, ...rest)
      },
    }
    const malformed = writeEnvelopedData({ ...fields, encryptedKey: Buffer.alloc(256) })
    await refusal(() => openEnvelopedData(malformed, own, crypto))
    expect(keys).toEqual([new Uint8Array(32).fill(0x5a)])
  })

  test('a substitute key under which the padding happens to be right opens nothing', async () => {
    // Content that is well-formed under the substitute: only the failed OAEP stands against it.
    const substitute = randomBytes(32)
    const content = encryptFor(privateKey, PLAINTEXT, { contentKey: substitute })
    const malformed = writeEnvelopedData({ ...content, encryptedKey: Buffer.alloc(256) })
    const crypto: EnvelopeCrypto = { ...nodeCrypto, randomKey: () => Buffer.from(substitute) }
    expect((await refusal(() => openEnvelopedData(malformed, own, crypto))).message).toBe(
      UNIFORM.message,
    )
  })

  test('what was decrypted is overwritten when the message opens, too', async () => {
    const { crypto, given } = counting()
    expect(await openEnvelopedData(write(), own, crypto)).toEqual(new Uint8Array(PLAINTEXT))
    expect(given).toHaveLength(3)
    for (const bytes of given) expect(bytes.every((byte) => byte === 0)).toBe(true)
  })

  test('a flip of every bit: refused by form before the key, or the one outcome, or other bytes', async () => {
    const message = write()
    const contentAt = Buffer.from(message).indexOf(fields.encryptedContent)
    const keyAt = Buffer.from(message).indexOf(fields.encryptedKey)
    const ivAt = Buffer.from(message).indexOf(fields.initializationVector)
    const within = (index: number, start: number, length: number): boolean =>
      index >= start && index < start + length
    const tally = { form: 0, uniform: 0, opened: 0 }
    for (let bit = 0; bit < message.length * 8; bit++) {
      const index = bit >> 3
      const flipped = new Uint8Array(message)
      flipped[index] = (message[index] as number) ^ (1 << (bit & 7))
      const { crypto, counts } = counting()
      const encrypted =
        within(index, keyAt, 256) || within(index, ivAt, 16) || within(index, contentAt, 48)
      try {
        const plaintext = await openEnvelopedData(flipped, own, crypto)
        expect(within(index, contentAt, 48) || within(index, ivAt, 16)).toBe(true)
        expect(Buffer.compare(plaintext, PLAINTEXT)).not.toBe(0)
        tally.opened++
      } catch (error) {
        expect((error as KmsError).code).toBe('ERR_KMS_CMS')
        expect(counts.decryptKey).toBe(encrypted ? 1 : 0)
        if (encrypted) expect((error as KmsError).message).toBe(UNIFORM.message)
        tally[encrypted ? 'uniform' : 'form']++
      }
    }
    // The IV and the first block change plaintext in place: CBC has no integrity, and the connection must have it.
    expect(tally.opened).toBeGreaterThanOrEqual(16 * 8)
    expect(tally.form).toBe((message.length - 256 - 16 - 48) * 8)
    expect(tally.uniform + tally.opened).toBe((256 + 16 + 48) * 8)
  }, 120_000)
})

describe('padding', () => {
  test('equals RFC 5652 §6.3 read slowly', () => {
    const slow = (content: Uint8Array): number => {
      const count = content.at(-1) as number
      const right =
        count >= 1 && count <= 16 && content.slice(-count).every((byte) => byte === count)
      return right ? count : 0
    }
    for (let count = 0; count < 256; count++) {
      const content = new Uint8Array(32).fill(count)
      expect(paddingBytes(content)).toBe(slow(content))
      for (let index = 16; index < 31; index++) {
        const other = new Uint8Array(content)
        other[index] = (count + 1) & 0xff
        expect(paddingBytes(other)).toBe(slow(other))
      }
    }
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 48 }),
        fc.integer({ min: 0, max: 17 }),
        (content, count) => {
          content.fill(count, Math.max(0, content.length - count))
          expect(paddingBytes(content)).toBe(slow(content))
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('what encryptFor pads is pkcs7', () => {
    expect(pkcs7(16)).toHaveLength(16)
  })
})
