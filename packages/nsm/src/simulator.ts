import { lstatSync } from 'node:fs'
import { NsmError } from './error.ts'
import type { NsmTransport } from './transport.ts'

/**
 * Where a simulator registers itself: an own property of `globalThis` under this symbol. A symbol, and an own property,
 * because neither a polluted prototype nor parsed data nor an environment variable can make one.
 */
const SIMULATOR = Symbol.for('enclavejs.simulator')

/** What a simulator puts there. */
interface Simulator {
  readonly version: 1
  readonly nsm: {
    request(bytes: Uint8Array): Promise<Uint8Array>
    requestSync(bytes: Uint8Array): Uint8Array
  }
}

/**
 * The transport of the registered simulator; undefined when none is registered.
 *
 * @throws {NsmError} `ERR_NSM_SIMULATOR_CONFLICT`, `ERR_NSM_SIMULATOR_INVALID`
 */
export function registeredSimulator(devicePaths: readonly string[]): NsmTransport | undefined {
  if (!Object.hasOwn(globalThis, SIMULATOR)) return undefined
  const registered = (globalThis as Record<symbol, unknown>)[SIMULATOR]
  const device = devicePaths.find(exists)
  if (device !== undefined) {
    const message = `${device} exists and a simulator is registered in this process: remove \`--import @enclavejs/simulator/register\` from the command line of the enclave. Nothing is opened while both are there.`
    throw new NsmError('ERR_NSM_SIMULATOR_CONFLICT', message)
  }
  // A parent, which has a vsock and no NSM.
  if (own(registered, 'version') === 1 && own(registered, 'vsock') && !own(registered, 'nsm')) {
    return undefined
  }
  const { nsm } = simulator(registered)
  return Object.assign((bytes: Uint8Array) => nsm.request(bytes.slice()), {
    requestSync: (bytes: Uint8Array) => nsm.requestSync(bytes.slice()),
  })
}

function simulator(value: unknown): Simulator {
  const nsm = own(value, 'nsm')
  if (
    own(value, 'version') !== 1 ||
    typeof own(nsm, 'request') !== 'function' ||
    typeof own(nsm, 'requestSync') !== 'function'
  ) {
    const message = `globalThis[Symbol.for('enclavejs.simulator')] is not a simulator of version 1: install the @enclavejs/simulator that belongs to this @enclavejs/nsm`
    throw new NsmError('ERR_NSM_SIMULATOR_INVALID', message)
  }
  return value as Simulator
}

function own(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? (object as Record<string, unknown>)[name]
    : undefined
}

/** Anything but a clear "no such file" counts as a device. */
function exists(path: string): boolean {
  try {
    lstatSync(path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code !== 'ENOENT' && code !== 'ENOTDIR'
  }
}
