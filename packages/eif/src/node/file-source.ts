import { readSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { EifError } from '../error.ts'
import type { EifSource } from '../source.ts'

/** A source over a regular file. */
export interface FileSource extends EifSource, AsyncDisposable {
  close(): Promise<void>
}

/** Small enough that hashing finds the bytes in the processor's cache, where reading has put them. */
const CHUNK = 1 << 17

/** After so many bytes others get a turn; hashing them takes about two milliseconds. */
const TURN = 1 << 20

/**
 * Opens a file as a source. Nothing of it is held in memory. Reads are synchronous, because the hashing that they feed
 * is, and a thread pool in between costs more than both; every MiB the event loop gets its turn.
 *
 * @throws {EifError} `ERR_EIF_READ` when it cannot be opened, or is no regular file.
 */
export async function openFileSource(path: string): Promise<FileSource> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'r')
    const stat = await handle.stat()
    if (!stat.isFile()) throw new Error('not a regular file')
    return fileSource(handle, stat.size)
  } catch (cause) {
    await handle?.close()
    throw new EifError('ERR_EIF_READ', `Cannot read ${path}: ${(cause as Error).message}`, {
      cause,
    })
  }
}

function fileSource(handle: FileHandle, size: number): FileSource {
  let sinceTurn = 0
  return {
    size,
    chunkSize: CHUNK,
    async read(offset, buffer) {
      if (sinceTurn >= TURN) {
        sinceTurn = 0
        await setImmediate()
      }
      const count = readSync(handle.fd, buffer, 0, buffer.length, offset)
      sinceTurn += count
      return count
    },
    close: () => handle.close(),
    [Symbol.asyncDispose]: () => handle.close(),
  }
}
