import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { admitByDocument, admitByFile, type Admission } from './admission.ts'
import { chooseBackend, type Backend } from './backend.ts'
import { serveControl } from './control-socket.ts'
import { Doors } from './doors.ts'
import { writeRecord, type EnclaveRecord } from './enclave-record.ts'
import { LauncherError } from './error.ts'
import { kindOf, memoryFor, openImage, openProgram, type Image, type Program } from './image.ts'
import type { Launch, Machine, VsockPlace } from './machine.ts'
import { claimName } from './name-claim.ts'
import { startNitro } from './nitro-machine.ts'
import { identityOf, type ProcessIdentity } from './process-identity.ts'
import { startQemu } from './qemu-machine.ts'
import { answerHeartbeat, dialUntil } from './readiness.ts'
import { RunDirectory } from './run-directory.ts'
import { readRunOptions, type RunOptions, type RunSettings } from './run-options.ts'
import { Run, type RunningEnclave } from './running-enclave.ts'
import { startSimulated } from './simulated-machine.ts'
import { joinSimulator } from './simulator.ts'
import { Host } from './surroundings.ts'

/**
 * Starts an enclave and watches it until it ends. `path` is an image (EIF), or a program of Node (its folder or a file) for
 * the simulator. In this order: it chooses a backend and says which; measures the image; checks its memory (four times
 * the image, as AWS asks) and on an instance what the allocator has left; starts it; waits for its heartbeat; asks it for a
 * document, with `attestPort`, and compares its PCRs with the image's; opens what leads out of it; waits for `readyPort`;
 * and opens what leads to it. Without `attestPort` what leads out is open from the beginning.
 *
 * What is proven is in `admission`, in words. Nothing of it reaches a client: this runs on the parent, which no client trusts.
 *
 * Other processes of this user find it by its name: `listEnclaves`, `stopEnclave`, `readConsole`.
 *
 * @throws {LauncherError} Every code but `ERR_LAUNCHER_NOT_FOUND` and `ERR_LAUNCHER_NO_CONSOLE`. Nothing runs then.
 * @throws {EifError} The image cannot be read as one.
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG` for a port or host that is none.
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { runEnclave } from '@enclavejs/launcher'
 *
 * await using enclave = await runEnclave('app.eif', {
 *   publish: [{ port: 443, host: '0.0.0.0', to: 8443 }],
 *   attestPort: 5001,
 *   readyPort: 8443,
 * })
 * console.log(enclave.backend, enclave.cid, enclave.admission.proven)
 * await enclave.ended
 * ```
 */
export async function runEnclave(path: string, options: RunOptions = {}): Promise<RunningEnclave> {
  const settings = readRunOptions(path, options)
  const { name, tell, timeout, signal: outer } = settings
  const doors = new Doors(settings)
  const began = performance.now()
  const starting = new AbortController()
  const { signal } = starting
  let waitingFor = 'its start'
  const abort = (): void => starting.abort(outer?.reason)
  if (outer?.aborted === true) abort()
  outer?.addEventListener('abort', abort, { once: true })
  const timer = setTimeout(() => {
    const message = `${name} was not ready within ${timeout} ms: it waited for ${waitingFor}`
    starting.abort(new LauncherError('ERR_LAUNCHER_READY', message))
  }, timeout)
  let run: Run | undefined
  try {
    const host = new Host(settings.surroundings)
    const kind = kindOf(path)
    const backend = await chooseBackend(host, kind, settings.backend)
    tell({ type: 'backend', backend: backend.kind, reason: backend.reason })
    const subject = await open(path, kind, settings, signal)
    const memoryMib = memoryFor(subject, settings.memoryMib)
    signal.throwIfAborted()
    const runs = RunDirectory.open(host)
    claimName(runs, name)
    const folder = runs.folder(name)
    const pcrs = subject.kind === 'image' ? { ...subject.description.pcrs } : undefined
    const record: EnclaveRecord = {
      ...{ version: 1, name, backend: backend.kind, state: 'starting' as const },
      ...{ startedAt: new Date().toISOString(), supervisor: thisProcess(), processes: [] },
      ...{ cid: 0, debugMode: settings.debugMode, memoryMib, cpus: settings.cpus },
      image: subject.kind === 'image' ? subject.path : subject.entry,
      ...(pcrs && { pcrs }),
      ...(settings.logPort !== undefined && { logPort: settings.logPort }),
    }
    try {
      writeRecord(folder, record)
      const stopped = `${name} was stopped while it started`
      run = new Run(settings, runs, doors, record, () =>
        starting.abort(new LauncherError('ERR_LAUNCHER_ENDED', stopped)),
      )
    } catch (error) {
      runs.release(name)
      throw error
    }
    const running = run
    const control = await serveControl(folder, async () => void (await running.stop()))
    running.keep(() => control.close())
    const cid = backend.kind === 'nitro-cli' ? settings.cid : runs.claimCid(name, settings.cid)
    const place = await prepare(backend, running, runs, subject, cid)
    if (settings.attestPort === undefined && place !== undefined) await doors.openOutwards(place)
    tell({ type: 'starting', memoryMib, cpus: settings.cpus })
    const { seen } = await heartbeat(backend, settings, running, place)
    const machine = await start(backend, subject, running, {
      ...{ host, name, folder, memoryMib, cpus: settings.cpus, cid, signal },
      path: subject.kind === 'image' ? subject.path : subject.entry,
      ...{ debugMode: settings.debugMode, role: settings.role, env: settings.env },
      ...{ args: settings.args, timeout, onConsole: running.onConsole },
    })
    running.take(machine)
    const { enclaveId, processes, debugMode } = machine
    running.note({
      ...{ cid: machine.cid, processes, debugMode, memoryMib: machine.memoryMib },
      ...(enclaveId !== undefined && { enclaveId }),
    })
    tell({ type: 'started', cid: machine.cid, enclaveId })
    if (subject.kind === 'image') subject.refuseChanged()

    const readiness = async (): Promise<'heartbeat' | 'port' | 'start'> => {
      let by: 'heartbeat' | 'port' | 'start' = backend.kind === 'nitro-cli' ? 'heartbeat' : 'start'
      if (seen !== undefined) {
        waitingFor =
          'the heartbeat of its init (AWS’s own init sends it to CID 3, which QEMU does not have: --no-heartbeat, or the init of @enclavejs/eif)'
        await untilAborted(seen, signal)
        by = 'heartbeat'
      }
      running.admission = await admit(machine, settings, pcrs, running, signal, (what) => {
        waitingFor = what
      })
      tell({ type: 'admitted', ...running.admission })
      const opened = settings.attestPort === undefined && place !== undefined
      if (!opened) await doors.openOutwards(machine.vsock)
      if (settings.readyPort !== undefined) {
        waitingFor = `a listener on its vsock port ${settings.readyPort}`
        ;(await dialUntil(machine.vsock, settings.readyPort, signal)).destroy()
        by = 'port'
      }
      return by
    }
    const early = machine.ended.then(({ reason }): never => {
      const message = `${name} ended before it was ready: ${reason}${running.lastWords}`
      throw new LauncherError('ERR_LAUNCHER_ENDED', message)
    })
    early.catch(() => undefined)
    const readying = readiness()
    readying.catch(() => undefined)
    const by = await Promise.race([readying, early])
    tell({ type: 'ready', by, milliseconds: Math.round(performance.now() - began) })
    await doors.openInwards(machine.vsock)
    signal.throwIfAborted()
    running.note({ state: 'running', admission: running.admission })
    if (doors.open.length > 0) tell({ type: 'open', doors: doors.open })
    if (settings.logPort !== undefined) void running.follow(settings.logPort)
    return running
  } catch (error) {
    const reason: unknown = signal.aborted ? signal.reason : error
    starting.abort(reason)
    await run?.abandon()
    throw reason
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', abort)
  }
}

