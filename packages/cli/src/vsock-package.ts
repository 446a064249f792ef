import { CliError } from './error.ts'

type ProxyPackage = typeof import('@enclavejs/vsock/proxy')

/**
 * The parent's proxy, loaded when it is asked for: the other commands work where it is not installed.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadProxyPackage(): Promise<ProxyPackage> {
  try {
    return await import('@enclavejs/vsock/proxy')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'this needs @enclavejs/vsock: npm install @enclavejs/vsock'
    throw new CliError('ERR_CLI_PACKAGE', message, { cause })
  }
}

/**
 * The sockets, loaded when they are asked for.
 *
 * @throws {CliError} `ERR_CLI_PACKAGE`.
 */
export async function loadVsockPackage(): Promise<typeof import('@enclavejs/vsock')> {
  try {
    return await import('@enclavejs/vsock')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'this needs @enclavejs/vsock: npm install @enclavejs/vsock'
    throw new CliError('ERR_CLI_PACKAGE', message, { cause })
  }
}
