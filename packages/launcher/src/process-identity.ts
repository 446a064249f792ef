import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** A process, and not another one that got its number later. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks from the boot of the machine to its start (proc(5), field 22 of stat); empty where there is no /proc. */
  readonly startTime: string
  /** The boot that these are counted from. */
  readonly bootId: string
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** The identity of a process that runs now; undefined where none does. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const bootId = read(BOOT_ID)?.trim() ?? ''
  if (bootId === '') return exists(pid) ? { pid, startTime: '', bootId } : undefined
  const stat = read(`/proc/${pid}/stat`)
  // The name in parentheses may hold anything, parentheses too.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state] = fields ?? []
  const startTime = fields?.[19]
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined
  return { pid, startTime, bootId }
}

/** Whether this very process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid)
  return now?.startTime === identity.startTime && now.bootId === identity.bootId
}

/** Sends a signal to the group that a process leads, if it still runs. */
export function signalGroup(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return
  try {
    process.kill(-identity.pid, signal)
  } catch {
    // It has ended meanwhile, or leads no group.
    try {
      process.kill(identity.pid, signal)
    } catch {
      // It has ended meanwhile.
    }
  }
}

/**
 * Ends processes with their groups: SIGTERM, and SIGKILL for those that still run after `grace` milliseconds.
 *
 * @returns whether it took SIGKILL, and which run in spite of it.
 */
export async function endProcesses(
  processes: readonly ProcessIdentity[],
  grace: number,
): Promise<{ readonly forced: boolean; readonly left: readonly ProcessIdentity[] }> {
  for (const one of processes) signalGroup(one, 'SIGTERM')
  if (await haveEnded(processes, grace)) return { forced: false, left: [] }
  for (const one of processes) signalGroup(one, 'SIGKILL')
  await haveEnded(processes, 5000)
  return { forced: true, left: processes.filter(isRunning) }
}

async function haveEnded(processes: readonly ProcessIdentity[], within: number): Promise<boolean> {
  const until = performance.now() + within
  while (processes.some(isRunning)) {
    if (performance.now() >= until) return false
    await wait(20)
  }
  return true
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
