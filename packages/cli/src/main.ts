import { readFileSync } from 'node:fs'
import { acm } from './command/acm.ts'
import { build } from './command/build.ts'
import { consoleCommand } from './command/console.ts'
import { credentials } from './command/credentials.ts'
import { decode } from './command/decode.ts'
import { doctor } from './command/doctor.ts'
import { eif } from './command/eif.ts'
import { kms } from './command/kms.ts'
import { logs } from './command/logs.ts'
import { nsm } from './command/nsm.ts'
import { policy } from './command/policy.ts'
import { proxy } from './command/proxy.ts'
import { ps } from './command/ps.ts'
import { run } from './command/run.ts'
import { simulate } from './command/simulate.ts'
import { stop } from './command/stop.ts'
import { verify } from './command/verify.ts'
import { Exit, type Command } from './command.ts'
import { CliError, usage } from './error.ts'
import { printJson } from './output/json.ts'
import type { Terminal } from './terminal.ts'

const COMMANDS: Readonly<Record<string, Command>> = {
  ...{ verify, decode, build, eif, nsm, doctor, simulate, proxy, policy, kms, credentials, acm },
  ...{ run, ps, console: consoleCommand, logs, stop },
}

const HEAD = `enclavejs COMMAND [flags]

Attestation documents of AWS Nitro Enclaves. Not affiliated with AWS.
`

const TAIL = `
enclavejs COMMAND --help   the flags of a command
enclavejs --version

Exit status: 0 accepted or done; 1 refused or failed (the code on stderr); 2 wrong use, nothing was judged.`

/**
 * Runs one command line.
 *
 * @returns the exit status.
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(args, terminal)
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    const { code, message } = error
    if (ownArguments(args).includes('--json')) printJson(terminal, { error: { code, message } })
    terminal.warn(`enclavejs: ${message}`)
    return Exit.WRONG_USE
  }
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args
  if (name === '--help' || name === '-h' || name === 'help') {
    terminal.print(rest[0] === undefined ? overview() : find(rest[0]).help)
    return Exit.ACCEPTED
  }
  if (name === '--version') {
    terminal.print(version())
    return Exit.ACCEPTED
  }
  if (name === undefined) throw usage('a command is missing; see enclavejs --help')
  const command = find(name)
  const own = ownArguments(rest)
  if (own.includes('--help') || own.includes('-h')) {
    terminal.print(command.help)
    return Exit.ACCEPTED
  }
  return command.run(rest, terminal)
}

/** What is said to this program: everything before `--`. */
function ownArguments(args: readonly string[]): readonly string[] {
  const separator = args.indexOf('--')
  return separator < 0 ? args : args.slice(0, separator)
}

function find(name: string): Command {
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name] as Command
  throw usage(`there is no command ${JSON.stringify(name)}; see enclavejs --help`)
}

function overview(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { summary }]) => `  ${name.padEnd(11)}  ${summary}`,
  )
  return [HEAD, ...lines, TAIL].join('\n')
}

/** The version of this package, from its own package.json: one level up, from src/ and from dist/ alike. */
function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
