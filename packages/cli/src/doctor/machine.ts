import { constants } from 'node:fs'
import { access, readdir, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { isSimulatorRegistered, resolveSimulator } from '../simulator-package.ts'

/** What the doctor looks at. Files are read and listed; nothing is connected to, nothing is changed. */
export interface Machine {
  readonly platform: string
  readonly arch: string
  readonly nodeVersion: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether a simulator answers in this process. */
  readonly simulatorRegistered: boolean
  /** Where a program here would load the simulator from; undefined where it is not installed. */
  readonly simulatorPath: string | undefined
  /** The trimmed text of a file; undefined where it cannot be read. */
  text(path: string): Promise<string | undefined>
  /** The names in a folder; none where it cannot be read. */
  list(path: string): Promise<readonly string[]>
  /** Whether a device is there, and may be read and written by this user. */
  device(path: string): Promise<'usable' | 'denied' | 'absent'>
  /** Whether a program of this name is on the PATH. */
  program(name: string): Promise<boolean>
}

/** The machine that this runs on. */
export function thisMachine(): Machine {
  return {
    platform: process.platform,
    arch: process.arch,
    nodeVersion: process.versions.node,
    env: process.env,
    simulatorRegistered: isSimulatorRegistered(),
    simulatorPath: resolveSimulator('@enclavejs/simulator', process.cwd()),
    text: async (path) => {
      try {
        return (await readFile(path, 'utf8')).trim()
      } catch {
        return undefined
      }
    },
    list: async (path) => {
      try {
        return await readdir(path)
      } catch {
        return []
      }
    },
    device: async (path) => {
      try {
        await access(path, constants.R_OK | constants.W_OK)
        return 'usable'
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        return code === 'ENOENT' || code === 'ENOTDIR' ? 'absent' : 'denied'
      }
    },
    program: async (name) => {
      for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
        const found = await access(join(folder, name), constants.X_OK).then(
          () => true,
          () => false,
        )
        if (found) return true
      }
      return false
    },
  }
}