async function open(
  path: string,
  kind: 'image' | 'program',
  { entry, tell }: RunSettings,
  signal: AbortSignal,
): Promise<Image | Program> {
  if (kind === 'program') return openProgram(path, entry)
  const onProgress = ({ done, total }: { done: number; total: number }): void =>
    tell({ type: 'measuring', done, total })
  const image = await openImage(path, { onProgress, signal })
  const { pcrs, warnings } = image.description
  tell({ type: 'measured', pcrs: { ...pcrs } })
  for (const { code, message } of warnings) tell({ type: 'doubt', code, message })
  return image
}

/** Where its vsock will be, as far as that is known before it runs. */
async function prepare(
  backend: Backend,
  run: Run,
  runs: RunDirectory,
  subject: Image | Program,
  cid: number | undefined,
): Promise<VsockPlace | undefined> {
  if (cid !== undefined) run.note({ cid })
  if (backend.kind === 'nitro-cli') return cid === undefined ? undefined : { cid }
  if (backend.kind === 'qemu') {
    const path = join(runs.folder(run.name), 'host')
    run.note({ vsockPath: path })
    return { path }
  }
  const { folder } = subject as Program
  run.note({ simulatorDirectory: await joinSimulator(join(runs.path, '.simulator'), folder) })
  return { cid: cid as number }
}

async function heartbeat(
  backend: Backend,
  settings: RunSettings,
  run: Run,
  place: VsockPlace | undefined,
): Promise<{ readonly seen?: Promise<void> }> {
  if (backend.kind === 'nitro-cli' || !settings.heartbeat || place === undefined) return {}
  try {
    const where = 'path' in place ? place : { allowedCids: [place.cid] }
    const { seen, server } = await answerHeartbeat(where)
    run.keep(() => void server.close())
    // A simulated program has no init before it: it may send one, and need not.
    return backend.kind === 'qemu' ? { seen } : {}
  } catch (error) {
    if (backend.kind === 'simulator') return {} // another enclave's supervisor answers there
    throw error
  }
}

function start(
  backend: Backend,
  subject: Image | Program,
  run: Run,
  launch: Launch,
): Promise<Machine> {
  if (backend.kind === 'nitro-cli') return startNitro(backend.command, launch)
  if (backend.kind === 'qemu') return startQemu(backend.qemu, launch)
  return startSimulated(subject as Program, run.simulatorDirectory, launch)
}

async function admit(
  machine: Machine,
  settings: RunSettings,
  pcrs: Readonly<Record<string, string>> | undefined,
  run: Run,
  signal: AbortSignal,
  waitFor: (what: string) => void,
): Promise<Admission> {
  const { attestPort, timeout, trustAnchors } = settings
  const admission = admitByFile(machine, { pcrs, timeout, trustAnchors })
  if (attestPort === undefined) return admission
  waitFor(`a listener on its vsock port ${attestPort}, for a document, before any port was opened`)
  ;(await dialUntil(machine.vsock, attestPort, signal)).destroy()
  // The simulator's authority is made when its first program starts.
  const own = machine.backend === 'simulator' ? [rootOf(run.simulatorDirectory)] : undefined
  return admitByDocument(machine, attestPort, { pcrs, timeout, trustAnchors: trustAnchors ?? own })
}

function rootOf(directory: string): Uint8Array {
  return new Uint8Array(new X509Certificate(readFileSync(join(directory, 'root.pem'))).raw)
}

function thisProcess(): ProcessIdentity {
  return identityOf(process.pid) as ProcessIdentity
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject)
  })
}
