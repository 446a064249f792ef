import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads'
import { ROOT_FILE } from './authority-directory.ts'
import {
  createCertificateAuthority,
  importCertificateAuthority,
  openCertificateAuthority,
} from './certificate-authority.ts'
import { readEnvironment } from './environment.ts'
import { SimulatorError } from './error.ts'
import type { SimulatedNsmOptions } from './nsm-options.ts'
import { createSimulatedNsm, type SimulatedNsm } from './nsm.ts'

/** What `globalThis[Symbol.for('enclavejs.simulator')]` holds: bytes in, bytes out. */
interface Registration {
  readonly version: 1
  readonly nsm: {
    readonly request: (bytes: Uint8Array) => Promise<Uint8Array>
    readonly requestSync: (bytes: Uint8Array) => Uint8Array
  }
}

/** What a worker thread needs to be on the same device as the thread that started it. */
interface Shared {
  readonly authority: string
  readonly nsm: Omit<SimulatedNsmOptions, 'certificateAuthority' | 'now'>
}

const KEY = 'enclavejs.simulator'
const DEVICE = '/dev/nsm'

/**
 * Gives this process (or, in a worker thread, this thread) the simulated device. Everything else
 * about it is in the README; `register` is nothing but a call of this.
 */
export async function registerSimulator(): Promise<void> {
  if (existsSync(DEVICE)) {
    throw new SimulatorError(
      'ERR_SIMULATOR_REAL_DEVICE',
      `${DEVICE} exists, so this may be an enclave: the simulator does not load here; start the program without --import @enclavejs/simulator/register`,
    )
  }
  const symbol = Symbol.for(KEY)
  if (Object.hasOwn(globalThis, symbol)) {
    throw new SimulatorError(
      'ERR_SIMULATOR_REGISTERED',
      'a simulator is registered in this process already: expected @enclavejs/simulator/register to be loaded once',
    )
  }
  const inherited = isMainThread ? undefined : (getEnvironmentData(KEY) as unknown)
  const nsm = inherited === undefined ? await first() : another(inherited as Shared)
  const registration: Registration = Object.freeze({
    version: 1,
    nsm: Object.freeze({
      request: (bytes: Uint8Array) => nsm.request(bytes),
      requestSync: (bytes: Uint8Array) => nsm.requestSync(bytes),
    }),
  })
  Object.defineProperty(globalThis, symbol, {
    value: registration,
    writable: false,
    configurable: false,
    enumerable: false,
  })
}

/** The device of a process, made in its first thread and left where worker threads find it. */
async function first(): Promise<SimulatedNsm> {
  const { directory, nsm: options } = readEnvironment(process.env)
  const certificateAuthority =
    directory === undefined
      ? await createCertificateAuthority()
      : await openCertificateAuthority(directory)
  const nsm = createSimulatedNsm({ ...options, certificateAuthority })
  certificateAuthority.issueLeaf(nsm.moduleId)
  const shared: Shared = {
    authority: certificateAuthority.export(),
    nsm: { ...options, moduleId: nsm.moduleId, sharedPcrs: nsm.sharedPcrs },
  }
  setEnvironmentData(KEY, shared as never)
  const root =
    directory === undefined
      ? 'its trust anchor is not kept (set ENCLAVEJS_SIMULATOR_DIR to keep it)'
      : `trust anchor ${join(resolve(directory), ROOT_FILE)}`
  process.stderr.write(`enclavejs: simulated NSM, attestation documents prove nothing; ${root}\n`)
  return nsm
}

function another(shared: Shared): SimulatedNsm {
  return createSimulatedNsm({
    ...shared.nsm,
    certificateAuthority: importCertificateAuthority(shared.authority),
  })
}
