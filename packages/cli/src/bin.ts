import { main } from './main.ts'
import { processTerminal } from './terminal.ts'

/**
 * A defect of ours, or a result that cannot be written. A status of its own (EX_SOFTWARE): node would end with 1, which
 * means refused.
 */
const DEFECT = 70

const terminal = processTerminal(DEFECT)
process.exitCode = DEFECT
try {
  process.exitCode = await main(process.argv.slice(2), terminal)
} catch (error) {
  terminal.warn('enclavejs: a defect of enclavejs; nothing was accepted')
  for (const line of String((error as Error).stack ?? error).split('\n')) terminal.warn(line)
}
