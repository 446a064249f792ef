import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KmsError, type KmsErrorCode } from '../src/error.ts'
import type { EnvelopeHeader } from '../src/envelope/header.ts'
import { DataKeys, KEY_ID } from './envelope-kms.ts'
import { context, FRAME, open, put, refusal, seal, take } from './envelope-parts.ts'

describe('what the parent can do with what it keeps', () => {
  test('give the enclave another object: the context differs, and KMS is not asked', async () => {
    const own = new DataKeys()
    const other = await seal({ ...own, context: { ...context, user: '4712' } })
    expect(await refusal(open(other, { decrypt: own.decrypt }))).toBe('ERR_KMS_ENVELOPE_CONTEXT')
    expect(own.decryptions).toBe(0)
  })

  test('bring back an older version', async () => {
    const older = await seal({ context: { ...context, version: '7' } })
    expect(await refusal(open(older))).toBe('ERR_KMS_ENVELOPE_CONTEXT')
  })

  test.each([
    ['a pair left out', { purpose: 'wallet seed', user: '4711' }],
    ['a pair more', { ...context, extra: '' }],
    ['a key renamed', { purpose: 'wallet seed', user: '4711', Version: '8' }],
  ])('a context with %s', async (_, other) => {
    expect(await refusal(open(await seal({ context: other as never })))).toBe(
      'ERR_KMS_ENVELOPE_CONTEXT',
    )
    expect(await refusal(open(await seal(), { context: other as never }))).toBe(
      'ERR_KMS_ENVELOPE_CONTEXT',
    )
  })

  test('write the expected context over the other: KMS refuses the data key', async () => {
    const other = take(await seal({ context: { ...context, user: '4712' } }))
    const moved = put(other, { context: new Map(Object.entries(context)) })
    await expect(open(moved)).rejects.toThrow('InvalidCiphertextException')
  })

  test('exchange the wrapped key for that of another envelope under the same context', async () => {
    const [one, two] = [take(await seal()), take(await seal())]
    const { encryptedDataKeys, commitment, messageId } = two.header
    expect(await refusal(open(put(one, { encryptedDataKeys })))).toBe('ERR_KMS_ENVELOPE_COMMITMENT')
    expect(await refusal(open(put(one, { encryptedDataKeys, messageId })))).toBe(
      'ERR_KMS_ENVELOPE_COMMITMENT',
    )
    // With the commitment too it is the other's header over this one's frames.
    expect(await refusal(open(put(one, { encryptedDataKeys, messageId, commitment })))).toBe(
      'ERR_KMS_ENVELOPE_AUTHENTICATION',
    )
    expect(await refusal(open(put({ header: two.header, frames: one.frames })))).toBe(
      'ERR_KMS_ENVELOPE_AUTHENTICATION',
    )
  })

  test('exchange one frame for that of another envelope', async () => {
    const [one, two] = [take(await seal()), take(await seal())]
    for (let index = 0; index < one.frames.length; index++) {
      const frames = one.frames.with(index, two.frames[index] as Uint8Array)
      expect(await refusal(open(put({ ...one, frames })))).toBe('ERR_KMS_ENVELOPE_AUTHENTICATION')
    }
  })

  test('leave out, repeat and move frames', async () => {
    const { header, frames } = take(await seal())
    const [a, b, c, last] = frames as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
    for (const order of [
      [b, c, last],
      [a, c, last],
      [a, b, last],
      [last],
      [a, a, b, c, last],
      [b, a, c, last],
      [a, b, last, c],
    ]) {
      expect(await refusal(open(put({ header, frames: order })))).toBe('ERR_KMS_ENVELOPE_FORMAT')
    }
    for (const order of [[], [a], [a, b], [a, b, c]]) {
      expect(await refusal(open(put({ header, frames: order })))).toBe('ERR_KMS_ENVELOPE_TRUNCATED')
    }
    expect(await refusal(open(put({ header, frames: [...frames, last] })))).toBe(
      'ERR_KMS_ENVELOPE_FORMAT',
    )
  })

  test('give a frame another number, and end early with one that was not the last', async () => {
    const { header, frames } = take(await seal())
    const [a, b, c, last] = frames as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
    const renumbered = new Uint8Array(c)
    renumbered[3] = 2
    expect(await refusal(open(put({ header, frames: [a, renumbered, last] })))).toBe(
      'ERR_KMS_ENVELOPE_AUTHENTICATION',
    )
    const final = Buffer.concat([
      Buffer.from('ffffffff', 'hex'),
      b.subarray(0, 16),
      Buffer.from('00000010', 'hex'),
      b.subarray(16),
    ])
    expect(await refusal(open(put({ header, frames: [a, final] })))).toBe(
      'ERR_KMS_ENVELOPE_AUTHENTICATION',
    )
  })

  test('every truncation', async () => {
    const envelope = await seal()
    for (let length = 0; length < envelope.length; length++) {
      expect(await refusal(open(envelope.subarray(0, length)))).toBe('ERR_KMS_ENVELOPE_TRUNCATED')
    }
  })

  test('a byte after the end', async () => {
    expect(await refusal(open(Buffer.concat([await seal(), Buffer.alloc(1)])))).toBe(
      'ERR_KMS_ENVELOPE_FORMAT',
    )
  })

  test('a flip of every bit', async () => {
    const envelope = await seal()
    const seen = new Set<string>()
    for (let bit = 0; bit < envelope.length * 8; bit++) {
      const flipped = new Uint8Array(envelope)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      const outcome = await open(flipped).then(
        () => 'opened',
        (error: Error) => (error instanceof KmsError ? error.code : error.message),
      )
      expect(outcome).not.toBe('opened')
      seen.add(outcome)
    }
    expect([...seen].sort()).toEqual([
      'ERR_KMS_ENVELOPE_AUTHENTICATION',
      'ERR_KMS_ENVELOPE_COMMITMENT',
      'ERR_KMS_ENVELOPE_CONTEXT',
      'ERR_KMS_ENVELOPE_FORMAT',
      'ERR_KMS_ENVELOPE_KEY',
      'ERR_KMS_ENVELOPE_TRUNCATED',
      'InvalidCiphertextException',
    ])
  })
})

