import { setTimeout as wait } from 'node:timers/promises'
import { askToStop } from './control-socket.ts'
import { LauncherError } from './error.ts'
import { pick, takeInventory, type EnclaveInfo, type Inventory } from './list.ts'
import { integerOption, ownOptions } from './option.ts'
import { endProcesses, isRunning, type ProcessIdentity } from './process-identity.ts'
import { refuseLeft } from './qemu-machine.ts'
import type { Surroundings } from './surroundings.ts'

/** Settings of {@link stopEnclave}. */
export interface StopOptions {
  /** Milliseconds for its supervisor to end it, 0 to 600,000; then force is used. 30,000 unless given. */
  readonly timeout?: number
  readonly surroundings?: Surroundings
}

/** What {@link stopEnclave} did. */
export interface StopResult {
  readonly name: string
  /**
   * `stopped`: its supervisor ended it, connections first. `forced`: the enclave was ended without its supervisor. `removed`: it had
   * ended, and what was left of it is removed.
   */
  readonly how: 'stopped' | 'forced' | 'removed'
}

/**
 * Ends an enclave, whoever started it: its supervisor is asked; where there is none, or it does not do it in time, the
 * enclave is ended directly. Without a name it must be the only one.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_NOT_FOUND`, `ERR_LAUNCHER_STOP`, `ERR_LAUNCHER_NITRO_CLI`, `ERR_LAUNCHER_RUN_DIRECTORY`
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { stopEnclave } from '@enclavejs/launcher'
 *
 * const { how } = await stopEnclave('web')
 * ```
 */
export async function stopEnclave(name?: string, options: StopOptions = {}): Promise<StopResult> {
  const given = ownOptions(options, ['timeout', 'surroundings'], 'stopEnclave')
  const timeout = integerOption('timeout', given.timeout ?? 30_000, 0, 600_000)
  const inventory = await takeInventory(given.surroundings ?? {})
  const info = pick(inventory, name)
  const how = await end(info, inventory, timeout)
  return { name: info.name, how }
}

async function end(
  info: EnclaveInfo,
  { runs, cli, records }: Inventory,
  timeout: number,
): Promise<StopResult['how']> {
  const record = records.get(info.name)
  if (info.state === 'gone') {
    runs.release(info.name)
    return 'removed'
  }
  if (record !== undefined && isRunning(record.supervisor)) {
    if (timeout > 0 && (await askToStop(runs.folder(info.name), timeout))) return 'stopped'
  }
  if (info.backend === 'nitro-cli' && info.enclaveId !== undefined) {
    if (cli === undefined) {
      throw new LauncherError('ERR_LAUNCHER_STOP', `${info.name}: nitro-cli is not here any more`)
    }
    await cli.terminate(info.enclaveId)
  }
  if (record === undefined) return 'forced'
  const { left } = await endProcesses(record.processes, 2000)
  refuseLeft(left.length)
  await endSupervisor(record.supervisor)
  runs.release(info.name)
  return 'forced'
}

/** It notices that its enclave has ended, and ends by itself; one that hangs is killed. Its process group is not ours. */
async function endSupervisor(supervisor: ProcessIdentity): Promise<void> {
  if (supervisor.pid === process.pid) return
  for (let tries = 0; isRunning(supervisor) && tries < 60; tries++) {
    if (tries === 10) signal(supervisor, 'SIGTERM')
    if (tries === 30) signal(supervisor, 'SIGKILL')
    await wait(100)
  }
}

function signal({ pid }: ProcessIdentity, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}
