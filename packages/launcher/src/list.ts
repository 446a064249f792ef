import type { Admission } from './admission.ts'
import { findNitroCli, type BackendKind } from './backend.ts'
import { readRecord, type EnclaveRecord } from './enclave-record.ts'
import { LauncherError, NitroCliError } from './error.ts'
import type { VsockPlace } from './machine.ts'
import { NitroCli, type NitroEnclave } from './nitro-cli.ts'
import { isRunning } from './process-identity.ts'
import { RunDirectory } from './run-directory.ts'
import { Host, type Surroundings } from './surroundings.ts'

/** An enclave that is known here. */
export interface EnclaveInfo {
  readonly name: string
  readonly backend: BackendKind
  /**
   * `unsupervised`: it runs, and the process that carried its proxy does not, or was none of ours. `gone`: only the record is left;
   * `stopEnclave` and the next run of this name remove it.
   */
  readonly state: 'starting' | 'running' | 'stopping' | 'unsupervised' | 'gone'
  /** 0 while nitro-cli has not said it. */
  readonly cid: number
  /** Where `connect` of `@enclavejs/vsock` reaches it. For a simulated one the simulator must be registered with `simulatorDirectory`. */
  readonly vsock: VsockPlace
  readonly simulatorDirectory: string | undefined
  readonly enclaveId: string | undefined
  readonly debugMode: boolean
  readonly memoryMib: number
  readonly cpus: number
  readonly startedAt: Date | undefined
  /** The path of its image or program. */
  readonly image: string | undefined
  /** PCRs of the image file when it was started, in hex. */
  readonly pcrs: Readonly<Record<string, string>> | undefined
  readonly admission: Admission | undefined
  readonly logPort: number | undefined
  /** The process that watches it. */
  readonly supervisorPid: number | undefined
}

/** What {@link listEnclaves} found. */
export interface EnclaveList {
  readonly enclaves: readonly EnclaveInfo[]
  /** Why enclaves of nitro-cli may be missing; undefined where none can. */
  readonly problem: NitroCliError | undefined
}

/** The enclaves of this user, and what is needed to end one. */
export interface Inventory extends EnclaveList {
  readonly host: Host
  readonly runs: RunDirectory
  readonly cli: NitroCli | undefined
  readonly records: ReadonlyMap<string, EnclaveRecord>
}

/**
 * The enclaves that this user has started with this package, alive or dead, and those that nitro-cli lists besides.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_RUN_DIRECTORY`
 * @example
 * ```ts
 * import { listEnclaves } from '@enclavejs/launcher'
 *
 * for (const { name, backend, state, cid } of (await listEnclaves()).enclaves) {
 *   console.log(name, backend, state, cid)
 * }
 * ```
 */
export async function listEnclaves(surroundings: Surroundings = {}): Promise<EnclaveList> {
  const { enclaves, problem } = await takeInventory(surroundings)
  return { enclaves, problem }
}

/**
 * The one enclave of a name; of any name where there is only one.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_NOT_FOUND`, `ERR_LAUNCHER_RUN_DIRECTORY`
 */
export async function findEnclave(
  name: string | undefined,
  surroundings: Surroundings = {},
): Promise<EnclaveInfo> {
  return pick(await takeInventory(surroundings), name)
}

/** @throws {LauncherError} `ERR_LAUNCHER_NOT_FOUND` */
export function pick({ enclaves, problem }: EnclaveList, name: string | undefined): EnclaveInfo {
  const found = name === undefined ? enclaves : enclaves.filter((one) => one.name === name)
  const [only, second] = found
  if (only !== undefined && second === undefined) return only
  if (name !== undefined && second !== undefined) throw ambiguous(name, found)
  const names = enclaves.map((one) => one.name).join(', ')
  const which = name === undefined ? 'a name is needed' : `there is no enclave called ${name}`
  const known = names === '' ? 'none is known' : `known are ${names}`
  const more = problem === undefined ? '' : `; ${problem.message}`
  throw new LauncherError('ERR_LAUNCHER_NOT_FOUND', `${which}: ${known}${more}`)
}

