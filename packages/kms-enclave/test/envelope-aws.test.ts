import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ContentKey } from '../src/envelope/content-key.ts'
import { readFrame } from '../src/envelope/frame.ts'
import { readHeader } from '../src/envelope/header.ts'
import { openEnvelope } from '../src/envelope/open.ts'
import { BytesInHand } from '../src/envelope/reading.ts'
import { EnvelopeSealer, join } from '../src/envelope/sealer.ts'

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), 'utf8')) as T
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))

interface KnownAnswer {
  readonly comment: string
  readonly status: boolean
  readonly plaintext?: string
  readonly dataKey: string
  readonly commitment: string
  readonly message: string
}

describe("the AWS Encryption SDK's known answers for format version 2", () => {
  const { vectors } = read<{ vectors: KnownAnswer[] }>('aws-encryption-sdk-commitment')

  test.each(vectors)('$comment', ({ status, plaintext, dataKey, commitment, message }) => {
    const bytes = new BytesInHand(bytesOf(message))
    const header = bytes.read(readHeader(4096))
    const key = ContentKey.take(bytesOf(dataKey), header.messageId)
    expect(Buffer.from(key.commitment).toString('base64')).toBe(commitment)
    expect(key.commitsTo(header.commitment)).toBe(status)
    if (!status) return
    key.checkHeader(header.body, header.tag)
    const { final, iv, content, tag } = bytes.read(readFrame(1, header.frameLength))
    bytes.end()
    expect(final).toBe(true)
    const opened = key.openFrame({ sequenceNumber: 1, final }, iv, content, tag)
    expect(Buffer.from(opened).toString()).toBe(plaintext)
  })
})

interface AwsMessage {
  readonly name: string
  readonly expect: string
  readonly context: Record<string, string>
  readonly frameLength: number
  readonly plaintextBytes: number
  readonly dataKey: string
  readonly keys: readonly { readonly keyId: string; readonly ciphertextBlob: string }[]
  readonly message: string
}

describe('messages of the AWS Encryption SDK for JavaScript', () => {
  const { vectors } = read<{ vectors: AwsMessage[] }>('aws-crypto-client-node-5.0.2')
  const plaintextOf = (vector: AwsMessage): Uint8Array =>
    Uint8Array.from({ length: vector.plaintextBytes }, (_, index) => (index * 7 + 3) & 0xff)
  const open = (vector: AwsMessage, keyId?: string): Promise<Uint8Array> =>
    openEnvelope({
      decrypt: ({ CiphertextBlob, EncryptionContext }) => {
        expect(EncryptionContext).toEqual(vector.context)
        const blob = Buffer.from(CiphertextBlob).toString('base64')
        const wrapped = vector.keys.find((one) => one.ciphertextBlob === blob)
        if (wrapped === undefined) throw new Error('InvalidCiphertextException')
        return Promise.resolve({ Plaintext: bytesOf(vector.dataKey), KeyId: wrapped.keyId })
      },
      context: vector.context,
      envelope: bytesOf(vector.message),
      ...(keyId === undefined ? {} : { keyId }),
    })

  test.each(vectors.filter((vector) => vector.expect === 'ok'))('$name opens', async (vector) => {
    expect(await open(vector)).toEqual(plaintextOf(vector))
  })

  test.each(vectors.filter((vector) => vector.expect.startsWith('ERR')))(
    '$name is refused',
    async (vector) => {
      await expect(open(vector)).rejects.toMatchObject({ code: vector.expect })
    },
  )

  test('two KMS keys: one must be named', async () => {
    const vector = vectors.find((one) => one.expect === 'needs keyId') as AwsMessage
    await expect(open(vector)).rejects.toThrow(/found 2 among 2; name one by keyId/)
    for (const { keyId } of vector.keys)
      expect(await open(vector, keyId)).toEqual(plaintextOf(vector))
    await expect(open(vector, 'arn:aws:kms:eu-west-1:1:key/other')).rejects.toMatchObject({
      code: 'ERR_KMS_ENVELOPE_KEY',
    })
  })

  // Where the plaintext fills its last frame, both may or may not add an empty one, and do not agree.
  const comparable = vectors.filter(
    ({ expect: expected, keys, name, plaintextBytes, frameLength }) =>
      expected === 'ok' &&
      keys.length === 1 &&
      !name.includes('raw') &&
      (plaintextBytes === 0 || plaintextBytes % frameLength !== 0),
  )
  test.each(comparable)('$name, sealed here, is the same message', async (vector) => {
    const messageId = bytesOf(vector.message).slice(3, 35)
    const [wrapped] = vector.keys
    const sealer = await EnvelopeSealer.begin(
      {
        generateDataKey: () =>
          Promise.resolve({
            Plaintext: bytesOf(vector.dataKey),
            CiphertextBlob: bytesOf(wrapped?.ciphertextBlob ?? ''),
            KeyId: wrapped?.keyId ?? '',
          }),
        context: new Map(Object.entries(vector.context)),
        frameLength: vector.frameLength,
      },
      messageId,
    )
    const sealed = join([sealer.header, ...sealer.update(plaintextOf(vector)), sealer.final()])
    expect(Buffer.from(sealed).toString('base64')).toBe(vector.message)
  })

  test('there are seven to compare', () => expect(comparable).toHaveLength(7))
})
