import type { EnclaveInfo } from '@enclavejs/launcher'
import { parseArguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { usage } from '../error.ts'
import { loadLauncher, refusingLaunches } from '../launcher-package.ts'
import { printJson } from '../output/json.ts'

const HELP = `enclavejs ps [NAME] [flags]

The enclaves of this user that enclavejs run started, and those that nitro-cli lists besides.

  --cid               prints the CID alone, for the enclave called NAME (or the only one). enclavejs proxy and
                      enclavejs credentials serve take the name itself: --enclave NAME
  --json
  --help

States: starting, running, stopping; unsupervised: it runs, and no enclavejs run carries its proxy; gone: it has ended, and only its
record is left (enclavejs stop removes it).

Exit status: 0 listed; 1 refused: no such enclave, or enclaves of nitro-cli may be missing (the code on stderr); 2 wrong use.`

/** `enclavejs ps`. */
export const ps: Command = {
  summary: 'the enclaves that run here',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, { cid: { type: 'boolean' }, json: { type: 'boolean' } })
    const [name, extra] = given.positionals
    if (extra !== undefined) throw usage('ps: one NAME at most')
    const json = given.has('json')
    return refusingLaunches(json, terminal, async () => {
      const { findEnclave, listEnclaves } = await loadLauncher()
      if (given.has('cid')) {
        const { cid } = await findEnclave(name)
        terminal.print(String(cid))
        return Exit.ACCEPTED
      }
      const { enclaves, problem } =
        name === undefined
          ? await listEnclaves()
          : { enclaves: [await findEnclave(name)], problem: undefined }
      if (json) printJson(terminal, { enclaves })
      else if (enclaves.length > 0)
        table([HEAD, ...enclaves.map(row)], (line) => terminal.print(line))
      else terminal.warn('enclavejs: no enclave runs')
      if (problem === undefined) return Exit.ACCEPTED
      terminal.warn(`refused: ${problem.code}`)
      terminal.warn(problem.message)
      return Exit.REFUSED
    })
  },
}

const HEAD = ['NAME', 'BACKEND', 'STATE', 'CID', 'MIB', 'CPUS', 'UP', 'IMAGE']

function row(one: EnclaveInfo): string[] {
  return [
    ...[one.name, one.backend, one.debugMode ? `${one.state} (debug)` : one.state],
    ...[String(one.cid), String(one.memoryMib), String(one.cpus), age(one.startedAt)],
    one.image ?? '',
  ]
}

function age(since: Date | undefined): string {
  if (since === undefined) return ''
  const seconds = Math.max(0, Math.floor((Date.now() - since.getTime()) / 1000))
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`
}

function table(rows: readonly (readonly string[])[], print: (line: string) => void): void {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((one) => (one[column] ?? '').length)))
  for (const one of rows) {
    const cells = one.map((cell, column) => cell.padEnd(widths[column] ?? 0))
    print(
      cells
        .join('  ')
        .trimEnd()
        .replace(/[^ -~]/g, '?'),
    )
  }
}
