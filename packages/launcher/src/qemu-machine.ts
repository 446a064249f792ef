import { createWriteStream, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { qemuEnvironment, type QemuPrograms } from './backend.ts'
import { startChild, type Child } from './child.ts'
import { LauncherError } from './error.ts'
import type { Launch, Machine } from './machine.ts'
import { endProcesses, isRunning, signalGroup } from './process-identity.ts'

/**
 * What is added to the image's command line, which QEMU does without measuring it: the parent is CID 2 here, and a restart
 * through the keyboard controller does not end this machine.
 */
const APPEND = 'enclave.heartbeat_cid=2 reboot=t'

/**
 * Linux queues a request to the NSM and the room for its answer one after the other, and then kicks. QEMU's NSM wants both at
 * once and stops for good if it looks between the two, as it may when kicks come late, by an eventfd. So they come at once.
 */
const KICKS_AT_ONCE = ['-global', 'virtio-mmio.ioeventfd=off']
const INSTANCE = 'i-00000000000000000'

/** Milliseconds in which KVM either prints something or is known not to work here. */
const KVM_TRIAL = 5000

/**
 * Boots an image on QEMU's nitro-enclave machine, with vhost-device-vsock as the other end of its vsock. With KVM where it can
 * be used (`ENCLAVEJS_QEMU_ACCEL=tcg` says not to); where QEMU dies of it, as in some virtual machines, by emulation.
 */
export async function startQemu(programs: QemuPrograms, launch: Launch): Promise<Machine> {
  const kvm = (await launch.host.device('/dev/kvm')) === 'usable'
  if (kvm && launch.host.env['ENCLAVEJS_QEMU_ACCEL'] !== 'tcg') {
    let spoke: () => void = () => undefined
    const spoken = new Promise<undefined>((resolve) => (spoke = () => resolve(undefined)))
    const onConsole = (bytes: Uint8Array): void => {
      spoke()
      launch.onConsole(bytes)
    }
    const machine = await boot(programs, { ...launch, onConsole }, 'kvm')
    const early = await Promise.race([machine.ended, spoken, wait(KVM_TRIAL)])
    if (early === undefined || early.status === 0) return machine
  }
  return boot(programs, launch, 'tcg')
}

async function boot(
  programs: QemuPrograms,
  launch: Launch,
  accelerator: 'kvm' | 'tcg',
): Promise<Machine> {
  const { host, folder, signal } = launch
  const cid = launch.cid as number
  const [vhost, path] = [join(folder, 'vhost'), join(folder, 'host')]
  for (const left of [vhost, path]) rmSync(left, { force: true })
  const vsock = await startChild(
    programs.vsock,
    ['--guest-cid', String(cid), '--socket', vhost, '--uds-path', path],
    { env: { ...host.env }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  keepTail(vsock, join(folder, 'vsock.log'))
  try {
    await waitForSocket(vsock, vhost, launch)
    const enclaveId = `${INSTANCE}-enc${String(cid).padStart(16, '0')}`
    const flags = qemuArguments(programs, launch, enclaveId, accelerator)
    const machine = await startChild(programs.system, flags, {
      env: {
        ...qemuEnvironment(host, programs),
        ...(launch.debugMode && { NITRO_DEBUG_MODE: '1' }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const said = keepTail(machine, join(folder, 'qemu.log'), 'stderr')
    machine.process.stdout?.on('data', launch.onConsole)
    // Neither is of use without the other.
    void vsock.ended.then(() => signalGroup(machine.identity, 'SIGTERM'))
    const processes = [machine.identity, vsock.identity]
    const ended = machine.ended.then(async ({ status, reason }) => {
      await endProcesses([vsock.identity], 2000)
      return { status, reason: status === 0 ? reason : `${reason}${said()}` }
    })
    if (signal.aborted) await endProcesses(processes, 1000)
    signal.throwIfAborted()
    return {
      ...{ backend: 'qemu', cid, vsock: { path }, enclaveId, processes, ended },
      ...{ memoryMib: launch.memoryMib, cpus: launch.cpus, debugMode: launch.debugMode },
      fileMeasurements: undefined,
      async end(grace) {
        const { forced, left } = await endProcesses([machine.identity], grace)
        const rest = await endProcesses([vsock.identity], 2000)
        refuseLeft([...left, ...rest.left].length)
        await ended
        return { forced }
      },
    }
  } catch (error) {
    await endProcesses([vsock.identity], 1000)
    throw error
  }
}

/** @throws {LauncherError} `ERR_LAUNCHER_STOP` */
export function refuseLeft(count: number): void {
  if (count === 0) return
  throw new LauncherError('ERR_LAUNCHER_STOP', `${count} processes run in spite of SIGKILL`)
}

function qemuArguments(
  { firmware }: QemuPrograms,
  { folder, path, memoryMib, cpus, role }: Launch,
  enclaveId: string,
  accelerator: 'kvm' | 'tcg',
): string[] {
  const parent = [`parent-id=${INSTANCE}`, ...(role === undefined ? [] : [`parent-role=${role}`])]
  return [
    ...(firmware === undefined ? [] : ['-L', firmware]),
    ...['-M', ['nitro-enclave', 'vsock=c', `id=${enclaveId}`, ...parent].join(',')],
    ...['-accel', accelerator, '-cpu', 'max', '-smp', String(cpus), '-m', String(memoryMib)],
    ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot'],
    ...['-chardev', `socket,id=c,path=${join(folder, 'vhost').replaceAll(',', ',,')}`],
    ...KICKS_AT_ONCE,
    ...['-kernel', path, '-append', APPEND],
  ]
}

async function waitForSocket(
  vsock: Child,
  path: string,
  { timeout, signal }: Launch,
): Promise<void> {
  const until = performance.now() + Math.min(timeout, 10_000)
  while (!existsSync(path)) {
    signal.throwIfAborted()
    if (!isRunning(vsock.identity) || performance.now() > until) {
      throw new LauncherError(
        'ERR_LAUNCHER_START',
        'vhost-device-vsock made no socket: it ended, or took more than 10 seconds',
      )
    }
    await wait(20)
  }
}

/** Bytes of a program's messages that are kept. */
const KEPT = 65_536

/** Keeps the first of them in a file. @returns what gives the last line, printable. */
function keepTail({ process: child }: Child, file: string, only?: 'stderr'): () => string {
  const log = createWriteStream(file, { mode: 0o600 }).on('error', () => undefined)
  let left = KEPT
  let last = ''
  for (const stream of only === undefined ? [child.stdout, child.stderr] : [child.stderr]) {
    stream?.on('data', (bytes: Uint8Array) => {
      if (left > 0) log.write(bytes.subarray(0, left))
      left -= bytes.length
      last = (last + Buffer.from(bytes).toString('latin1')).trimEnd().split('\n').at(-1) ?? ''
      last = last.slice(-300)
    })
  }
  child.once('close', () => log.end())
  return () => (last === '' ? '' : ` (${last.replace(/[^ -~]/g, '?')})`)
}
