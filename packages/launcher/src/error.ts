/** Every code a {@link LauncherError} can carry. */
export type LauncherErrorCode =
  /** Nothing here can run this: the message says for each backend why. */
  | 'ERR_LAUNCHER_BACKEND'
  /** The image or program cannot be read, is of the wrong kind for the backend, or changed while it was started. */
  | 'ERR_LAUNCHER_IMAGE'
  /** Less memory than four times the image, or than the allocator has left. */
  | 'ERR_LAUNCHER_MEMORY'
  /** More CPUs than are set aside for enclaves. */
  | 'ERR_LAUNCHER_CPUS'
  /** An enclave of this name runs already. */
  | 'ERR_LAUNCHER_NAME'
  /** No enclave of this name is known, or several are. */
  | 'ERR_LAUNCHER_NOT_FOUND'
  /** The run directory is not this user's alone, or cannot be written. */
  | 'ERR_LAUNCHER_RUN_DIRECTORY'
  /** nitro-cli failed; the error is a `NitroCliError` with its code. */
  | 'ERR_LAUNCHER_NITRO_CLI'
  /** The machine or the program could not be started. */
  | 'ERR_LAUNCHER_START'
  /** It was not ready in time. */
  | 'ERR_LAUNCHER_READY'
  /** It ended before it was ready. */
  | 'ERR_LAUNCHER_ENDED'
  /** What was measured is not the image. */
  | 'ERR_LAUNCHER_MEASUREMENT'
  /** No document could be had from the enclave, or the one it gave is refused; see `cause`. */
  | 'ERR_LAUNCHER_ATTESTATION'
  /** A port of the parent could not be taken, for the proxy or a service; see `cause`. */
  | 'ERR_LAUNCHER_PORT'
  /** It could not be ended. */
  | 'ERR_LAUNCHER_STOP'
  /** It has no console: not in debug mode. */
  | 'ERR_LAUNCHER_NO_CONSOLE'

/** What goes wrong in this package, apart from the caller's own mistakes (`TypeError`, `RangeError`). */
export class LauncherError extends Error {
  readonly code: LauncherErrorCode

  constructor(code: LauncherErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'LauncherError'
    this.code = code
  }
}

/** nitro-cli failed: `ERR_LAUNCHER_NITRO_CLI`. */
export class NitroCliError extends LauncherError {
  /** AWS's code, `E36` for example; undefined where nitro-cli gave none. The first one that it printed. */
  readonly nitroCode: string | undefined

  constructor(
    nitroCode: string | undefined,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super('ERR_LAUNCHER_NITRO_CLI', message, options)
    this.nitroCode = nitroCode
  }
}
