import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import type { RunEvent, RunningEnclave, RunOptions } from '@enclavejs/launcher'
import { numberFlag, parseArguments, type Arguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { usage } from '../error.ts'
import { loadKmsPackage } from '../kms-package.ts'
import { loadLauncher, refusingLaunches } from '../launcher-package.ts'
import { loadLogPackage } from '../log-package.ts'
import { lineLimit } from '../output/line-limit.ts'
import { progressBar } from '../output/progress.ts'
import { describeRunEvent, runEventToJson } from '../output/run-event.ts'
import { waitingClock } from '../output/waiting.ts'
import { readRunArguments, RUN_FLAGS } from '../run-arguments.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `enclavejs run IMAGE|PROGRAM [flags]

Starts an enclave and watches it until a signal: with nitro-cli on an enclave-enabled instance, on QEMU's nitro-enclave
machine where there is one, and a program (its folder, or a file of Node) on the simulator. It says which. Only the first
protects anything. Other commands find the enclave by its name: ps, console, logs, stop.

  --name NAME           default: that of the file
  --backend NAME        nitro-cli, qemu or simulator, and no other
  --memory MIB          default: 512, or four times the image if that is more; less than that is refused, as AWS does
  --cpus N              default 2
  --cid N               default: a free one
  --debug               DANGEROUS: debug mode. PCR0, 1, 2 and 8 are zero, so that no key policy should let it in, and this
                        machine reads its console. QEMU and the simulator show a console without it
  --role ARN            the role in PCR3, where QEMU or the simulator make it

It is ready when its init has sent a heartbeat; a simulated program, when it was started.

  --ready-port PORT     and when something listens on this vsock port of it
  --no-heartbeat        QEMU: the image's init sends none
  --timeout SECONDS     until it must be ready, default 120
  --attest-port PORT    asks the enclave there (a message of 32 bytes, the nonce) for a document, and compares its PCRs with
                        the image's before any port to it or out of it opens. Without it the file is compared with what
                        nitro-cli says that it loaded, and out of it is open from the beginning
  --trust-anchor FILE   roots for that document in place of AWS's; repeatable

What leads to it and out of it, for this enclave alone:

  --publish [ADDRESS:]PORT:VSOCKPORT
                        a TCP port of this machine, on loopback unless an address is given; open when it is ready
  --allow HOST:PORT     a host that it may reach by CONNECT (createEgress); HOST:PORT,private for one in the VPC
  --egress-port PORT    the vsock port for that, default 8001
  --outbound VSOCKPORT:HOST:PORT
                        a vsock port that leads to one host: 8000:kms.eu-west-1.amazonaws.com:443
  --credentials         this machine's credentials at vsock port 8002, as enclavejs credentials serve
  --credentials-port PORT, --profile NAME
  --logs                prints its log (createLog of @enclavejs/vsock/log) on stdout, from vsock port 8006
  --log-port PORT       the same from another port

A program on the simulator:

  --entry FILE          the file in its folder, default main
  --argument WORD       for the program; repeatable
  --env KEY=VALUE       the same. Of this environment it gets PATH, HOME, TMPDIR and TZ

  --drain SECONDS       on SIGTERM, SIGINT or SIGHUP: how long open connections may still take, and then how long the
                        machine may; default 10. A second signal ends it at once
  --detach              returns when it is ready; its log and console are in enclavejs logs and console
  --no-console          does not repeat the console on stderr
  --json                every event as one line of JSON on stdout
  --help

Exit status: 0 ended because it was asked to, or detached and ready; 1 refused, not started or not ready (the code on
stderr); 2 wrong use; 3 it ended by itself after it was ready.`

const DEBUG =
  'enclavejs: DANGEROUS: debug mode. Its PCRs are zero, it proves no image, and this machine reads its console'

/** The enclave ended by itself. */
const ENDED_BY_ITSELF = 3
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** `enclavejs run`. */
export const run: Command = {
  summary: 'start an enclave and watch it: nitro-cli, QEMU or the simulator',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, RUN_FLAGS)
    const { path, options } = await readRunArguments(given)
    const drain = numberFlag(given, 'drain', { least: 0, most: 3600, unit: 'seconds' }) ?? 10
    for (const flag of ['credentials-port', 'profile']) {
      if (given.value(flag) !== undefined && !given.has('credentials')) {
        throw usage(`--${flag} goes with --credentials`)
      }
    }
    const json = given.has('json')
    return refusingLaunches(json, terminal, async () => {
      if (given.has('detach')) return detach(args, terminal)
      if (given.has('debug')) terminal.warn(DEBUG)
      const all = { ...options, ...(await services(given, terminal)) }
      return watch(path, all, given, drain * 1000, terminal)
    })
  },
}

async function watch(
  path: string,
  options: RunOptions,
  given: Arguments,
  grace: number,
  terminal: Terminal,
): Promise<number> {
  const { runEnclave } = await loadLauncher()
  const { formatLogEntry } = await loadLogPackage()
  const tell = reporter(given, terminal, formatLogEntry)
  const starting = new AbortController()
  let enclave: RunningEnclave | undefined
  const graces = [grace]
  const end = (name: string): void => {
    starting.abort(new Error(`ended by ${name}`))
    // The first signal lets connections end, the second does not.
    void enclave?.stop({ grace: graces.shift() ?? 0 }).catch(() => undefined)
  }
  for (const name of SIGNALS) process.on(name, end)
  try {
    const { signal } = starting
    enclave = await runEnclave(path, { ...options, signal, onEvent: tell })
    // It may have come when everything was open, and nothing asked any more.
    if (signal.aborted) void enclave.stop({ grace }).catch(() => undefined)
    process.send?.('ready')
    if (process.connected) process.disconnect()
    const { asked } = await enclave.ended
    return asked ? Exit.ACCEPTED : ENDED_BY_ITSELF
  } catch (error) {
    if (enclave !== undefined || !starting.signal.aborted) throw error
    terminal.warn(`enclavejs: ${(starting.signal.reason as Error).message} while it started`)
    return Exit.ACCEPTED
  } finally {
    for (const name of SIGNALS) process.off(name, end)
  }
}

async function services(given: Arguments, terminal: Terminal): Promise<Partial<RunOptions>> {
  if (!given.has('credentials')) return {}
  const { CREDENTIALS_PORT, ordinaryCredentials, serveCredentials } = await loadKmsPackage()
  const profile = given.value('profile')
  const provider = ordinaryCredentials(profile === undefined ? {} : { profile })
  const server = createServer()
  serveCredentials(server, provider, {
    onServed: ({ outcome, error }) => {
      if (outcome === 'served') return
      const why = error === undefined ? 'a malformed question' : (error as Error).message
      terminal.warn(`credentials: none given: ${why}`)
    },
  })
  const bounds = { least: 0, most: 0xffff_fffe, unit: 'a vsock port' }
  const port = numberFlag(given, 'credentials-port', bounds) ?? CREDENTIALS_PORT
  return { services: [{ port, server }] }
}

function reporter(
  given: Arguments,
  terminal: Terminal,
  formatEntry: Parameters<typeof describeRunEvent>[1],
): (event: RunEvent) => void {
  const bar = progressBar()
  const clock = waitingClock('enclavejs: waiting until it is ready,')
  const limited = lineLimit(200, (line) => terminal.warn(line))
  const json = given.has('json')
  return (event) => {
    if (event.type === 'measuring') {
      bar.show(event)
      return
    }
    bar.end()
    clock.clear()
    if (event.type === 'starting') clock.start()
    if (event.type === 'ready' || event.type === 'stopping') clock.stop()
    if (json) terminal.print(runEventToJson(event))
    if (event.type === 'console') {
      if (!given.has('no-console')) limited(`console: ${event.line}`)
      return
    }
    if (event.type === 'log' && json) return
    for (const line of describeRunEvent(event, formatEntry)) {
      if (event.type === 'log') terminal.print(line)
      else terminal.warn(line)
    }
  }
}

/** Runs the same in a process of its own, and repeats what it says until it is ready. */
function detach(args: readonly string[], terminal: Terminal): Promise<number> {
  const own = args.filter((one) => one !== '--detach')
  const program = process.argv[1] as string
  const child = spawn(process.execPath, [...process.execArgv, program, 'run', ...own], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  child.stdout?.on('data', (bytes: Uint8Array) => terminal.write(bytes))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n')) if (line !== '') terminal.warn(line)
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (status) => resolve(status ?? Exit.REFUSED))
    child.once('message', () => {
      child.unref()
      child.stdout?.destroy()
      child.stderr?.destroy()
      if (child.connected) child.disconnect()
      resolve(Exit.ACCEPTED)
    })
  })
}
