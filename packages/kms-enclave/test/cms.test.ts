import { generateKeyPairSync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readEnvelopedData, type EnvelopedData } from '../src/cms/enveloped-data.ts'
import { openEnvelopedData } from '../src/cms/open.ts'
import { counting, hex, recipient, refusal } from './cms-recipient.ts'
import {
  element,
  encryptFor,
  indefinite,
  OAEP_WITH_NULL,
  writeEnvelopedData,
  type Layout,
  type Pieces,
  type Place,
} from './cms-writer.ts'

const PLACES: readonly Place[] = [
  'contentInfo',
  'content',
  'envelopedData',
  'encryptedContentInfo',
  'encryptedContent',
]

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const own = recipient(privateKey)
const PLAINTEXT = Buffer.from('a data key of thirty-two octets.')
const fields = encryptFor(privateKey, PLAINTEXT)
const write = (layout?: Layout): Uint8Array => writeEnvelopedData(fields, layout)

describe('what KMS gives', () => {
  test.each([0, 1, 15, 16, 32, 154, 999, 1000, 1001, 4096])(
    '%i bytes of plaintext',
    async (length) => {
      const plaintext = randomBytes(length)
      const encrypted = encryptFor(privateKey, plaintext)
      for (const form of ['constructed', 'primitive'] as const) {
        const opened = await openEnvelopedData(writeEnvelopedData(encrypted, { form }), own)
        expect(Buffer.compare(opened, plaintext)).toBe(0)
      }
    },
  )

  test('RSA-3072 and RSA-4096', async () => {
    for (const modulusLength of [3072, 4096]) {
      const larger = generateKeyPairSync('rsa', { modulusLength }).privateKey
      const plaintext = randomBytes(2376)
      const message = writeEnvelopedData(encryptFor(larger, plaintext))
      expect(Buffer.compare(await openEnvelopedData(message, recipient(larger)), plaintext)).toBe(0)
    }
  })

  test('the private key of GenerateDataKeyPair with RSA_4096 fits', async () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 4096 })
    const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
    expect(pkcs8.length).toBeGreaterThan(2300)
    const message = writeEnvelopedData(encryptFor(privateKey, pkcs8))
    expect(Buffer.compare(await openEnvelopedData(message, own), pkcs8)).toBe(0)
  })

  test('the plaintext has memory of its own, of its own size', async () => {
    const plaintext = await openEnvelopedData(write(), own)
    expect(plaintext.constructor).toBe(Uint8Array)
    expect(plaintext.buffer.byteLength).toBe(PLAINTEXT.length)
  })

  test('bytes in the middle of a larger buffer, and a Buffer', async () => {
    const message = write()
    const larger = Buffer.concat([randomBytes(7), message, randomBytes(5)])
    expect(await openEnvelopedData(larger.subarray(7, 7 + message.length), own)).toHaveLength(32)
  })

  test('definite lengths in the place of each indefinite one, in all combinations', async () => {
    for (const definite of combinations(PLACES)) {
      for (const form of ['constructed', 'primitive'] as const) {
        expect(await openEnvelopedData(write({ definite, form }), own)).toEqual(
          new Uint8Array(PLAINTEXT),
        )
      }
    }
  })

  test('hash parameters left out, as OpenSSL does', async () => {
    const keyEncryptionAlgorithm = Buffer.from(
      '303806092a864886f70d010107302ba00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201',
      'hex',
    )
    expect(
      await openEnvelopedData(write({ pieces: { keyEncryptionAlgorithm } }), own),
    ).toHaveLength(32)
  })

  test('chunks of every size, up to 64 of them', async () => {
    for (let chunkBytes = 1; chunkBytes <= 49; chunkBytes++) {
      expect(await openEnvelopedData(write({ chunkBytes }), own)).toHaveLength(32)
    }
    const content = randomBytes(1024)
    const read = (chunkBytes: number): EnvelopedData =>
      readEnvelopedData(
        writeEnvelopedData({ ...fields, encryptedContent: content }, { chunkBytes }),
        own,
      )
    expect(Buffer.compare(read(16).encryptedContent, content)).toBe(0)
    expect((await refusal(() => read(15))).message).toMatch(/at most 64 chunks/)
  })
})

