import { loadBinding } from './binding.ts'
import { NsmDevice } from './device.ts'
import { registeredSimulator } from './simulator.ts'
import { openTransport, type NsmTransport } from './transport.ts'

const DEVICE = '/dev/nsm'

/** Options of {@link openNsm}. Unknown names are refused. */
export interface OpenNsmOptions {
  /** The device node. Default `/dev/nsm`. */
  readonly path?: string
  /**
   * Milliseconds after which a call is rejected with `ERR_NSM_DEADLINE`, from 1 to 2147483647. Default 10000. A command
   * that the device has already begun cannot be taken back and may still take effect.
   */
  readonly deadline?: number
  /** An exchange of your own in the place of the device, for tests. Neither device nor simulator is looked for. */
  readonly transport?: NsmTransport
}

/**
 * Opens the Nitro Secure Module: `/dev/nsm`, or the simulator when one is registered in this process
 * (`node --import @enclavejs/simulator/register app.js`). Safe in worker threads; each device has a thread of its own.
 *
 * @throws {NsmError} `ERR_NSM_NOT_FOUND` outside an enclave, `ERR_NSM_ACCESS`, `ERR_NSM_OPEN`, `ERR_NSM_BINDING`,
 * `ERR_NSM_SIMULATOR_CONFLICT` when there are both a device and a simulator, `ERR_NSM_SIMULATOR_INVALID`
 *
 * @example
 * ```ts
 * import { randomBytes } from 'node:crypto'
 * import { openNsm } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * const document = await nsm.attestation({ nonce: randomBytes(32) })
 * ```
 */
export function openNsm(options: OpenNsmOptions = {}): NsmDevice {
  for (const name of Object.keys(options)) {
    if (name !== 'path' && name !== 'deadline' && name !== 'transport') {
      throw new TypeError(`openNsm takes path, deadline and transport, not ${name}`)
    }
  }
  const { path = DEVICE, deadline = 10_000, transport } = options
  if (typeof path !== 'string' || path.includes('\0')) {
    throw new TypeError('path must be a string without NUL')
  }
  if (typeof deadline !== 'number') throw new TypeError('deadline must be a number of milliseconds')
  if (!Number.isInteger(deadline) || deadline < 1 || deadline > 0x7fff_ffff) {
    throw new RangeError(`deadline must be an integer from 1 to 2147483647, and is ${deadline}`)
  }
  if (transport !== undefined) {
    if (typeof transport !== 'function') throw new TypeError('transport must be a function')
    return new NsmDevice('transport', transport, deadline)
  }
  const simulated = registeredSimulator([DEVICE, path])
  if (simulated !== undefined) return new NsmDevice('simulator', simulated, deadline)
  const native = openTransport(loadBinding(), path, deadline)
  return new NsmDevice('device', native, deadline, native.close)
}
