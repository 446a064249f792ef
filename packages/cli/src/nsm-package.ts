import { CliError } from './error.ts'

type NsmPackage = typeof import('@enclavejs/nsm')

/**
 * The package of the device, loaded when a command needs it: verifying and decoding work where it is not installed.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadNsmPackage(): Promise<NsmPackage> {
  try {
    return await import('@enclavejs/nsm')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new CliError('ERR_CLI_PACKAGE', 'this needs @enclavejs/nsm: npm install @enclavejs/nsm', {
      cause,
    })
  }
}

/** What an error of that package carries; its class cannot be named without loading it. */
export function nsmErrorCode(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  return error instanceof Error && typeof code === 'string' && code.startsWith('ERR_NSM_')
    ? code
    : undefined
}
