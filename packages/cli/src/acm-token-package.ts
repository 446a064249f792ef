import { CliError } from './error.ts'

type TokenPackage = typeof import('@enclavejs/acm-enclave/token')

/**
 * The PKCS #11 token, loaded when a command needs it.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadTokenPackage(): Promise<TokenPackage> {
  try {
    return await import('@enclavejs/acm-enclave/token')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'this needs @enclavejs/acm-enclave: npm install @enclavejs/acm-enclave'
    throw new CliError('ERR_CLI_PACKAGE', message, { cause })
  }
}
