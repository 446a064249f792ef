import { parseArguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { examine } from '../doctor/examination.ts'
import { thisMachine } from '../doctor/machine.ts'
import { usage } from '../error.ts'
import { printJson } from '../output/json.ts'
import { escapeText } from '../output/printable.ts'

const HELP = `enclavejs doctor [flags]

Looks at what an enclave, or the parent instance of one, needs and has: device, vsock, entropy, clock, memory, debug
mode, simulator. Each line says what was found, and what to do about it. Nothing is changed and nothing connected to.

  --as ROLE       enclave or parent; default: what the devices of this machine say
  --production    also fail in debug mode, and where the simulator is in use or merely installed
  --json          the result as JSON
  --help

Exit status: 0 nothing fails; 1 something fails; 2 wrong use.`

const COLORS = { ok: 'green', warn: 'yellow', fail: 'red' } as const

/** `enclavejs doctor`. */
export const doctor: Command = {
  summary: 'tell what this enclave or parent needs and has',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, {
      as: { type: 'string' },
      production: { type: 'boolean' },
      json: { type: 'boolean' },
    })
    const [stray] = given.positionals
    if (stray !== undefined)
      throw usage(`doctor: the argument ${JSON.stringify(stray)} is too many`)
    const role = given.value('as')
    if (role !== undefined && role !== 'enclave' && role !== 'parent') {
      throw usage('--as: enclave or parent expected')
    }
    const examination = await examine(thisMachine(), { role, production: given.has('production') })
    if (given.has('json')) {
      printJson(terminal, examination)
    } else {
      for (const { name, status, found, fix } of examination.checks) {
        const label = terminal.paint(COLORS[status], status.padEnd(4))
        terminal.print(`${label}  ${name.padEnd(11)}  ${escapeText(found)}`)
        if (fix !== undefined) terminal.print(`      ${' '.repeat(11)}  → ${escapeText(fix)}`)
      }
    }
    return examination.ok ? Exit.ACCEPTED : Exit.REFUSED
  },
}