/** One piece exchanged, and the words in which that is refused. */
const MALFORMED: readonly [string, Partial<Pieces>, RegExp][] = [
  ['content type signedData', { contentType: hex('06092a864886f70d010702') }, /envelopedData/],
  ['EnvelopedData version 0', { version: hex('020100') }, /version 2 of EnvelopedData/],
  ['EnvelopedData version 3', { version: hex('020103') }, /version 2 of EnvelopedData/],
  ['a version of two octets', { version: hex('02020002') }, /version 2 of EnvelopedData/],
  ['originatorInfo', { originatorInfo: hex('a000') }, /RecipientInfos/],
  ['KeyTransRecipientInfo version 0', { keyTransVersion: hex('020100') }, /version 2 of KeyTrans/],
  ['another rid', { rid: element(0x80, randomBytes(32)) }, /this recipient's key/],
  ['a rid of 20 bytes', { rid: element(0x80, randomBytes(20)) }, /this recipient's key/],
  ['an empty rid', { rid: hex('8000') }, /this recipient's key/],
  ['issuerAndSerialNumber', { rid: hex('30053000020101') }, /subjectKeyIdentifier/],
  ['a constructed rid', { rid: hex('a0020400') }, /subjectKeyIdentifier/],
  [
    'RSAES-PKCS1-v1_5',
    { keyEncryptionAlgorithm: hex('300d06092a864886f70d0101010500') },
    /RSAES-OAEP/,
  ],
  [
    'OAEP without parameters',
    { keyEncryptionAlgorithm: hex('300b06092a864886f70d010107') },
    /RSAES-OAEP/,
  ],
  [
    'OAEP with SHA-1',
    { keyEncryptionAlgorithm: hex('300d06092a864886f70d0101073000') },
    /RSAES-OAEP/,
  ],
  [
    'OAEP with SHA-384',
    { keyEncryptionAlgorithm: changed(OAEP_WITH_NULL, 27, 0x02) },
    /RSAES-OAEP/,
  ],
  [
    'MGF1 with SHA-512',
    { keyEncryptionAlgorithm: changed(OAEP_WITH_NULL, 59, 0x03) },
    /RSAES-OAEP/,
  ],
  [
    'another mask function',
    { keyEncryptionAlgorithm: changed(OAEP_WITH_NULL, 44, 0x09) },
    /RSAES-OAEP/,
  ],
  [
    'pSource',
    {
      keyEncryptionAlgorithm: hex(
        '305106092a864886f70d0101073044a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a213301106092a864886f70d0101090404deadbeef',
      ),
    },
    /no pSource/,
  ],
  ['encryptedKey a byte short', { encryptedKey: element(0x04, randomBytes(255)) }, /256 bytes/],
  ['encryptedKey a byte long', { encryptedKey: element(0x04, randomBytes(257)) }, /256 bytes/],
  ['an empty encryptedKey', { encryptedKey: hex('0400') }, /256 bytes/],
  [
    'encryptedKey as a BIT STRING',
    { encryptedKey: element(0x03, randomBytes(256)) },
    /encryptedKey/,
  ],
  ['something after encryptedKey', { afterEncryptedKey: hex('0500') }, /end of KeyTrans/],
  ['a second RecipientInfo', { secondRecipient: hex('3000') }, /end of RecipientInfos/],
  [
    'content type signedData inside',
    { dataType: hex('06092a864886f70d010702') },
    /content type data/,
  ],
  ['AES-128-CBC', { cipher: hex('0609608648016503040102') }, /AES-256-CBC/],
  ['AES-192-CBC', { cipher: hex('0609608648016503040116') }, /AES-256-CBC/],
  ['AES-256-GCM', { cipher: hex('060960864801650304012e') }, /AES-256-CBC/],
  ...[0, 1, 8, 12, 15, 17, 32].map((length): [string, Partial<Pieces>, RegExp] => [
    `an IV of ${length} bytes`,
    { initializationVector: element(0x04, randomBytes(length)) },
    /initialization vector of 16/,
  ]),
  ['no IV', { initializationVector: new Uint8Array(0) }, /initialization vector/],
  ['something after the IV', { afterInitializationVector: hex('0500') }, /end of contentEnc/],
  ['no content', { encryptedContent: new Uint8Array(0) }, /encryptedContent/],
  ['empty primitive content', { encryptedContent: hex('8000') }, /16 to 4112 bytes/],
  ['constructed content without chunks', { encryptedContent: hex('a0800000') }, /16 to 4112 bytes/],
  ['definite content without chunks', { encryptedContent: hex('a000') }, /16 to 4112 bytes/],
  [
    'an empty chunk',
    { encryptedContent: indefinite(0xa0, element(4, randomBytes(16)), hex('0400')) },
    /not empty/,
  ],
  [
    'a chunk that is an INTEGER',
    { encryptedContent: indefinite(0xa0, element(2, randomBytes(16))) },
    /chunk/,
  ],
  [
    'a chunk within a chunk',
    { encryptedContent: indefinite(0xa0, element(0x24, element(4, randomBytes(16)))) },
    /chunk/,
  ],
  [
    'a chunk of indefinite length',
    { encryptedContent: indefinite(0xa0, hex('0480'), randomBytes(16)) },
    /definite length/,
  ],
  [
    'primitive content of indefinite length',
    { encryptedContent: Buffer.concat([hex('8080'), randomBytes(16), hex('0000')]) },
    /definite length/,
  ],
  ['content of 15 bytes', { encryptedContent: element(0x80, randomBytes(15)) }, /whole blocks/],
  ['content of 17 bytes', { encryptedContent: element(0x80, randomBytes(17)) }, /whole blocks/],
  [
    'content of 4128 bytes',
    { encryptedContent: element(0x80, randomBytes(4128)) },
    /16 to 4112 bytes/,
  ],
  [
    'content as an OCTET STRING',
    { encryptedContent: element(0x04, randomBytes(16)) },
    /encryptedContent/,
  ],
  [
    'unprotectedAttrs',
    { unprotectedAttrs: hex('a100') },
    /end-of-contents octets of EnvelopedData/,
  ],
  ['a byte after the end', { trailing: hex('00') }, /expected the end/],
  ['end-of-contents octets after the end', { trailing: hex('0000') }, /expected the end/],
]

function changed(bytes: Uint8Array, index: number, value: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  expect(copy[index]).not.toBe(value)
  copy[index] = value
  return copy
}

function* combinations<T>(items: readonly T[]): Generator<T[]> {
  for (let mask = 0; mask < 1 << items.length; mask++) {
    yield items.filter((_, index) => (mask >> index) & 1)
  }
}

describe('what KMS does not give is refused before any key is used', () => {
  test.each(MALFORMED)('%s', async (_, pieces, words) => {
    const { crypto, counts } = counting()
    const message = write({ pieces })
    expect((await refusal(() => openEnvelopedData(message, own, crypto))).message).toMatch(words)
    expect(counts).toEqual({ decryptKey: 0, decryptContent: 0, randomKey: 0 })
  })

  test('an element of RecipientInfos of indefinite length', async () => {
    const message = Buffer.from(write())
    const set = message.indexOf(hex('3182'))
    const rewritten = Buffer.concat([
      message.subarray(0, set),
      hex('3180'),
      message.subarray(set + 4, set + 4 + message.readUInt16BE(set + 2)),
      hex('0000'),
      message.subarray(set + 4 + message.readUInt16BE(set + 2)),
    ])
    expect((await refusal(() => openEnvelopedData(rewritten, own))).message).toMatch(
      /RecipientInfos of definite length/,
    )
  })

  test('no recipient', async () => {
    const message = Buffer.from(write())
    const set = message.indexOf(hex('3182'))
    const rest = message.subarray(set + 4 + message.readUInt16BE(set + 2))
    const rewritten = Buffer.concat([message.subarray(0, set), hex('3100'), rest])
    expect((await refusal(() => openEnvelopedData(rewritten, own))).message).toMatch(
      /KeyTransRecipientInfo/,
    )
  })

  test.each([
    ['81 for a length below 128', '8120'],
    ['82 for a length below 256', '820020'],
    ['three octets', '83000020'],
    ['four octets', '8400000020'],
    ['the reserved ff', 'ff'],
  ])('a length that is not minimal: %s', async (_, octets) => {
    const rid = Buffer.concat([hex('80'), hex(octets), own.subjectKeyIdentifier])
    expect(
      (await refusal(() => openEnvelopedData(write({ pieces: { rid } }), own))).message,
    ).toMatch(/minimal length|at most two octets/)
  })

  test('a length beyond what is around it', async () => {
    const rid = Buffer.concat([
      hex('82ffff').subarray(0, 0),
      hex('8082ffff'),
      own.subjectKeyIdentifier,
    ])
    expect(
      (await refusal(() => openEnvelopedData(write({ pieces: { rid } }), own))).message,
    ).toMatch(/as many as are left/)
  })

  test('a tag of several octets', async () => {
    const rid = Buffer.concat([hex('9f8120'), own.subjectKeyIdentifier])
    expect(
      (await refusal(() => openEnvelopedData(write({ pieces: { rid } }), own))).message,
    ).toMatch(/tag 0x9f/)
  })

  test('no bytes, and more than KMS gives', async () => {
    for (const length of [0, 6145, 100_000]) {
      expect((await refusal(() => openEnvelopedData(new Uint8Array(length), own))).message).toMatch(
        /1 to 6144 bytes/,
      )
    }
  })

  test('nests of any depth, without recursion', async () => {
    for (const open of ['3080', 'a080', '2480']) {
      await refusal(() =>
        openEnvelopedData(Buffer.concat([write().subarray(0, 11), hex(open.repeat(3000))]), own),
      )
    }
  })

  test('every truncation', async () => {
    for (const layout of [{}, { form: 'primitive' }, { definite: PLACES }] as const) {
      const message = write(layout)
      const { crypto, counts } = counting()
      for (let length = 0; length < message.length; length++) {
        await refusal(() => openEnvelopedData(message.subarray(0, length), own, crypto))
      }
      expect(counts.decryptKey).toBe(0)
    }
  })
})

describe('laws', () => {
  test('read(write(fields)) = fields', () => {
    fc.assert(
      fc.property(
        fc.record({
          subjectKeyIdentifier: fc.uint8Array({ minLength: 32, maxLength: 32 }),
          encryptedKey: fc.uint8Array({ minLength: 256, maxLength: 256 }),
          initializationVector: fc.uint8Array({ minLength: 16, maxLength: 16 }),
          encryptedContent: fc
            .integer({ min: 1, max: 257 })
            .chain((blocks) => fc.uint8Array({ minLength: 16 * blocks, maxLength: 16 * blocks })),
        }),
        fc.record({
          form: fc.constantFrom('constructed' as const, 'primitive' as const),
          chunkBytes: fc.integer({ min: 70, max: 5000 }),
          definite: fc.subarray([...PLACES]),
        }),
        (random, layout) => {
          const read = readEnvelopedData(writeEnvelopedData(random, layout), {
            subjectKeyIdentifier: random.subjectKeyIdentifier,
            modulusBytes: 256,
          })
          expect(Buffer.compare(read.encryptedKey, random.encryptedKey)).toBe(0)
          expect(Buffer.compare(read.initializationVector, random.initializationVector)).toBe(0)
          expect(Buffer.compare(read.encryptedContent, random.encryptedContent)).toBe(0)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('any bytes are refused with ERR_KMS_CMS', async () => {
    const message = write()
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 600 }),
        fc.nat(message.length),
        async (random, kept) => {
          await refusal(() => openEnvelopedData(random, own))
          const spoiled = Buffer.concat([message.subarray(0, kept), random])
          if (Buffer.compare(spoiled, message) !== 0)
            await refusal(() => readEnvelopedData(spoiled, own))
        },
      ),
      { numRuns: 1000 },
    )
  })
})
