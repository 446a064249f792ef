import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArguments } from '../arguments.ts'
import type { Command } from '../command.ts'
import { CliError, usage } from '../error.ts'
import { resolveSimulator } from '../simulator-package.ts'

const HELP = `enclavejs simulate [flags] -- COMMAND [ARGUMENTS…]

Runs a program of Node unchanged on a simulated Nitro Secure Module, for development. Its documents end in a root of
the simulator, which no verifier accepts unless it is given as a trust anchor. Needs @enclavejs/simulator, as a
devDependency; refuses where /dev/nsm exists.

  --dir DIR       keep the certificate authority there, with its root in DIR/root.pem; processes given the same
                  directory share it. Default: a new one for each process
  --image NAME    PCR0, 1 and 2 are made from this name
  --debug-mode    a debug enclave: PCR0, 1, 2 and 8 are zero
  --help

With --kms COMMAND also finds what an enclave has on its parent: a simulated KMS at vsock port 8000 and credentials at
vsock port 8002; and on loopback IMDSv2, which AWS's own clients are told of, and the same KMS. COMMAND is told in
ENCLAVEJS_SIMULATED_KMS_KEY (the ARN of a key), ENCLAVEJS_SIMULATED_KMS_CA (a file with the CA of its TLS) and
ENCLAVEJS_SIMULATED_KMS_ADDRESS. It has to take them into its own configuration: no client does so by itself.

  --kms                start them
  --key-policy FILE    the policy of the key. Default: what it has, and the account may do all with a new one
  --role NAME          the role of the instance, in PCR3 too. Default enclave
  --region REGION      default eu-west-1

Where COMMAND is node, it is started with --import; every other command gets it in NODE_OPTIONS, for the programs of
Node that it starts.

Exit status: that of COMMAND, 128 + N when signal N ended it; 2 wrong use.`

/** `enclavejs simulate`. */
export const simulate: Command = {
  summary: 'run a program on a simulated Nitro Secure Module',
  help: HELP,
  async run(args) {
    const separator = args.indexOf('--')
    const [command, ...rest] = separator < 0 ? [] : args.slice(separator + 1)
    const given = parseArguments(separator < 0 ? args : args.slice(0, separator), {
      dir: { type: 'string' },
      image: { type: 'string' },
      'debug-mode': { type: 'boolean' },
      kms: { type: 'boolean' },
      'key-policy': { type: 'string' },
      role: { type: 'string' },
      region: { type: 'string' },
    })
    const [stray] = given.positionals
    if (stray !== undefined) throw usage(`${JSON.stringify(stray)}: put -- before the command`)
    if (command === undefined) throw usage('simulate: -- COMMAND is missing')
    for (const flag of ['key-policy', 'role', 'region']) {
      if (given.value(flag) !== undefined && !given.has('kms'))
        throw usage(`--${flag} goes with --kms`)
    }
    const url = moduleUrl('@enclavejs/simulator/register')
    const aws = given.has('kms') ? await startAws(given) : undefined
    const env = { ...process.env, ...variables(given), ...aws?.environment }
    const isNode = /^node(?:\.exe)?$/.test(basename(command))
    if (!isNode) env['NODE_OPTIONS'] = `${env['NODE_OPTIONS'] ?? ''} --import ${url}`.trim()
    try {
      return await start(command, isNode ? ['--import', url, ...rest] : rest, env)
    } finally {
      await aws?.close()
    }
  },
}

/** What is used here of `@enclavejs/simulator/aws`, which this package does not depend on. */
interface SimulatedAws {
  readonly environment: Readonly<Record<string, string>>
  close(): Promise<void>
}

interface AwsModule {
  readonly startSimulatedAws: (options: Readonly<Record<string, string>>) => Promise<SimulatedAws>
}

async function startAws(given: ReturnType<typeof parseArguments>): Promise<SimulatedAws> {
  const { startSimulatedAws } = (await import(moduleUrl('@enclavejs/simulator/aws'))) as AwsModule
  const options: Record<string, string> = {}
  const file = given.value('key-policy')
  if (file !== undefined) options['policy'] = readPolicy(file)
  const names = { dir: 'directory', role: 'role', region: 'region' } as const
  for (const [flag, option] of Object.entries(names)) {
    const value = given.value(flag)
    if (value !== undefined) options[option] = value
  }
  try {
    return await startSimulatedAws(options)
  } catch (cause) {
    throw usage(`--kms: ${(cause as Error).message}`, { cause })
  }
}

function readPolicy(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const message = `--key-policy: ${file} cannot be read: ${(cause as Error).message}`
    throw new CliError('ERR_CLI_FILE', message, { cause })
  }
}

function moduleUrl(specifier: string): string {
  const file = resolveSimulator(specifier, process.cwd())
  if (file !== undefined) return pathToFileURL(file).href
  throw new CliError(
    'ERR_CLI_PACKAGE',
    'this needs @enclavejs/simulator: npm install --save-dev @enclavejs/simulator',
  )
}

function variables(given: ReturnType<typeof parseArguments>): Record<string, string> {
  const set: Record<string, string> = {}
  const directory = given.value('dir')
  const image = given.value('image')
  if (directory !== undefined) set['ENCLAVEJS_SIMULATOR_DIR'] = directory
  if (image !== undefined) set['ENCLAVEJS_SIMULATOR_IMAGE'] = image
  if (given.has('debug-mode')) set['ENCLAVEJS_SIMULATOR_DEBUG_MODE'] = '1'
  return set
}

/** Runs the command on this terminal; the signals that end a program are handed on, and its status is taken over. */
async function start(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(command, args, { stdio: 'inherit', env })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal)
  for (const signal of signals) process.on(signal, forward)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', (cause) =>
        reject(usage(`${command} cannot be started: ${cause.message}`, { cause })),
      )
      child.on('close', (status, signal) =>
        resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      )
    })
  } finally {
    for (const signal of signals) process.off(signal, forward)
  }
}
