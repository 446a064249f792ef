import { CliError } from './error.ts'
import { Exit } from './command.ts'
import { asciiJson } from './output/json-line.ts'
import type { Terminal } from './terminal.ts'

type LauncherPackage = typeof import('@enclavejs/launcher')

/**
 * What starts, finds and ends enclaves, loaded when it is asked for.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadLauncher(): Promise<LauncherPackage> {
  try {
    return await import('@enclavejs/launcher')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'this needs @enclavejs/launcher: npm install @enclavejs/launcher'
    throw new CliError('ERR_CLI_PACKAGE', message, { cause })
  }
}

const REFUSALS = /^(?:ERR_(?:LAUNCHER|EIF|VSOCK|ATTESTATION)_[A-Z_]+|E[A-Z]+)$/

/** Runs what works on enclaves; an error with a code becomes the refusal that is printed, and exit status 1. */
export async function refusingLaunches(
  json: boolean,
  terminal: Terminal,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new CliError('ERR_CLI_USAGE', error.message, { cause: error })
    }
    const {
      code = '',
      message,
      nitroCode,
    } = error as NodeJS.ErrnoException & {
      nitroCode?: string
    }
    if (error instanceof CliError || !REFUSALS.test(code)) throw error
    if (json) {
      terminal.print(asciiJson({ error: { code, message, ...(nitroCode && { nitroCode }) } }))
    }
    terminal.warn(`refused: ${code}`)
    terminal.warn(message)
    return Exit.REFUSED
  }
}
