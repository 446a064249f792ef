import { createRequire } from 'node:module'
import { join } from 'node:path'

/**
 * Where the simulator would be loaded from: for a program in `directory`, or beside this command. It is never a
 * dependency of this package, because an image for production must not contain it.
 */
export function resolveSimulator(specifier: string, directory: string): string | undefined {
  for (const from of [join(directory, 'program.js'), import.meta.url]) {
    try {
      return createRequire(from).resolve(specifier)
    } catch {
      // Not installed there.
    }
  }
  return undefined
}

/** Whether this process runs on the simulator: an own property of globalThis, which only code can make. */
export function isSimulatorRegistered(): boolean {
  return Object.hasOwn(globalThis, Symbol.for('enclavejs.simulator'))
}
