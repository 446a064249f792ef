import { execFile } from 'node:child_process'
import { NitroCliError } from './error.ts'
import { explainNitroCode } from './nitro-cli-explanation.ts'

/** What nitro-cli says of a running enclave. */
export interface NitroEnclave {
  readonly enclaveId: string
  /** Names came with nitro-cli 1.1. */
  readonly name: string | undefined
  readonly cid: number
  readonly cpus: number
  readonly cpuIds: readonly number[]
  readonly memoryMib: number
  /** `RUNNING`, `TERMINATING` or `EMPTY`. Empty from `run-enclave`, which does not say. */
  readonly state: string
  readonly debugMode: boolean
  /** What nitro-cli computed of the file that it loaded; not what the hypervisor measured. Newer versions say it. */
  readonly measurements: Readonly<Record<string, string>> | undefined
}

const LONGEST_OUTPUT = 2 ** 20

/** nitro-cli by its command line and its JSON. Every call is a process with a deadline. */
export class NitroCli {
  readonly #command: string
  readonly #env: Readonly<Record<string, string | undefined>>

  constructor(command: string, env: Readonly<Record<string, string | undefined>>) {
    this.#command = command
    this.#env = env
  }

  get command(): string {
    return this.#command
  }

  /** Starts an enclave and waits for its heartbeat, as `nitro-cli run-enclave` does. */
  async run(
    options: {
      readonly image: string
      readonly name: string
      readonly memoryMib: number
      readonly cpus: number
      readonly cid?: number
      readonly debugMode: boolean
    },
    timeout: number,
    signal?: AbortSignal,
  ): Promise<NitroEnclave> {
    const { image, name, memoryMib, cpus, cid, debugMode } = options
    const flags = [
      ...['run-enclave', '--eif-path', image, '--enclave-name', name],
      ...['--cpu-count', String(cpus), '--memory', String(memoryMib)],
      ...(cid === undefined ? [] : ['--enclave-cid', String(cid)]),
      ...(debugMode ? ['--debug-mode'] : []),
    ]
    const { status, stdout, stderr } = await this.#exec(flags, timeout, signal)
    if (status !== 0) throw nitroFailure('run-enclave', status, stderr)
    return readEnclave(readJson(stdout, 'run-enclave'), 'run-enclave')
  }

  /**
   * The enclaves that run. nitro-cli prints those that it reached and then fails where it could not reach one: `complete` is
   * false then, and an enclave that is not in the list may be running.
   */
  async list(
    timeout = 30_000,
  ): Promise<{ readonly enclaves: readonly NitroEnclave[]; readonly complete: boolean }> {
    const { status, stdout, stderr } = await this.#exec(['describe-enclaves'], timeout)
    if (status !== 0 && !stdout.trimStart().startsWith('[')) {
      throw nitroFailure('describe-enclaves', status, stderr)
    }
    const list = readJson(stdout, 'describe-enclaves')
    if (!Array.isArray(list)) throw unreadable('describe-enclaves')
    const enclaves = list.map((one) => readEnclave(one, 'describe-enclaves'))
    return { enclaves, complete: status === 0 }
  }

  async terminate(enclaveId: string, timeout = 60_000): Promise<void> {
    const flags = ['terminate-enclave', '--enclave-id', enclaveId]
    const { status, stdout, stderr } = await this.#exec(flags, timeout)
    if (status !== 0) throw nitroFailure('terminate-enclave', status, stderr)
    const answer = readJson(stdout, 'terminate-enclave') as { Terminated?: unknown }
    if (answer.Terminated !== true) {
      throw new NitroCliError(undefined, 'nitro-cli terminate-enclave did not end the enclave')
    }
  }

  #exec(
    flags: readonly string[],
    timeout: number,
    signal?: AbortSignal,
  ): Promise<{ status: number | string; stdout: string; stderr: string }> {
    const options = {
      env: { ...this.#env, BACKTRACE: '' },
      ...{ timeout, maxBuffer: LONGEST_OUTPUT, killSignal: 'SIGKILL' as const },
      ...(signal && { signal }),
    }
    return new Promise((resolve, reject) => {
      execFile(this.#command, flags, options, (error, stdout, stderr) => {
        const { code, killed } = (error ?? {}) as { code?: number | string; killed?: boolean }
        if (signal?.aborted === true) reject(signal.reason as Error)
        else if (error === null) resolve({ status: 0, stdout, stderr })
        else if (typeof code === 'number') resolve({ status: code, stdout, stderr })
        else {
          const why =
            killed === true ? `no end within ${timeout} ms` : String(code ?? error.message)
          const message = `nitro-cli ${flags[0]}: ${why}`
          reject(new NitroCliError(undefined, message, { cause: error }))
        }
      })
    })
  }
}

/** A failure in nitro-cli's own words, shortened, and what to do about it. */
function nitroFailure(command: string, status: number | string, stderr: string): NitroCliError {
  const codes = [...stderr.matchAll(/^\[ (E\d\d) \] ([^\n]*)/gm)]
  const [, code, text = ''] = codes[0] ?? []
  const log = /error log found at "([^"\n]{1,200})"/.exec(stderr)?.[1]
  const parts = [
    code === undefined
      ? `nitro-cli ${command} ended with ${status}: ${lastLine(stderr)}`
      : `nitro-cli ${command}: [${code}] ${text.slice(0, 300)}`,
    ...(code === undefined ? [] : [explainNitroCode(code)]),
    ...(log === undefined ? [] : [`Its log: ${log}`]),
  ]
  return new NitroCliError(code, parts.filter((part) => part !== '').join(' '))
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? ''
}

function readJson(stdout: string, command: string): unknown {
  try {
    return JSON.parse(stdout)
  } catch (cause) {
    throw unreadable(command, cause)
  }
}

function readEnclave(value: unknown, command: string): NitroEnclave {
  const fields = (value ?? {}) as Readonly<Record<string, unknown>>
  const number = (key: string): number => {
    const found = fields[key]
    if (Number.isSafeInteger(found) && (found as number) >= 0) return found as number
    throw unreadable(command)
  }
  const text = (key: string): string | undefined =>
    typeof fields[key] === 'string' ? fields[key] : undefined
  const enclaveId = text('EnclaveID')
  if (enclaveId === undefined || !/^[\w-]{1,100}$/.test(enclaveId)) throw unreadable(command)
  const cpuIds = Array.isArray(fields['CPUIDs']) ? (fields['CPUIDs'] as unknown[]) : []
  return {
    enclaveId,
    name: text('EnclaveName'),
    cid: number('EnclaveCID'),
    cpus: number('NumberOfCPUs'),
    cpuIds: cpuIds.filter((one): one is number => Number.isSafeInteger(one)),
    memoryMib: number('MemoryMiB'),
    state: text('State') ?? '',
    debugMode: (text('Flags') ?? '').includes('DEBUG_MODE'),
    measurements: readMeasurements(fields['Measurements']),
  }
}

function readMeasurements(value: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found = Object.entries(value).flatMap(([key, hex]) => {
    const index = /^PCR(\d{1,2})$/.exec(key)?.[1]
    const isDigest = typeof hex === 'string' && /^[0-9a-f]{96}$/.test(hex)
    return index !== undefined && isDigest ? [[index, hex] as const] : []
  })
  return Object.fromEntries(found)
}

function unreadable(command: string, cause?: unknown): NitroCliError {
  return new NitroCliError(
    undefined,
    `nitro-cli ${command}: its answer is not the JSON that nitro-cli 1.1 to 1.5 prints`,
    { cause },
  )
}
