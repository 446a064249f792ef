import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LauncherError } from './error.ts'

const SIMULATOR = Symbol.for('enclavejs.simulator')

/**
 * The simulator's directory for this process, whose end of the simulated vsock is the parent's. A process has one; where
 * the application has registered a simulator itself, it is that one's.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_BACKEND`
 */
export async function joinSimulator(directory: string, from: string): Promise<string> {
  const registered = registeredDirectory()
  if (registered !== undefined) return registered
  const url = simulatorModule('@enclavejs/simulator/register/parent', from)
  const before = process.env['ENCLAVEJS_SIMULATOR_DIR']
  process.env['ENCLAVEJS_SIMULATOR_DIR'] = directory
  try {
    await import(url)
  } catch (cause) {
    const message = `the simulator does not start: ${(cause as Error).message}`
    throw new LauncherError('ERR_LAUNCHER_BACKEND', message, { cause })
  } finally {
    if (before === undefined) delete process.env['ENCLAVEJS_SIMULATOR_DIR']
    else process.env['ENCLAVEJS_SIMULATOR_DIR'] = before
  }
  return registeredDirectory() ?? directory
}

function registeredDirectory(): string | undefined {
  if (!Object.hasOwn(globalThis, SIMULATOR)) return undefined
  const value = (globalThis as Record<symbol, unknown>)[SIMULATOR]
  const { vsock } = value as { vsock?: { directory?: unknown } }
  const directory = typeof vsock?.directory === 'string' ? vsock.directory : ''
  if (basename(directory) === 'vsock') return dirname(directory)
  throw new LauncherError(
    'ERR_LAUNCHER_BACKEND',
    'a simulator is registered in this process without a directory where others meet it: set ENCLAVEJS_SIMULATOR_DIR, or load no register',
  )
}

/**
 * The URL of a module of the simulator, as the program at `from` would load it, or beside this package. It is no
 * dependency: an image for production must not contain it.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_BACKEND`
 */
export function simulatorModule(specifier: string, from: string): string {
  for (const place of [join(from, 'program.js'), join(process.cwd(), 'x.js'), import.meta.url]) {
    try {
      return pathToFileURL(createRequire(place).resolve(specifier)).href
    } catch {
      // Not installed there.
    }
  }
  throw new LauncherError(
    'ERR_LAUNCHER_BACKEND',
    'a program runs on the simulator, which is not installed: npm install --save-dev @enclavejs/simulator',
  )
}
