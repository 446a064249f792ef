import { Readable } from 'node:stream'
import { constants, createGzip, createZstdCompress } from 'node:zlib'

/** How ramdisks are compressed: every kernel takes gzip, zstd those since 5.9 that were built with it. */
export type Compression = 'gzip' | 'zstd'

/** The operating system byte of a gzip header; zlib writes the machine's, 255 is "unknown" (RFC 1952 §2.3.1). */
const OS_BYTE = 9
const UNKNOWN_OS = 255
const PIECE = 1 << 18

/**
 * A stream, compressed, with nothing of the machine or the time in it. The bytes still depend on the zlib or zstd of the
 * Node that runs: pin Node, or leave ramdisks uncompressed, where PCRs must be reproduced.
 */
export function compress(
  stream: AsyncIterable<Uint8Array>,
  compression: Compression,
): AsyncGenerator<Uint8Array> {
  return compression === 'gzip' ? gzip(stream) : zstd(stream)
}

async function* gzip(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const compressor = createGzip({ level: constants.Z_BEST_COMPRESSION, chunkSize: PIECE })
  let offset = 0
  for await (const chunk of pass(stream, compressor)) {
    if (offset <= OS_BYTE && offset + chunk.length > OS_BYTE) chunk[OS_BYTE - offset] = UNKNOWN_OS
    offset += chunk.length
    yield chunk
  }
}

/** Level 12: 19 takes ten times as long for a tenth less. A window of 8 MiB is what every reader must hold (RFC 8878 §3.1.1.1.2). */
function zstd(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const compressor = createZstdCompress({
    chunkSize: PIECE,
    params: {
      [constants.ZSTD_c_compressionLevel]: 12,
      [constants.ZSTD_c_windowLog]: 23,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  })
  return pass(stream, compressor)
}

async function* pass(
  stream: AsyncIterable<Uint8Array>,
  compressor: NodeJS.ReadWriteStream & { destroy(error?: Error): void },
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(pieces(stream))
  source.on('error', (error) => compressor.destroy(error))
  source.pipe(compressor)
  for await (const chunk of compressor) yield chunk as unknown as Uint8Array
}

/** Pieces of one size, so that the compressor sees the same calls however the stream was cut. */
async function* pieces(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let piece = new Uint8Array(PIECE)
  let filled = 0
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length;) {
      const count = Math.min(PIECE - filled, chunk.length - at)
      piece.set(chunk.subarray(at, at + count), filled)
      filled += count
      at += count
      if (filled < PIECE) continue
      yield piece
      piece = new Uint8Array(PIECE)
      filled = 0
    }
  }
  if (filled > 0) yield piece.subarray(0, filled)
}
