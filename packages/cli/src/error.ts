/** Why a command could not begin. Nothing was judged when one of these is thrown. */
export type CliErrorCode =
  /** The arguments are wrong, contradict each other or leave something out. */
  | 'ERR_CLI_USAGE'
  /** A file that an argument names cannot be read, is too large or does not hold what it should. */
  | 'ERR_CLI_FILE'
  /** A package that the command needs is not installed. */
  | 'ERR_CLI_PACKAGE'

/** Wrong use: exit status 2. The message names the argument. */
export class CliError extends Error {
  readonly code: CliErrorCode

  constructor(code: CliErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'CliError'
    this.code = code
  }
}

/** Wrong use of the arguments. */
export function usage(message: string, options?: { cause?: unknown }): CliError {
  return new CliError('ERR_CLI_USAGE', message, options)
}
