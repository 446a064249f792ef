import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { EifError } from '../error.ts'
import { readBytes, readChunks, type EifSource } from '../source.ts'
import { lazyFile } from './directory-tree.ts'

/** The layer as a plain tar whose SHA-256 is its diff id; a compressed one is unpacked into a file. */
export async function unpackLayer(
  layer: EifSource,
  file: string,
  diffId: string,
  limit: number,
): Promise<EifSource> {
  const start = await readBytes(layer, 0, Math.min(4, layer.size))
  const magic = Buffer.from(start).toString('hex')
  const hash = createHash('sha256')
  let size = 0
  const count = async function* (stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      size += chunk.length
      if (size > limit) throw refuse(`A layer unpacks to more than ${limit} bytes`)
      hash.update(chunk)
      yield chunk
    }
  }
  let plain = layer
  const compressed = magic.startsWith('1f8b') || magic === '28b52ffd'
  try {
    if (compressed) {
      const decompress = magic === '28b52ffd' ? createZstdDecompress() : createGunzip()
      const copies = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of readChunks(layer, 0, layer.size)) yield Uint8Array.from(chunk)
      }
      await pipeline(Readable.from(copies()), decompress, count, createWriteStream(file))
      plain = lazyFile(file, size)
    } else {
      for await (const _ of count(readChunks(layer, 0, layer.size)));
    }
  } catch (cause) {
    if (cause instanceof EifError) throw cause
    throw new EifError('ERR_EIF_OCI', `A layer cannot be unpacked: ${(cause as Error).message}`, {
      cause,
    })
  }
  const seen = `sha256:${hash.digest('hex')}`
  if (seen !== diffId) throw refuse(`A layer has the diff id ${seen}, not ${String(diffId)}`)
  return plain
}

function refuse(message: string): EifError {
  return new EifError('ERR_EIF_OCI', message)
}
