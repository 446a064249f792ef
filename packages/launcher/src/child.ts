import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { LauncherError } from './error.ts'
import { identityOf, type ProcessIdentity } from './process-identity.ts'

/** A program that was started as the leader of a process group of its own. */
export interface Child {
  readonly process: ChildProcess
  readonly identity: ProcessIdentity
  readonly ended: Promise<{ readonly status: number | undefined; readonly reason: string }>
}

/**
 * Starts a program in a process group of its own: an interrupt from the terminal is then the supervisor's alone, which ends
 * its children in order. They are killed when this process exits in another way.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_START`
 */
export async function startChild(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<Child> {
  const child = spawn(command, [...args], { ...options, detached: true })
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
  process.once('exit', kill)
  const ended = new Promise<{ status: number | undefined; reason: string }>((resolve) => {
    child.once('close', (status, signal) => {
      process.off('exit', kill)
      const reason = status === null ? `ended by ${signal ?? 'a signal'}` : `exit status ${status}`
      resolve({ status: status ?? undefined, reason })
    })
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => {
      process.off('exit', kill)
      const message = `${command} cannot be started: ${cause.message}`
      reject(new LauncherError('ERR_LAUNCHER_START', message, { cause }))
    })
  })
  child.on('error', () => undefined)
  const pid = child.pid as number
  // One that has ended already has no identity any more, and needs none.
  const identity = identityOf(pid) ?? { pid, startTime: 'ended', bootId: 'ended' }
  return { process: child, identity, ended }
}
