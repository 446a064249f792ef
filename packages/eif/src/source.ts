import { EifError } from './error.ts'

/**
 * Bytes that can be read at any place: a file, a Blob, an array. `read` fills as much of `buffer` as there is from
 * `offset` on and gives that number; fewer than the buffer's length only at the end.
 */
export interface EifSource {
  /** Bytes in all. */
  readonly size: number
  /** How many bytes it likes to be asked for at once. Default 1 MiB. */
  readonly chunkSize?: number
  read(offset: number, buffer: Uint8Array): Promise<number>
}

/** A source over an array. The array is not copied: it must not change while it is read. */
export function bytesSource(bytes: Uint8Array): EifSource {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('bytes must be a Uint8Array')
  return {
    size: bytes.length,
    async read(offset, buffer) {
      const part = bytes.subarray(offset, offset + buffer.length)
      buffer.set(part)
      return part.length
    },
  }
}

/** What {@link blobSource} needs of a `Blob` or `File`. */
export interface BlobLike {
  readonly size: number
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> }
}

/**
 * A source over a `Blob`, such as a page's `<input type=file>` gives; nothing but the part in work is held in memory.
 *
 * ```ts
 * import { blobSource, type EifSource } from '@enclavejs/eif'
 *
 * export const sourceOf = (file: Blob): EifSource => blobSource(file)
 * ```
 */
export function blobSource(blob: BlobLike): EifSource {
  return {
    size: blob.size,
    async read(offset, buffer) {
      const end = Math.min(offset + buffer.length, blob.size)
      if (end <= offset) return 0
      const part = new Uint8Array(await blob.slice(offset, end).arrayBuffer())
      buffer.set(part)
      return part.length
    },
  }
}

/** Fills `buffer`. @throws {EifError} `ERR_EIF_READ` when the source gives less, or fails. */
async function readFully(source: EifSource, offset: number, buffer: Uint8Array): Promise<void> {
  let filled = 0
  while (filled < buffer.length) {
    const rest = buffer.subarray(filled)
    let count: number
    try {
      count = await source.read(offset + filled, rest)
    } catch (cause) {
      throw new EifError('ERR_EIF_READ', `Reading failed at byte ${offset + filled}`, { cause })
    }
    if (!Number.isInteger(count) || count <= 0 || count > rest.length) {
      throw new EifError(
        'ERR_EIF_READ',
        `The source ends at byte ${offset + filled} of the ${source.size} it promised`,
      )
    }
    filled += count
  }
}

/** `length` bytes of the source, in a new array. */
export async function readBytes(
  source: EifSource,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length)
  await readFully(source, offset, bytes)
  return bytes
}

const CHUNK = 1 << 20

/**
 * The bytes from `from` to `to`, in order, through two buffers that are used again and again: the next part is read
 * while this one is worked on. A part is good until the next one is asked for.
 */
export async function* readChunks(
  source: EifSource,
  from: number,
  to: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const size = Math.min(source.chunkSize ?? CHUNK, to - from)
  const buffers = [new Uint8Array(size), new Uint8Array(to - from > size ? size : 0)] as const
  const start = (offset: number, buffer: Uint8Array) => {
    const part = buffer.subarray(0, Math.min(buffer.length, to - offset))
    const filled = readFully(source, offset, part)
    // It is awaited a round later, or never when the caller stops.
    filled.catch(() => {})
    return { part, filled }
  }
  if (from >= to) return
  let current = start(from, buffers[0])
  for (let index = 1; ; index++) {
    await current.filled
    const { part } = current
    from += part.length
    if (from < to) current = start(from, buffers[(index & 1) as 0 | 1])
    yield part
    if (from >= to) return
  }
}
