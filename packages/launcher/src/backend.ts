import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { LauncherError } from './error.ts'
import { isExecutable, type Host } from './surroundings.ts'

/** What runs an enclave. */
export type BackendKind = 'nitro-cli' | 'qemu' | 'simulator'

/** A backend that can be used here, and why it is the one. */
export type Backend =
  | { readonly kind: 'nitro-cli'; readonly reason: string; readonly command: string }
  | { readonly kind: 'qemu'; readonly reason: string; readonly qemu: QemuPrograms }
  | { readonly kind: 'simulator'; readonly reason: string }

/** The programs of QEMU's nitro-enclave machine. */
export interface QemuPrograms {
  readonly system: string
  /** The other end of its vsock: vhost-device-vsock of rust-vmm. */
  readonly vsock: string
  /** Where a private installation has its firmware and libraries. */
  readonly firmware?: string
  readonly libraries?: string
}

export const BACKENDS: readonly BackendKind[] = ['nitro-cli', 'qemu', 'simulator']
const NITRO_DEVICE = '/dev/nitro_enclaves'

/**
 * Chooses what runs it. An image goes to nitro-cli where this is an enclave-enabled instance, otherwise to QEMU; a program
 * (a folder or a file of Node) goes to the simulator, which takes no image. On an enclave-enabled instance the simulator is
 * used only when it was asked for.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_BACKEND` with what is missing for each.
 */
export async function chooseBackend(
  host: Host,
  what: 'image' | 'program',
  wanted: BackendKind | undefined,
): Promise<Backend> {
  const refuse = (message: string): LauncherError =>
    new LauncherError('ERR_LAUNCHER_BACKEND', message)
  if (what === 'program' && (wanted ?? 'simulator') !== 'simulator') {
    throw refuse(`${wanted} runs images and this is a program: build one with enclavejs build`)
  }
  if (what === 'image' && wanted === 'simulator') {
    throw refuse(
      'the simulator runs a program (its folder, or a file of Node), not an image: nothing in it reads an EIF',
    )
  }
  if (what === 'program') {
    if (wanted === undefined && (await host.device(NITRO_DEVICE)) !== 'absent') {
      throw refuse(
        'this is an enclave-enabled instance and that is a program: build an image with enclavejs build, or ask for the simulator (--backend simulator), which protects nothing',
      )
    }
    const reason = wanted === undefined ? 'it is a program, not an image' : 'asked for'
    return { kind: 'simulator', reason }
  }
  const nitro = wanted === 'qemu' ? 'not asked for' : await findNitroCli(host)
  if (typeof nitro !== 'string') {
    const reason = wanted === undefined ? `${NITRO_DEVICE} is here` : 'asked for'
    return { kind: 'nitro-cli', reason, command: nitro.command }
  }
  if (wanted === 'nitro-cli') throw refuse(nitro)
  const qemu = await findQemu(host)
  if (typeof qemu !== 'string') {
    return { kind: 'qemu', reason: wanted === undefined ? nitro : 'asked for', qemu }
  }
  const reasons =
    wanted === 'qemu' ? qemu : `nitro-cli: ${nitro}. qemu: ${qemu}. simulator: ${NO_IMAGE}`
  throw refuse(`nothing here runs an image. ${reasons}`)
}

const NO_IMAGE = 'give the program itself (its folder) in place of the image'

/** nitro-cli, or why it cannot be used. */
export async function findNitroCli(host: Host): Promise<{ readonly command: string } | string> {
  const device = await host.device(NITRO_DEVICE)
  if (device === 'absent') {
    return `no ${NITRO_DEVICE}, this is no instance started with enclave options`
  }
  if (device === 'denied') {
    return `${NITRO_DEVICE} may not be opened by this user: usermod -aG ne USER, then log in again`
  }
  const command = await host.program('nitro-cli')
  return command === undefined
    ? 'no nitro-cli on the PATH: install aws-nitro-enclaves-cli'
    : { command }
}

/** A QEMU that has the nitro-enclave machine, or why there is none. */
async function findQemu(host: Host): Promise<QemuPrograms | string> {
  const folder = host.env['NITRO_QEMU_DIR']
  const own = folder !== undefined && folder !== ''
  const system = own
    ? join(folder, 'bin/qemu-system-x86_64')
    : await host.program('qemu-system-x86_64')
  const vsock = own
    ? join(folder, 'bin/vhost-device-vsock')
    : await host.program('vhost-device-vsock')
  if (system === undefined || !(await isExecutable(system))) {
    return own ? `${system} cannot be run` : 'no qemu-system-x86_64 on the PATH'
  }
  const programs = {
    ...{ system, vsock: vsock ?? '' },
    ...(own && { firmware: join(folder, 'share'), libraries: join(folder, 'lib') }),
  }
  const machines = await listMachines(host, programs)
  if (machines === undefined) return `${system} -M help fails`
  if (!/^nitro-enclave\s/m.test(machines)) {
    return `${system} has no nitro-enclave machine: QEMU 9.2 or later, built with libcbor and gnutls`
  }
  if (vsock === undefined || !(await isExecutable(vsock))) {
    return own ? `${vsock ?? ''} cannot be run` : 'no vhost-device-vsock on the PATH'
  }
  return programs
}

function listMachines(host: Host, programs: QemuPrograms): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { env: qemuEnvironment(host, programs), timeout: 20_000, maxBuffer: 2 ** 20 }
    execFile(programs.system, ['-M', 'help'], options, (error, stdout) => {
      resolve(error === null ? stdout : undefined)
    })
  })
}

/** The environment of QEMU: this one, and its libraries where it brings its own. */
export function qemuEnvironment(host: Host, { libraries }: QemuPrograms): NodeJS.ProcessEnv {
  return { ...host.env, ...(libraries !== undefined && { LD_LIBRARY_PATH: libraries }) }
}
