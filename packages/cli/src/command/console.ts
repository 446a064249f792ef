import { parseArguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { usage } from '../error.ts'
import { loadLauncher, refusingLaunches } from '../launcher-package.ts'

const HELP = `enclavejs console [NAME] [flags]

Prints the console of an enclave; without NAME, of the only one. On Nitro it has one in debug mode only: a production
enclave speaks by its log (enclavejs logs). QEMU and the simulator have one always. Control characters that the enclave
wrote are shown, not obeyed.

  --follow   goes on until the enclave ends
  --help

Exit status: 0 printed; 1 refused: no such enclave, or it has no console (the code on stderr); 2 wrong use.`

/** `enclavejs console`. */
export const consoleCommand: Command = {
  summary: 'the console of an enclave: debug mode, QEMU, simulator',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, { follow: { type: 'boolean', short: 'f' } })
    const [name, extra] = given.positionals
    if (extra !== undefined) throw usage('console: one NAME at most')
    return refusingLaunches(false, terminal, async () => {
      const { readConsole } = await loadLauncher()
      const lines = readConsole(name, { follow: given.has('follow') })
      for await (const line of lines) terminal.print(line)
      return Exit.ACCEPTED
    })
  },
}
