import type { Terminal } from './terminal.ts'

/** Exit statuses, the same for every command. */
export const Exit = { ACCEPTED: 0, REFUSED: 1, WRONG_USE: 2 } as const
export type Exit = (typeof Exit)[keyof typeof Exit]

/** One word after `enclavejs`. */
export interface Command {
  /** One line for the overview. */
  readonly summary: string
  /** All of `enclavejs COMMAND --help`. */
  readonly help: string
  /** @returns the exit status. @throws {CliError} for wrong use. */
  run(args: readonly string[], terminal: Terminal): Promise<number>
}
