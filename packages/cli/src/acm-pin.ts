import type { Arguments } from './arguments.ts'
import { CliError, usage } from './error.ts'
import { readFlagFile } from './input-file.ts'

/** The PIN in the file of a flag: one line. Never from the command line, which every user of the machine can read. */
export async function readPin(given: Arguments, flag: string): Promise<string> {
  const file = given.value(flag)
  if (file === undefined) throw usage(`--${flag} is missing`)
  const text = new TextDecoder().decode(await readFlagFile(file, flag)).replace(/\r?\n$/, '')
  const { length } = new TextEncoder().encode(text)
  if (length >= 4 && length <= 64 && !/[\r\n]/.test(text)) return text
  throw new CliError('ERR_CLI_FILE', `--${flag}: ${file}: one line of 4 to 64 bytes expected`)
}
