import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { CliError } from './error.ts'

/** The most that is read of any input. A document has at most 16 KiB, in hex with line breaks less than 40. */
export const MAX_INPUT: number = 1024 * 1024

/**
 * Reads a file, or stdin for `-`, and never more than one byte above {@link MAX_INPUT}.
 *
 * @returns undefined where there is more than {@link MAX_INPUT}.
 * @throws {CliError} `ERR_CLI_FILE` when it cannot be read.
 */
export async function readInput(path: string): Promise<Uint8Array | undefined> {
  const stream: Readable =
    path === '-' ? process.stdin : createReadStream(path, { end: MAX_INPUT, highWaterMark: 65_536 })
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > MAX_INPUT) return undefined
      chunks.push(chunk)
    }
  } catch (cause) {
    throw new CliError('ERR_CLI_FILE', `${path}: cannot be read: ${reason(cause)}`, { cause })
  } finally {
    stream.destroy()
  }
  return Uint8Array.from(Buffer.concat(chunks))
}

/**
 * Reads a file of the caller's own, which has a bound like everything else.
 *
 * @throws {CliError} `ERR_CLI_FILE` naming the flag.
 */
export async function readFlagFile(path: string, flag: string): Promise<Uint8Array> {
  if (path === '-') throw new CliError('ERR_CLI_FILE', `--${flag}: a file expected, not stdin`)
  const bytes = await readInput(path).catch((cause: CliError) => {
    throw new CliError('ERR_CLI_FILE', `--${flag}: ${cause.message}`, { cause })
  })
  if (bytes !== undefined) return bytes
  throw new CliError('ERR_CLI_FILE', `--${flag}: ${path}: more than ${MAX_INPUT} bytes`)
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
}

function reason(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return REASONS[code] ?? message
}
