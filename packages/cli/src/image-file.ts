import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { CliError } from './error.ts'

/** The largest image that is taken from stdin. */
const MAX_STDIN = 16 * 2 ** 30

/**
 * Gives an image file's path to `use`. Reading an image means going back and forth in it, so stdin (`-`) is first
 * written to a temporary file, which is gone when `use` ends.
 *
 * @throws {CliError} `ERR_CLI_FILE` when stdin cannot be kept.
 */
export async function withImageFile<Result>(
  path: string,
  use: (path: string) => Promise<Result>,
  limit: number = MAX_STDIN,
): Promise<Result> {
  if (path !== '-') return use(path)
  const fail = (cause: Error): never => {
    throw new CliError('ERR_CLI_FILE', `stdin cannot be kept: ${cause.message}`, { cause })
  }
  const folder = await mkdtemp(join(tmpdir(), 'enclavejs-stdin-')).catch(fail)
  try {
    const file = join(folder, 'stdin')
    let size = 0
    const bounded = async function* (chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
      for await (const chunk of chunks) {
        size += chunk.length
        if (size > limit) throw new Error(`more than ${limit} bytes`)
        yield chunk
      }
    }
    await pipeline(process.stdin, bounded, createWriteStream(file)).catch(fail)
    return await use(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
