import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameDecoder } from '../src/frame-decoder.ts'
import { FrameEncoder } from '../src/frame-encoder.ts'
import { FrameSplitter } from '../src/frame-splitter.ts'
import { encodeFrame } from '../src/frame.ts'
import { MessageClient } from '../src/message-client.ts'
import { callHandler, type MessageContext } from '../src/message-handler.ts'

const MEBIBYTE = 2 ** 20
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

/** What a decoder gives, and the code it fails with. */
async function decode(
  chunks: Iterable<Uint8Array>,
  decoder = new FrameDecoder(),
): Promise<{ messages: Uint8Array[]; code: unknown }> {
  const messages: Uint8Array[] = []
  const source = Readable.from(chunks, { objectMode: false })
  let code: unknown
  try {
    await pipeline(source, decoder, async (stream: AsyncIterable<unknown>) => {
      for await (const message of stream) messages.push(message as Uint8Array)
    })
  } catch (error) {
    code = Reflect.get(error as object, 'code')
  }
  return { messages, code }
}

async function encode(
  messages: Iterable<unknown>,
  encoder = new FrameEncoder(),
): Promise<Buffer[]> {
  return Readable.from(messages, { objectMode: true }).pipe(encoder).toArray() as Promise<Buffer[]>
}

/** Cuts bytes into pieces whose lengths repeat `sizes`. */
function cut(whole: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let offset = 0, index = 0; offset < whole.length; index++) {
    const size = sizes[index % sizes.length] ?? 1
    pieces.push(whole.slice(offset, offset + size))
    offset += size
  }
  return pieces
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
function memoryInUse(): number {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const whole = fc.array(fc.uint8Array({ maxLength: 9000, size: 'max' }), { maxLength: 12 })
const sizes = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9000 })),
  {
    minLength: 1,
    maxLength: 20,
  },
)

describe('on the wire', () => {
  test('the length is four bytes, big-endian', async () => {
    expect(encodeFrame(bytes(1, 2, 3))).toEqual(bytes(0, 0, 0, 3, 1, 2, 3))
    expect(encodeFrame()).toEqual(bytes(0, 0, 0, 0))
    const long = encodeFrame(new Uint8Array(0x012345))
    expect(long.subarray(0, 4)).toEqual(bytes(0, 1, 0x23, 0x45))
    const { messages } = await decode([bytes(0, 0, 1, 0), new Uint8Array(256).fill(7)])
    expect(messages).toEqual([new Uint8Array(256).fill(7)])
  })

  test('any split of the bytes gives the same messages', async () => {
    await fc.assert(
      fc.asyncProperty(whole, sizes, async (messages, lengths) => {
        const encoded = Buffer.concat(await encode(messages))
        expect(encoded).toEqual(Buffer.concat(messages.map((message) => encodeFrame(message))))
        const decoded = await decode(cut(encoded, lengths))
        expect(decoded).toEqual({ messages, code: undefined })
      }),
      { numRuns: 200 },
    )
  })

  test('any end inside a message is told from one between two, after the messages before it', async () => {
    await fc.assert(
      fc.asyncProperty(whole, sizes, fc.nat(), async (messages, lengths, where) => {
        const frames = messages.map((message) => encodeFrame(message))
        const all = Buffer.concat(frames)
        const end = where % (all.length + 1)
        const complete: Uint8Array[] = []
        let offset = 0
        for (const [index, frame] of frames.entries()) {
          if (offset + frame.length > end) break
          offset += frame.length
          complete.push(messages[index] as Uint8Array)
        }
        const { messages: decoded, code } = await decode(cut(all.subarray(0, end), lengths))
        expect(decoded).toEqual(complete)
        expect(code).toBe(offset === end ? undefined : 'ERR_VSOCK_FRAME_TRUNCATED')
      }),
      { numRuns: 200 },
    )
  })
})

