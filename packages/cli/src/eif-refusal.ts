import { Exit } from './command.ts'
import { loadEif } from './eif-package.ts'
import { printJson } from './output/json.ts'
import type { Terminal } from './terminal.ts'

/** Runs what works on images; an `EifError` becomes the refusal that is printed, and exit status 1. */
export async function refusingImages(
  args: readonly string[],
  terminal: Terminal,
  run: () => Promise<number>,
): Promise<number> {
  const { core } = await loadEif()
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof core.EifError)) throw error
    const { code, message } = error
    if (args.includes('--json')) printJson(terminal, { error: { code, message } })
    terminal.warn(`refused: ${code}`)
    terminal.warn(message)
    return Exit.REFUSED
  }
}
