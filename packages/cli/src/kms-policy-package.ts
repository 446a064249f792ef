import { CliError } from './error.ts'

/**
 * Loads `@enclavejs/kms-enclave/policy`, which only the commands about key policies need.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadKmsPolicy(): Promise<typeof import('@enclavejs/kms-enclave/policy')> {
  try {
    return await import('@enclavejs/kms-enclave/policy')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new CliError(
      'ERR_CLI_PACKAGE',
      'this needs @enclavejs/kms-enclave: npm install @enclavejs/kms-enclave',
      { cause },
    )
  }
}
