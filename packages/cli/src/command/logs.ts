import type { EnclaveInfo } from '@enclavejs/launcher'
import { numberFlag, parseArguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { usage } from '../error.ts'
import { loadLauncher, refusingLaunches } from '../launcher-package.ts'
import { loadLogPackage } from '../log-package.ts'
import { asciiJson } from '../output/json-line.ts'

const HELP = `enclavejs logs [NAME] [flags]

The log that an enclave keeps for its parent (createLog of @enclavejs/vsock/log): events with the fields that its program
declares, counters and gauges. It begins with the oldest line that the enclave still has. Without NAME, of the only one.
Nothing in it is attested: it is what the other end says.

  --name NAME         the same as NAME
  --cid CID           an enclave that is not in enclavejs ps
  --path SOCKET       a virtual machine (hybrid vsock)
  --port PORT         default: the port that run was given, else 8006
  --follow            goes on until the enclave ends
  --json              every entry as one line of JSON
  --help

Exit status: 0 read; 1 refused: no such enclave, no log there, or not in time (the code on stderr); 2 wrong use.`

/** `enclavejs logs`. */
export const logs: Command = {
  summary: 'the structured log and metrics of an enclave',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, {
      name: { type: 'string' },
      cid: { type: 'string' },
      path: { type: 'string' },
      port: { type: 'string' },
      follow: { type: 'boolean', short: 'f' },
      json: { type: 'boolean' },
    })
    const [positional, extra] = given.positionals
    const names = [positional, given.value('name'), given.value('cid'), given.value('path')]
    if (extra !== undefined || names.filter((one) => one !== undefined).length > 1) {
      throw usage('logs: one of NAME, --name, --cid and --path')
    }
    const bounds = { least: 0, most: 0xffff_fffe, unit: 'a number' }
    const port = numberFlag(given, 'port', bounds)
    const cid = numberFlag(given, 'cid', bounds)
    const path = given.value('path')
    const json = given.has('json')
    return refusingLaunches(json, terminal, async () => {
      const { formatLogEntry, LOG_PORT, readLog } = await loadLogPackage()
      const where =
        cid !== undefined
          ? { cid }
          : path !== undefined
            ? { path }
            : await find(names[0] ?? names[1])
      const logPort = port ?? ('logPort' in where ? where.logPort : undefined) ?? LOG_PORT
      const place = 'vsock' in where ? where.vsock : where
      const entries = readLog({ ...place, port: logPort, follow: given.has('follow') })
      for await (const entry of entries) {
        if (json) terminal.print(asciiJson(entry))
        else if (entry.type !== 'beginning') terminal.print(formatLogEntry(entry))
      }
      return Exit.ACCEPTED
    })
  },
}

async function find(name: string | undefined): Promise<EnclaveInfo> {
  const { findEnclave, joinSimulator } = await loadLauncher()
  const found = await findEnclave(name)
  const { simulatorDirectory } = found
  if (simulatorDirectory !== undefined) await joinSimulator(simulatorDirectory, process.cwd())
  return found
}
