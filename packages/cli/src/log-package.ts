import { CliError } from './error.ts'

/**
 * The parent's side of an enclave's log, loaded when it is asked for.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadLogPackage(): Promise<typeof import('@enclavejs/vsock/log')> {
  try {
    return await import('@enclavejs/vsock/log')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'this needs @enclavejs/vsock: npm install @enclavejs/vsock'
    throw new CliError('ERR_CLI_PACKAGE', message, { cause })
  }
}
