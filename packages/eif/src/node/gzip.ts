import { createGzip, constants } from 'node:zlib'
import { Readable } from 'node:stream'

/** The operating system byte of a gzip header; zlib writes the machine's, 255 is "unknown" (RFC 1952 §2.3.1). */
const OS_BYTE = 9
const UNKNOWN_OS = 255

/**
 * A stream as gzip with nothing of the machine or the time in it. The bytes still depend on the zlib of the Node that
 * runs: pin Node, or leave ramdisks uncompressed, where PCRs must be reproduced.
 */
export async function* gzip(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const compress = createGzip({ level: constants.Z_BEST_COMPRESSION, chunkSize: 1 << 18 })
  const source = Readable.from(copies(stream))
  source.on('error', (error) => compress.destroy(error))
  source.pipe(compress)
  let offset = 0
  for await (const chunk of compress as AsyncIterable<Uint8Array>) {
    if (offset <= OS_BYTE && offset + chunk.length > OS_BYTE) chunk[OS_BYTE - offset] = UNKNOWN_OS
    offset += chunk.length
    yield chunk
  }
}

/** Pieces of one size, so that the compressor sees the same calls however the stream was cut. */
async function* copies(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const SIZE = 1 << 18
  let piece = new Uint8Array(SIZE)
  let filled = 0
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length;) {
      const count = Math.min(SIZE - filled, chunk.length - at)
      piece.set(chunk.subarray(at, at + count), filled)
      filled += count
      at += count
      if (filled < SIZE) continue
      yield piece
      piece = new Uint8Array(SIZE)
      filled = 0
    }
  }
  if (filled > 0) yield piece.subarray(0, filled)
}
