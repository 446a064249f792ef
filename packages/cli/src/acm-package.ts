import { CliError } from './error.ts'

type AcmPackage = typeof import('@enclavejs/acm-enclave')

/**
 * The package of certificates, loaded when a command needs it.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadAcmPackage(): Promise<AcmPackage> {
  try {
    return await import('@enclavejs/acm-enclave')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'this needs @enclavejs/acm-enclave: npm install @enclavejs/acm-enclave'
    throw new CliError('ERR_CLI_PACKAGE', message, { cause })
  }
}

/** What an error of that package, or of those below it, carries. */
export function acmErrorCode(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  const isOurs = typeof code === 'string' && /^ERR_(?:ACM|KMS|NSM|VSOCK)_/.test(code)
  return error instanceof Error && isOurs ? code : undefined
}
