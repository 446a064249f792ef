import { statSync } from 'node:fs'
import { readRecord } from './enclave-record.ts'
import { LauncherError } from './error.ts'
import { isRunning } from './process-identity.ts'
import type { RunDirectory } from './run-directory.ts'

/** Between the making of a folder and its record; a folder without one is left alone so long. */
const YOUNG = 5000

/**
 * Takes a name. What a supervisor left behind that is gone, machine and all, is removed.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_NAME`
 */
export function claimName(runs: RunDirectory, name: string): void {
  if (runs.claim(name)) return
  const record = readRecord(runs.folder(name))
  const refuse = (message: string): LauncherError =>
    new LauncherError('ERR_LAUNCHER_NAME', `${name}: ${message}`)
  if (record === undefined) {
    const made = statSync(runs.folder(name), { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (Date.now() - made < YOUNG) throw refuse('another process is starting it')
  } else if (isRunning(record.supervisor)) {
    throw refuse(`it runs already: give another --name, or enclavejs stop ${name}`)
  } else if (record.backend === 'nitro-cli' || record.processes.some(isRunning)) {
    throw refuse(`its supervisor is gone and it may run on: enclavejs stop ${name}`)
  }
  runs.release(name)
  if (!runs.claim(name)) throw refuse('another process is starting it')
}
