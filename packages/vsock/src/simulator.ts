import { existsSync } from 'node:fs'
import { VsockError } from './error.ts'

/**
 * Where a simulator registers itself: an own property of `globalThis` under this symbol. A symbol, and an own property,
 * because neither a polluted prototype nor parsed data nor an environment variable can make one.
 */
const SIMULATOR = Symbol.for('enclavejs.simulator')
const DEVICE = '/dev/nsm'

/** A vsock made of Unix sockets: the listener at a CID and port is the socket `directory/CID_PORT`. */
export interface SimulatedVsock {
  readonly directory: string
  readonly localCid: number
  readonly parentCid: number
}

/**
 * The vsock of the registered simulator; undefined when none is registered.
 *
 * @throws {VsockError} `ERR_VSOCK_SIMULATOR_CONFLICT`, `ERR_VSOCK_SIMULATOR_INVALID`
 */
export function registeredSimulator(device: string = DEVICE): SimulatedVsock | undefined {
  if (!Object.hasOwn(globalThis, SIMULATOR)) return undefined
  const value = (globalThis as Record<symbol, unknown>)[SIMULATOR]
  if (existsSync(device)) {
    const message = `${device} exists and a simulator is registered in this process: remove \`--import @enclavejs/simulator/register\` from the command line of the enclave. Nothing is opened while both are there.`
    throw new VsockError('ERR_VSOCK_SIMULATOR_CONFLICT', message)
  }
  const vsock = own(value, 'vsock')
  const directory = own(vsock, 'directory')
  const localCid = own(vsock, 'localCid')
  const parentCid = own(vsock, 'parentCid')
  if (
    own(value, 'version') !== 1 ||
    typeof directory !== 'string' ||
    !Number.isInteger(localCid) ||
    !Number.isInteger(parentCid)
  ) {
    const message = `globalThis[Symbol.for('enclavejs.simulator')] is not a simulator with a vsock: install the @enclavejs/simulator that belongs to this @enclavejs/vsock`
    throw new VsockError('ERR_VSOCK_SIMULATOR_INVALID', message)
  }
  return { directory, localCid: localCid as number, parentCid: parentCid as number }
}

function own(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? (object as Record<string, unknown>)[name]
    : undefined
}

let last = 1024 + Math.floor(Math.random() * 2 ** 30)

/** A port that no other socket of this process has, as the kernel gives them: rising from a random start above 1023. */
export function ephemeralPort(): number {
  last += 1
  return last
}
