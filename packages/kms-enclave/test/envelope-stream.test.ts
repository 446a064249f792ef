import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createReadStream, createWriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KmsError } from '../src/error.ts'
import { openEnvelope, openEnvelopeStream } from '../src/envelope/open.ts'
import { sealedEnvelope, sealedEnvelopeStream } from '../src/envelope/seal.ts'
import { DataKeys } from './envelope-kms.ts'

const { generateDataKey, decrypt } = new DataKeys()
const context = { purpose: 'backup', day: '2026-11-21' }

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let offset = 0, index = 0; offset < bytes.length; index++) {
    const size = sizes[index % sizes.length] as number
    await Promise.resolve()
    yield bytes.subarray(offset, offset + size)
    offset += size
  }
}

async function all(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part)
  return Buffer.concat(parts)
}

const sealed = (
  plaintext: AsyncIterable<Uint8Array>,
  frameLength = 16,
): AsyncGenerator<Uint8Array, void, void> =>
  sealedEnvelopeStream({ generateDataKey, context, plaintext, frameLength })
const opened = (envelope: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> =>
  openEnvelopeStream({ decrypt, context, envelope })

describe('streams', () => {
  test('open what is sealed, cut into any pieces, and so do the functions of one piece', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.nat(40), { minLength: 1, maxLength: 5 }).filter((sizes) => sizes.some(Boolean)),
        fc.array(fc.nat(40), { minLength: 1, maxLength: 5 }).filter((sizes) => sizes.some(Boolean)),
        async (plaintext, sealSizes, openSizes) => {
          const envelope = await all(sealed(pieces(plaintext, sealSizes)))
          expect(Buffer.compare(await all(opened(pieces(envelope, openSizes))), plaintext)).toBe(0)
          expect(await openEnvelope({ decrypt, context, envelope })).toEqual(plaintext)
          const whole = await sealedEnvelope({
            generateDataKey,
            context,
            plaintext,
            frameLength: 16,
          })
          expect(whole).toHaveLength(envelope.length)
          expect(Buffer.compare(await all(opened(pieces(whole, openSizes))), plaintext)).toBe(0)
        },
      ),
      { numRuns: 150 },
    )
  })

  test('from file to file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'enclavejs-envelope-'))
    try {
      const path = (name: string): string => join(folder, name)
      const plaintext = randomBytes(3_000_001)
      await writeFile(path('plain'), plaintext)
      await pipeline(
        sealed(createReadStream(path('plain')), 4096),
        createWriteStream(path('sealed')),
      )
      await pipeline(
        opened(createReadStream(path('sealed'), { highWaterMark: 1000 })),
        createWriteStream(path('opened')),
      )
      expect(Buffer.compare(await readFile(path('opened')), plaintext)).toBe(0)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('the source may use its buffer again', async () => {
    const buffer = new Uint8Array(10)
    async function* reusing(): AsyncGenerator<Uint8Array> {
      for (let value = 1; value <= 9; value++) yield buffer.fill(value)
    }
    const envelope = await all(sealed(reusing()))
    async function* copies(): AsyncGenerator<Uint8Array> {
      for (let offset = 0; offset < envelope.length; offset += 10) {
        const part = envelope.subarray(offset, offset + 10)
        buffer.set(part)
        yield buffer.subarray(0, part.length)
      }
    }
    const plaintext = await all(opened(copies()))
    expect([...plaintext]).toEqual(
      Array.from({ length: 90 }, (_, index) => 1 + Math.floor(index / 10)),
    )
  })

  test('hold one piece and one frame', async () => {
    let given = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        given++
        yield new Uint8Array(100)
      }
    }
    const sealing = sealed(endless())
    for (let count = 0; count < 50; count++) await sealing.next()
    expect(given).toBeLessThanOrEqual(50)
    await sealing.return()
  })
})

describe('a stream that was cut, or goes on', () => {
  const plaintext = randomBytes(58)
  const envelopeOf = (): Promise<Uint8Array> =>
    sealedEnvelope({ generateDataKey, context, plaintext, frameLength: 16 })

  test('gives genuine frames, and then the refusal', async () => {
    const envelope = await envelopeOf()
    for (let length = 0; length < envelope.length; length++) {
      const given: Uint8Array[] = []
      const reading = (async () => {
        for await (const part of opened(pieces(envelope.subarray(0, length), [7]))) given.push(part)
      })()
      await expect(reading).rejects.toMatchObject({ code: 'ERR_KMS_ENVELOPE_TRUNCATED' })
      const got = Buffer.concat(given)
      expect(got.length).toBeLessThanOrEqual(48)
      expect(Buffer.compare(got, plaintext.subarray(0, got.length))).toBe(0)
    }
  }, 60_000)

  test('holds the final frame back until the end is known', async () => {
    const envelope = Buffer.concat([await envelopeOf(), Buffer.of(0)])
    for (const size of [1, 1000, envelope.length - 1]) {
      const given: Uint8Array[] = []
      const reading = (async () => {
        for await (const part of opened(pieces(envelope, [size]))) given.push(part)
      })()
      await expect(reading).rejects.toMatchObject({ code: 'ERR_KMS_ENVELOPE_FORMAT' })
      expect(Buffer.concat(given)).toHaveLength(48)
    }
  })

  test('a failure of the source is passed on', async () => {
    const failure = new Error('reset')
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield randomBytes(40)
      throw failure
    }
    await expect(all(sealed(failing()))).rejects.toBe(failure)
    const envelope = await envelopeOf()
    async function* cut(): AsyncGenerator<Uint8Array> {
      yield envelope.subarray(0, envelope.length - 1)
      throw failure
    }
    await expect(all(opened(cut()))).rejects.toBe(failure)
  })

  test('ending early ends the source, whether it was refused or given up', async () => {
    const envelope = await envelopeOf()
    const spoiled = new Uint8Array(envelope)
    spoiled[0] = 9
    for (const bytes of [envelope, spoiled]) {
      let ended = false
      async function* watched(): AsyncGenerator<Uint8Array> {
        try {
          for (;;) yield bytes
        } finally {
          ended = true
        }
      }
      const reading = opened(watched())
      await reading.next().catch((error: unknown) => expect(error).toBeInstanceOf(KmsError))
      await reading.return()
      expect(ended).toBe(true)
    }
  })

  test('KMS is not asked before there is a header', async () => {
    const keys = new DataKeys()
    const reading = openEnvelopeStream({
      decrypt: keys.decrypt,
      context,
      envelope: pieces(randomBytes(5), [1]),
    })
    await expect(all(reading)).rejects.toBeInstanceOf(KmsError)
    expect(keys.decryptions).toBe(0)
  })
})

describe("the caller's own mistakes are told at the call", () => {
  test.each([undefined, new Uint8Array(1), [new Uint8Array(1)]])('%o is no stream', (source) => {
    expect(() => sealed(source as never)).toThrow(/plaintext must be an async iterable/)
    expect(() => opened(source as never)).toThrow(/envelope must be an async iterable/)
  })

  test('options', () => {
    const plaintext = Readable.from([])
    expect(() => sealedEnvelopeStream({ generateDataKey, context: {}, plaintext })).toThrow(
      TypeError,
    )
    expect(() => openEnvelopeStream({ decrypt, context: {}, envelope: plaintext })).toThrow(
      TypeError,
    )
  })

  test('pieces that are no bytes', async () => {
    await expect(all(sealed(Readable.from(['text'])))).rejects.toThrow(/Uint8Array/)
    await expect(all(opened(Readable.from(['text'])))).rejects.toThrow(/Uint8Array/)
  })
})