describe('a form that is not this one', () => {
  const at = 35
  const pair = (key: string, value: string): Buffer =>
    Buffer.concat([u16(key.length), Buffer.from(key), u16(value.length), Buffer.from(value)])
  const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff)

  test.each<[string, (envelope: Buffer) => Uint8Array, RegExp]>([
    ['version 1', (one) => spoil(one, 0, 1), /version 2, found 1/],
    ['suite 0x0578', (one) => spoil(one, 1, 5), /0x0478 .* found 0x0578/],
    ['suite 0x0014', (one) => spoil(spoil(one, 1, 0), 2, 0x14), /found 0x0014/],
  ])('%s', async (_, change, words) => {
    await expect(open(change(Buffer.from(await seal())))).rejects.toThrow(words)
  })

  test.each<[string, Buffer, RegExp]>([
    ['a count of no pairs', u16(0), /a length and no pairs/],
    ['a key twice', Buffer.concat([u16(2), pair('a', '1'), pair('a', '1')]), /a key twice/],
    [
      'text that is not UTF-8',
      Buffer.concat([u16(1), u16(1), Buffer.of(0xff), u16(0)]),
      /not UTF-8/,
    ],
    ['more pairs than there are', Buffer.concat([u16(2), pair('a', '1')]), /ends within a length/],
    [
      'a text that is longer than the context',
      Buffer.concat([u16(1), u16(9), Buffer.from('a')]),
      /ends within a text/,
    ],
    [
      'bytes after its last pair',
      Buffer.concat([u16(1), pair('a', '1'), Buffer.of(0)]),
      /after its last pair/,
    ],
    ['half a count', Buffer.of(0), /ends within a length/],
  ])('a context with %s', async (_, encoded, words) => {
    const envelope = Buffer.from(await seal())
    const rest = envelope.subarray(at + 2 + envelope.readUInt16BE(at))
    const spoiled = Buffer.concat([envelope.subarray(0, at), u16(encoded.length), encoded, rest])
    const error = open(spoiled)
    expect(await refusal(error)).toBe('ERR_KMS_ENVELOPE_FORMAT')
    await expect(error).rejects.toThrow(words)
  })

  test('an empty context is another context', async () => {
    const { header, frames } = take(await seal())
    const envelope = Buffer.from(put({ header, frames }))
    const rest = envelope.subarray(at + 2 + envelope.readUInt16BE(at))
    const spoiled = Buffer.concat([envelope.subarray(0, at), u16(0), rest])
    expect(await refusal(open(spoiled))).toBe('ERR_KMS_ENVELOPE_CONTEXT')
  })

  test.each<[string, Partial<EnvelopeHeader>, KmsErrorCode, RegExp]>([
    ['no data key', { encryptedDataKeys: [] }, 'ERR_KMS_ENVELOPE_FORMAT', /1 to 16 .* found 0/],
    [
      '17 data keys',
      {
        encryptedDataKeys: Array.from({ length: 17 }, () => ({
          providerId: 'a',
          providerInformation: '',
          ciphertextBlob: new Uint8Array(1),
        })),
      },
      'ERR_KMS_ENVELOPE_FORMAT',
      /1 to 16 .* found 17/,
    ],
    [
      'data keys of 128 KiB',
      {
        encryptedDataKeys: Array.from({ length: 2 }, () => ({
          providerId: 'a',
          providerInformation: '',
          ciphertextBlob: new Uint8Array(65_535),
        })),
      },
      'ERR_KMS_ENVELOPE_FORMAT',
      /at most 65536 bytes/,
    ],
    [
      'a data key of another provider',
      {
        encryptedDataKeys: [
          { providerId: 'raw', providerInformation: KEY_ID, ciphertextBlob: new Uint8Array(60) },
        ],
      },
      'ERR_KMS_ENVELOPE_KEY',
      /found 0 among 1/,
    ],
    ['frames of no bytes', { frameLength: 0 }, 'ERR_KMS_ENVELOPE_FORMAT', /frames of 1 to/],
    ['frames above 1 MiB', { frameLength: 1_048_577 }, 'ERR_KMS_ENVELOPE_FORMAT', /frames of 1 to/],
    [
      'a final frame above the frame length',
      { frameLength: 9 },
      'ERR_KMS_ENVELOPE_AUTHENTICATION',
      /header/,
    ],
  ])('%s', async (_, changes, code, words) => {
    const error = open(put(take(await seal()), changes))
    expect(await refusal(error)).toBe(code)
    await expect(error).rejects.toThrow(words)
  })

  test('content that is not framed', async () => {
    const { header, frames } = take(await seal())
    const envelope = Buffer.from(put({ header, frames }))
    const spoiled = spoil(envelope, header.body.length - 32 - 4 - 1, 1)
    await expect(open(spoiled)).rejects.toThrow(/framed content \(2\), found content type 1/)
  })

  test('a final frame longer than a frame', async () => {
    const { header, frames } = take(await seal())
    const last = Buffer.from(frames[3] as Uint8Array)
    last.writeUInt32BE(FRAME + 1, 20)
    const error = open(put({ header, frames: [...frames.slice(0, 3), last] }))
    await expect(error).rejects.toThrow(/final frame of at most 16 bytes, found 17/)
  })

  test('any bytes', async () => {
    const envelope = await seal()
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(envelope.length),
        async (random, kept) => {
          const spoiled = Buffer.concat([envelope.subarray(0, kept), random])
          if (Buffer.compare(spoiled, envelope) === 0) return
          const outcome = await open(spoiled).then(
            () => 'opened',
            (error: Error) => (error instanceof KmsError ? 'refused' : error.message),
          )
          expect(['refused', 'InvalidCiphertextException']).toContain(outcome)
        },
      ),
      { numRuns: 500 },
    )
  })
})

function spoil(envelope: Buffer, index: number, value: number): Buffer {
  const copy = Buffer.from(envelope)
  copy[index] = value
  return copy
}
