import { Readable } from 'node:stream'
import { FrameDecoder } from '../../packages/vsock/src/frame-decoder.ts'
import { FrameSplitter } from '../../packages/vsock/src/frame-splitter.ts'
import { encodeFrame } from '../../packages/vsock/src/frame.ts'
import { LawBroken, type FuzzTarget } from '../target.ts'

const MAX = 4096
type End = 'ERR_VSOCK_FRAME_TOO_LARGE' | 'ERR_VSOCK_FRAME_TRUNCATED' | undefined
interface Reading {
  readonly messages: readonly Uint8Array[]
  readonly end: End
}

/** The format as its description says it, over the whole input at once. */
function expected(stream: Buffer): Reading {
  const messages: Uint8Array[] = []
  let offset = 0
  while (offset + 4 <= stream.length) {
    const length = stream.readUInt32BE(offset)
    if (length > MAX) return { messages, end: 'ERR_VSOCK_FRAME_TOO_LARGE' }
    if (offset + 4 + length > stream.length) break
    messages.push(stream.subarray(offset + 4, offset + 4 + length))
    offset += 4 + length
  }
  return { messages, end: offset < stream.length ? 'ERR_VSOCK_FRAME_TRUNCATED' : undefined }
}

function codeOf(error: unknown): End {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code === 'ERR_VSOCK_FRAME_TOO_LARGE' || code === 'ERR_VSOCK_FRAME_TRUNCATED') return code
  throw error
}

/** Two chunks may come before the messages of the first are taken, as from a source that does not wait. */
function split(chunks: readonly Uint8Array[], patient: boolean): Reading {
  const splitter = new FrameSplitter(MAX)
  const messages: Uint8Array[] = []
  try {
    for (const [index, chunk] of chunks.entries()) {
      splitter.push(chunk)
      if (patient && index % 2 === 0 && index + 1 < chunks.length) continue
      for (let one = splitter.shift(); one !== undefined; one = splitter.shift()) {
        if (one.buffer.byteLength !== one.length) throw new LawBroken('a message shares its memory')
        messages.push(one)
      }
      if (splitter.waiting) throw new LawBroken('bytes are left that no message needs')
      if (splitter.held > MAX) throw new LawBroken(`${splitter.held} bytes are held`)
    }
    splitter.end()
  } catch (error) {
    return { messages, end: codeOf(error) }
  }
  return { messages, end: undefined }
}

async function decode(chunks: readonly Uint8Array[]): Promise<Reading> {
  const decoder = new FrameDecoder({ maxMessageLength: MAX })
  const messages: Uint8Array[] = []
  try {
    Readable.from(chunks).pipe(decoder)
    for await (const message of decoder) messages.push(message as Uint8Array)
  } catch (error) {
    return { messages, end: codeOf(error) }
  }
  return { messages, end: undefined }
}

function compare(way: string, found: Reading, wanted: Reading): void {
  if (found.end !== wanted.end) throw new LawBroken(`${way}: ${found.end}, not ${wanted.end}`)
  const same =
    found.messages.length === wanted.messages.length &&
    found.messages.every((message, index) => {
      return Buffer.compare(message, wanted.messages[index] as Uint8Array) === 0
    })
  if (!same) throw new LawBroken(`${way}: other messages`)
}

/** The first byte is how many sizes of chunks follow it; they repeat over the rest, which is the stream. */
async function run(input: Uint8Array): Promise<void> {
  const count = 1 + ((input[0] ?? 0) & 7)
  const sizes = Array.from(
    input.subarray(1, 1 + count),
    (size) => 1 + (size < 128 ? size : size * 40),
  )
  const stream = Buffer.from(input.subarray(1 + count))
  const chunks: Uint8Array[] = []
  for (let offset = 0, index = 0; offset < stream.length; index++) {
    const end = offset + (sizes[index % sizes.length] ?? 1)
    chunks.push(stream.subarray(offset, end))
    offset = end
  }
  const wanted = expected(stream)
  compare('split', split(chunks, false), wanted)
  compare('split, two chunks at a time', split(chunks, true), wanted)
  compare('decoded', await decode(chunks), wanted)
}

const messages = [
  new Uint8Array(0),
  Uint8Array.of(1, 2, 3),
  new Uint8Array(300),
  new Uint8Array(MAX),
]
const frames = Buffer.concat(messages.map((message) => encodeFrame(message)))

export const target: FuzzTarget = {
  format: undefined,
  maxLength: 16_384,
  dictionary: [
    ...messages.slice(0, 2).map((message) => encodeFrame(message)),
    ...[
      Uint8Array.of(0, 0, 0x10, 0),
      Uint8Array.of(0, 0, 0x10, 1),
      Uint8Array.of(255, 255, 255, 255),
    ],
  ],
  seeds: () => [
    Buffer.concat([Uint8Array.of(0, 255), frames]),
    Buffer.concat([Uint8Array.of(2, 0, 3, 200), frames, frames]),
    Buffer.concat([Uint8Array.of(0, 0), frames.subarray(0, 300)]),
  ],
  run,
}
