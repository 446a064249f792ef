import { CliError } from './error.ts'

/**
 * Loads `@enclavejs/eif`, which only the commands about images need.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadEif(): Promise<{
  core: typeof import('@enclavejs/eif')
  node: typeof import('@enclavejs/eif/node')
}> {
  try {
    return { core: await import('@enclavejs/eif'), node: await import('@enclavejs/eif/node') }
  } catch (cause) {
    throw new CliError('ERR_CLI_PACKAGE', 'this needs @enclavejs/eif: npm install @enclavejs/eif', {
      cause,
    })
  }
}
