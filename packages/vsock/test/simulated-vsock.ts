import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SIMULATOR = Symbol.for('enclavejs.simulator')

/** Registers a simulated vsock in this process, both ends at CID 3, as a simulator does. Returns what ends it. */
export function registerVsock(): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'vsock-'))
  Object.defineProperty(globalThis, SIMULATOR, {
    configurable: true,
    value: { version: 1, vsock: { directory, localCid: 3, parentCid: 3 } },
  })
  return () => {
    Reflect.deleteProperty(globalThis, SIMULATOR)
    rmSync(directory, { recursive: true, force: true })
  }
}
