import { numberFlag, parseArguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { usage } from '../error.ts'
import { loadLauncher, refusingLaunches } from '../launcher-package.ts'
import { printJson } from '../output/json.ts'

const HELP = `enclavejs stop NAME [flags]
enclavejs stop --all [flags]

Ends an enclave: its enclavejs run is asked, which lets connections end first. Where there is none any more, or it does not do
it in time, the enclave is ended without it. What an enclave that has ended left behind is removed.

  --all               every enclave of this user, those of nitro-cli too
  --timeout SECONDS   until force is used, default 30; 0 uses it at once
  --json
  --help

Exit status: 0 none of them runs any more; 1 refused: no such enclave, or it could not be ended (the code on stderr); 2 wrong use.`

/** `enclavejs stop`. */
export const stop: Command = {
  summary: 'end an enclave',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, {
      all: { type: 'boolean' },
      timeout: { type: 'string' },
      json: { type: 'boolean' },
    })
    const [name, extra] = given.positionals
    if (extra !== undefined || given.has('all') === (name !== undefined)) {
      throw usage('stop: one NAME, or --all')
    }
    const seconds = numberFlag(given, 'timeout', { least: 0, most: 600, unit: 'seconds' }) ?? 30
    const json = given.has('json')
    return refusingLaunches(json, terminal, async () => {
      const { listEnclaves, stopEnclave } = await loadLauncher()
      const { enclaves, problem } =
        name === undefined ? await listEnclaves() : { enclaves: [{ name }], problem: undefined }
      if (problem !== undefined) throw problem
      const timeout = Math.round(seconds * 1000)
      const results = await Promise.all(enclaves.map((one) => stopEnclave(one.name, { timeout })))
      if (json) printJson(terminal, { enclaves: results })
      for (const one of results) terminal.warn(`enclavejs: ${one.name}: ${SAID[one.how]}`)
      if (results.length === 0) terminal.warn('enclavejs: no enclave runs')
      return Exit.ACCEPTED
    })
  },
}

const SAID = {
  stopped: 'stopped',
  forced: 'ended without its supervisor',
  removed: 'it had ended; its record is removed',
} as const