/** nitro-cli takes a name twice; a CID and an enclave's ID are one enclave's. */
function ambiguous(name: string, found: readonly EnclaveInfo[]): LauncherError {
  const which = found.map(({ cid, enclaveId }) => `CID ${cid} (${enclaveId ?? 'no ID'})`)
  const message = `${found.length} enclaves are called ${name}: ${which.join(', ')}. Say which by its CID, or by its ID to nitro-cli`
  return new LauncherError('ERR_LAUNCHER_NOT_FOUND', message)
}

export async function takeInventory(surroundings: Surroundings): Promise<Inventory> {
  const host = new Host(surroundings)
  const runs = RunDirectory.open(host, 'look')
  const found = await findNitroCli(host)
  const cli = typeof found === 'string' ? undefined : new NitroCli(found.command, host.env)
  const { listed, problem } = await ask(cli)
  const records = new Map<string, EnclaveRecord>()
  for (const name of runs.names()) {
    const record = readRecord(runs.folder(name))
    if (record?.name === name) records.set(name, record)
  }
  const own = [...records.values()].map((record) => infoOf(record, listed, problem))
  const ids = new Set(own.map(({ enclaveId }) => enclaveId))
  const others = listed.filter(({ enclaveId }) => !ids.has(enclaveId)).map(infoOfNitro)
  return { enclaves: [...own, ...others], problem, host, runs, cli, records }
}

async function ask(
  cli: NitroCli | undefined,
): Promise<{ listed: readonly NitroEnclave[]; problem: NitroCliError | undefined }> {
  if (cli === undefined) return { listed: [], problem: undefined }
  try {
    const { enclaves, complete } = await cli.list()
    const message = 'nitro-cli could not reach every enclave process; some may be missing'
    return {
      listed: enclaves,
      problem: complete ? undefined : new NitroCliError(undefined, message),
    }
  } catch (error) {
    if (error instanceof NitroCliError) return { listed: [], problem: error }
    throw error
  }
}

function infoOf(
  record: EnclaveRecord,
  listed: readonly NitroEnclave[],
  problem: NitroCliError | undefined,
): EnclaveInfo {
  const { vsockPath: path, cid, supervisor } = record
  const supervised = isRunning(supervisor)
  const alive =
    record.backend === 'nitro-cli'
      ? problem !== undefined || listed.some(({ enclaveId }) => enclaveId === record.enclaveId)
      : record.processes.some(isRunning)
  return {
    ...{ name: record.name, backend: record.backend, cid, debugMode: record.debugMode },
    state: supervised ? record.state : alive ? 'unsupervised' : 'gone',
    vsock: path === undefined ? { cid } : { path },
    simulatorDirectory: record.simulatorDirectory,
    ...{ enclaveId: record.enclaveId, memoryMib: record.memoryMib, cpus: record.cpus },
    ...{ startedAt: new Date(record.startedAt), image: record.image, pcrs: record.pcrs },
    ...{ admission: record.admission, logPort: record.logPort },
    supervisorPid: supervised ? supervisor.pid : undefined,
  }
}

function infoOfNitro(one: NitroEnclave): EnclaveInfo {
  return {
    ...{ name: one.name ?? one.enclaveId, backend: 'nitro-cli', cid: one.cid },
    state: one.state === 'TERMINATING' ? 'stopping' : 'unsupervised',
    ...{ vsock: { cid: one.cid }, simulatorDirectory: undefined, enclaveId: one.enclaveId },
    ...{ debugMode: one.debugMode, memoryMib: one.memoryMib, cpus: one.cpus },
    ...{ startedAt: undefined, image: undefined, pcrs: one.measurements, admission: undefined },
    ...{ logPort: undefined, supervisorPid: undefined },
  }
}
