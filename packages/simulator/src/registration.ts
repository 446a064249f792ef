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
import { openVsockDirectory, PARENT_CID } from './vsock-directory.ts'

/** What `globalThis[Symbol.for('enclavejs.simulator')]` holds: bytes in, bytes out. */
interface Registration {
  readonly version: 1
  /** The enclave's side only: a parent has no NSM. */
  readonly nsm?: {
    readonly request: (bytes: Uint8Array) => Promise<Uint8Array>
    readonly requestSync: (bytes: Uint8Array) => Uint8Array
  }
  readonly vsock: SimulatedVsock
}

interface SimulatedVsock {
  readonly directory: string
  readonly localCid: number
  readonly parentCid: number
}

/** What a worker thread needs to be on the same device as the thread that started it. */
interface Shared {
  readonly authority: string
  readonly nsm: Omit<SimulatedNsmOptions, 'certificateAuthority' | 'now'>
  readonly vsock: SimulatedVsock
}

interface Devices {
  readonly nsm: SimulatedNsm
  readonly vsock: SimulatedVsock
}

const KEY = 'enclavejs.simulator'
const DEVICE = '/dev/nsm'

/**
 * Gives this process (or, in a worker thread, this thread) the simulated device. Everything else
 * about it is in the README; `register` is nothing but a call of this.
 */
export async function registerSimulator(): Promise<void> {
  refuseSecond()
  const inherited = isMainThread ? undefined : (getEnvironmentData(KEY) as unknown)
  const { nsm, vsock } = inherited === undefined ? await first() : another(inherited as Shared)
  register({
    version: 1,
    nsm: Object.freeze({
      request: (bytes: Uint8Array) => nsm.request(bytes),
      requestSync: (bytes: Uint8Array) => nsm.requestSync(bytes),
    }),
    vsock: Object.freeze(vsock),
  })
}

/** Gives this process the parent's end of the simulated vsock; `register/parent` is nothing but a call of this. */
export function registerParent(): void {
  refuseSecond()
  const { directory } = readEnvironment(process.env)
  const inherited = isMainThread ? undefined : (getEnvironmentData(KEY) as unknown)
  const vsock = (inherited as SimulatedVsock | undefined) ?? {
    directory: openVsockDirectory(directory),
    localCid: PARENT_CID,
    parentCid: PARENT_CID,
  }
  if (inherited === undefined) setEnvironmentData(KEY, vsock as never)
  register({ version: 1, vsock: Object.freeze(vsock) })
}

function refuseSecond(): void {
  if (existsSync(DEVICE)) {
    throw new SimulatorError(
      'ERR_SIMULATOR_REAL_DEVICE',
      `${DEVICE} exists, so this may be an enclave: the simulator does not load here; start the program without --import @enclavejs/simulator/register`,
    )
  }
  if (Object.hasOwn(globalThis, Symbol.for(KEY))) {
    throw new SimulatorError(
      'ERR_SIMULATOR_REGISTERED',
      'a simulator is registered in this process already: expected @enclavejs/simulator/register, or register/parent, to be loaded once',
    )
  }
}

function register(registration: Registration): void {
  Object.defineProperty(globalThis, Symbol.for(KEY), {
    value: Object.freeze(registration),
    writable: false,
    configurable: false,
    enumerable: false,
  })
}

/** The devices of a process, made in its first thread and left where worker threads find them. */
async function first(): Promise<Devices> {
  const { directory, cid, nsm: options } = readEnvironment(process.env)
  const certificateAuthority =
    directory === undefined
      ? await createCertificateAuthority()
      : await openCertificateAuthority(directory)
  const nsm = createSimulatedNsm({ ...options, certificateAuthority })
  certificateAuthority.issueLeaf(nsm.moduleId)
  const vsock = {
    directory: openVsockDirectory(directory),
    localCid: cid,
    parentCid: PARENT_CID,
  }
  const shared: Shared = {
    authority: certificateAuthority.export(),
    nsm: { ...options, moduleId: nsm.moduleId, sharedPcrs: nsm.sharedPcrs },
    vsock,
  }
  setEnvironmentData(KEY, shared as never)
  const root =
    directory === undefined
      ? 'its trust anchor is not kept (set ENCLAVEJS_SIMULATOR_DIR to keep it)'
      : `trust anchor ${join(resolve(directory), ROOT_FILE)}`
  process.stderr.write(`enclavejs: simulated NSM, attestation documents prove nothing; ${root}\n`)
  return { nsm, vsock }
}

function another(shared: Shared): Devices {
  const nsm = createSimulatedNsm({
    ...shared.nsm,
    certificateAuthority: importCertificateAuthority(shared.authority),
  })
  return { nsm, vsock: shared.vsock }
}