describe('FrameDecoder', () => {
  test.each([
    ['in the header', bytes(0, 0, 0)],
    ['after the header', bytes(0, 0, 0, 2)],
    ['in the message', bytes(0, 0, 0, 2, 1)],
  ])('an end %s is ERR_VSOCK_FRAME_TRUNCATED', async (_where, end) => {
    const { messages, code } = await decode([bytes(0, 0, 0, 1, 5), end])
    expect(messages).toEqual([bytes(5)])
    expect(code).toBe('ERR_VSOCK_FRAME_TRUNCATED')
  })

  test('4 GB announced: refused when the header is there, before the source ends', async () => {
    const decoder = new FrameDecoder()
    const failed = once(decoder, 'error')
    decoder.resume()
    decoder.write(bytes(0xff, 0xff, 0xff))
    await turn()
    expect(decoder.errored).toBeNull()
    decoder.write(bytes(0xff))
    const [error] = (await failed) as [Error]
    expect(error).toMatchObject({ code: 'ERR_VSOCK_FRAME_TOO_LARGE' })
    expect(error.message).toContain('4294967295')
    expect(error.message).toContain('1048576')
  })

  test('a length one above the maximum is refused, the maximum is not', async () => {
    const options = { maxMessageLength: 3 }
    const frames = [encodeFrame(bytes(1, 2, 3)), encodeFrame(bytes(1, 2, 3, 4))]
    const { messages, code } = await decode([Buffer.concat(frames)], new FrameDecoder(options))
    expect(messages).toEqual([bytes(1, 2, 3)])
    expect(code).toBe('ERR_VSOCK_FRAME_TOO_LARGE')
  })

  test('2 GB announced and allowed: memory follows what arrives', async () => {
    const announced = 200
    const before = process.memoryUsage().arrayBuffers
    const splitters = Array.from({ length: announced }, () => {
      const splitter = new FrameSplitter(2 ** 31 - 1)
      splitter.push(bytes(0x7f, 0xff, 0xff, 0xff, 1))
      expect(splitter.shift()).toBeUndefined()
      expect(splitter.held).toBe(1)
      return splitter
    })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MEBIBYTE)
    expect(splitters.every((splitter) => splitter.begun)).toBe(true)
  })

  test('a mebibyte a byte at a time: no object a byte', () => {
    const message = new Uint8Array(MEBIBYTE).map((_value, index) => index * 7)
    const frame = encodeFrame(message)
    const splitter = new FrameSplitter(MEBIBYTE)
    const before = memoryInUse()
    for (let index = 0; index < frame.length - 1; index++) {
      splitter.push(frame.slice(index, index + 1))
      if (splitter.shift() !== undefined) throw new Error('too early')
    }
    expect(splitter.held).toBe(MEBIBYTE - 1)
    expect(memoryInUse() - before).toBeLessThan(8 * MEBIBYTE)
    splitter.push(frame.slice(-1))
    expect(Buffer.compare(splitter.shift() as Uint8Array, message)).toBe(0)
  })

  test('a message has memory of its own', async () => {
    const chunk = Buffer.concat([encodeFrame(bytes(1, 2)), encodeFrame(new Uint8Array(5000))])
    const { messages } = await decode([chunk, encodeFrame(bytes(3)).subarray(0)])
    chunk.fill(0xee)
    expect(messages.map(({ buffer }) => buffer.byteLength)).toEqual([2, 5000, 1])
    expect(messages[0]).toEqual(bytes(1, 2))
    expect(messages.every((message) => message.constructor === Uint8Array)).toBe(true)
  })

  test('backpressure: without a reader a few messages are taken, and the source waits', async () => {
    let made = 0
    const frames = function* (): Generator<Uint8Array> {
      for (; made < 1000; made++) yield encodeFrame(new Uint8Array(40_000).fill(made))
    }
    const decoder = new FrameDecoder()
    const finished = pipeline(Readable.from(frames()), decoder)
    for (let round = 0; round < 50; round++) await turn()
    expect(decoder.readableLength).toBeLessThanOrEqual(4)
    expect(made).toBeLessThan(40)
    let expected = 0
    for await (const message of decoder) {
      const [first] = message as Uint8Array
      expect(first).toBe(expected++ % 256)
    }
    await finished
    expect(expected).toBe(1000)
  })

  test('backpressure inside a chunk: 16384 empty messages of one chunk are not all made at once', async () => {
    const decoder = new FrameDecoder()
    decoder.end(new Uint8Array(65_536))
    await turn()
    expect(decoder.readableLength).toBeLessThanOrEqual(4)
    let count = 0
    for await (const message of decoder) count += (message as Uint8Array).length === 0 ? 1 : 0
    expect(count).toBe(16_384)
  })

  test('a reader that reads in the middle of a push, and pauses', async () => {
    const decoder = new FrameDecoder()
    const seen: number[] = []
    decoder.on('data', (message: Uint8Array) => {
      seen.push(message[0] as number)
      decoder.read() // comes as 'data' too
      decoder.pause()
      setImmediate(() => decoder.resume())
    })
    const numbers = Array.from({ length: 100 }, (_value, index) => index)
    decoder.end(Buffer.concat(numbers.map((number) => encodeFrame(bytes(number)))))
    await once(decoder, 'end')
    expect(seen.toSorted((a, b) => a - b)).toEqual(numbers)
  })

  test('a peer that dies in the middle of a message, over a socket', async () => {
    await using server = createServer((socket) => {
      socket.write(
        Buffer.concat([encodeFrame(bytes(1)), encodeFrame(new Uint8Array(9)).subarray(0, 6)]),
      )
      socket.end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const { messages, code } = await decodeSocket(socket)
    expect(messages).toEqual([bytes(1)])
    expect(code).toBe('ERR_VSOCK_FRAME_TRUNCATED')
  })

  test('options that are not of this kind', () => {
    expect(() => new FrameDecoder({ maxMessageLength: 2 ** 31 })).toThrow(RangeError)
    expect(() => new FrameDecoder({ maxMessageLength: 1.5 })).toThrow(TypeError)
    expect(() => new FrameDecoder({ maxLength: 1 } as object)).toThrow(TypeError)
    expect(() => new FrameEncoder({ maxMessageLength: -1 })).toThrow(RangeError)
  })
})

async function decodeSocket(socket: Readable): Promise<{ messages: Uint8Array[]; code: unknown }> {
  const messages: Uint8Array[] = []
  try {
    await pipeline(socket, new FrameDecoder(), async (stream: AsyncIterable<unknown>) => {
      for await (const message of stream) messages.push(message as Uint8Array)
    })
  } catch (error) {
    return { messages, code: Reflect.get(error as object, 'code') }
  }
  return { messages, code: undefined }
}

describe('FrameEncoder', () => {
  test('small messages of one tick are joined up to 16 KiB, a header never goes alone', async () => {
    const messages = Array.from({ length: 1000 }, (_value, index) =>
      new Uint8Array(100).fill(index),
    )
    const chunks: Buffer[] = []
    const encoder = new FrameEncoder()
    encoder.on('data', (chunk: Buffer) => chunks.push(chunk))
    for (const message of messages) encoder.write(message)
    encoder.end()
    await once(encoder, 'end')
    expect(chunks.length).toBeLessThan(20)
    expect(Buffer.concat(chunks)).toEqual(Buffer.concat(messages.map((one) => encodeFrame(one))))
    const [large] = await encode([new Uint8Array(100_000)])
    expect(large).toHaveLength(100_004)
  })

  test('a message alone is sent in its tick, without waiting for more', async () => {
    const encoder = new FrameEncoder()
    encoder.write(bytes(9))
    await turn()
    expect(encoder.read()).toEqual(Buffer.from([0, 0, 0, 1, 9]))
  })

  test('messages are copied when they are taken', async () => {
    const encoder = new FrameEncoder()
    const message = bytes(1, 2, 3)
    encoder.write(message, () => message.fill(0xee))
    await turn()
    expect(encoder.read()).toEqual(Buffer.from([0, 0, 0, 3, 1, 2, 3]))
    expect(message[0]).toBe(0xee)
  })

  test('a message above the maximum is ERR_VSOCK_FRAME_TOO_LARGE, and nothing of it is sent', async () => {
    const encoder = new FrameEncoder({ maxMessageLength: 3 })
    const failed = once(encoder, 'error')
    encoder.write(bytes(1, 2, 3, 4))
    expect(await failed).toMatchObject([{ code: 'ERR_VSOCK_FRAME_TOO_LARGE' }])
    expect(encoder.readableLength).toBe(0)
  })

  test('what is no Uint8Array is a TypeError', async () => {
    const encoder = new FrameEncoder()
    const failed = once(encoder, 'error')
    encoder.write('text')
    expect((await failed)[0]).toBeInstanceOf(TypeError)
  })

  test('backpressure: a reader that does not read stops the source, one message a tick as well', async () => {
    const encoder = new FrameEncoder()
    let taken = 0
    const messages = async function* (): AsyncGenerator<Uint8Array> {
      for (; taken < 2000; taken++) {
        yield new Uint8Array(1000).fill(taken)
        await turn()
      }
    }
    const finished = pipeline(Readable.from(messages()), encoder)
    for (let round = 0; round < 1000; round++) await turn()
    expect(taken).toBeLessThan(200)
    expect(encoder.readableLength).toBeLessThan(200_000)
    const sink = new PassThrough({ highWaterMark: 10 })
    const { messages: decoded } = await decode(
      encoder.pipe(sink) as unknown as Iterable<Uint8Array>,
    )
    await finished
    expect(decoded).toHaveLength(2000)
    expect(decoded.every((message, index) => message[0] === index % 256)).toBe(true)
  })
})

describe('what says another length than it has', () => {
  const lying = (says: number, has: number): Uint8Array => {
    class Lying extends Uint8Array {
      override get length(): number {
        return says
      }
      override get byteLength(): number {
        return says
      }
    }
    return new Lying(new ArrayBuffer(has))
  }

  test('is sent as it is: no memory of others comes with it', async () => {
    expect(encodeFrame(lying(8192, 10), bytes(1))).toEqual(
      bytes(0, 0, 0, 11, ...Array(10).fill(0), 1),
    )
    expect(Buffer.concat(await encode([lying(8192, 2)]))).toEqual(Buffer.from([0, 0, 0, 2, 0, 0]))
    expect(() => encodeFrame('text' as unknown as Uint8Array)).toThrow(TypeError)
  })

  test('is not longer than maxMessageLength', async () => {
    const refused = { code: 'ERR_VSOCK_FRAME_TOO_LARGE' }
    const encoder = new FrameEncoder({ maxMessageLength: 10 })
    await expect(encode([lying(1, 11)], encoder)).rejects.toMatchObject(refused)
    const client = new MessageClient({
      connect: () => Promise.reject(new Error('asked')),
      maxMessageLength: 10,
    })
    await expect(client.request(lying(1, 11))).rejects.toThrow(/^message: expected .* got 11$/)
    await client.close()
    const answer = callHandler(() => lying(1, 11), bytes(), {} as MessageContext, 10)
    expect(await answer).toMatchObject({ status: 'INTERNAL', errorName: 'RangeError' })
  })
})

test.each([
  ['a prototype', Object.create({ maxMessageLength: 2 ** 31 - 1 }) as object],
  ['nothing', {}],
])('maxMessageLength from %s is 1 MiB', async (_, options) => {
  const announced = bytes(0, 0x10, 0, 1)
  const { code } = await decode([announced], new FrameDecoder(options))
  expect(code).toBe('ERR_VSOCK_FRAME_TOO_LARGE')
  const encoder = new FrameEncoder(options)
  const refused = encode([new Uint8Array(MEBIBYTE + 1)], encoder)
  await expect(refused).rejects.toMatchObject({ code: 'ERR_VSOCK_FRAME_TOO_LARGE' })
})
