import { CliError } from './error.ts'

type KmsPackage = typeof import('@enclavejs/kms-enclave')

/**
 * The package of KMS, loaded when a command needs it.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadKmsPackage(): Promise<KmsPackage> {
  try {
    return await import('@enclavejs/kms-enclave')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'this needs @enclavejs/kms-enclave: npm install @enclavejs/kms-enclave'
    throw new CliError('ERR_CLI_PACKAGE', message, { cause })
  }
}

/** What an error of that package, or of the two that its defaults need, carries. */
export function kmsErrorCode(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  return error instanceof Error && typeof code === 'string' && /^ERR_(?:KMS|NSM|VSOCK)_/.test(code)
    ? code
    : undefined
}
