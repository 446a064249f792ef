import { spawn } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { checkAllocator, readAllocator } from './allocator.ts'
import { LauncherError, NitroCliError } from './error.ts'
import type { EnclaveEnd, Launch, Machine } from './machine.ts'
import { NitroCli, type NitroEnclave } from './nitro-cli.ts'

/** Milliseconds between two questions whether it still runs; each is a process of nitro-cli. */
const INTERVAL = 1500

/** Starts an enclave with nitro-cli, which returns when it has sent its heartbeat. */
export async function startNitro(command: string, launch: Launch): Promise<Machine> {
  const { name, path, memoryMib, cpus, cid, debugMode, timeout, signal } = launch
  const cli = new NitroCli(command, launch.host.env)
  const { enclaves } = await cli.list()
  if (enclaves.some((one) => one.name === name)) {
    throw new LauncherError(
      'ERR_LAUNCHER_NAME',
      `nitro-cli runs an enclave called ${name} already: give another --name, or enclavejs stop ${name}`,
    )
  }
  const cpusInUse = enclaves.reduce((sum, one) => sum + one.cpus, 0)
  checkAllocator(await readAllocator(launch.host), { memoryMib, cpus, cpusInUse })
  const given = { image: path, name, memoryMib, cpus, debugMode, ...(cid !== undefined && { cid }) }
  let started: NitroEnclave
  try {
    started = await cli.run(given, timeout, signal)
  } catch (error) {
    // It may have been started all the same: nitro-cli leaves a process of its own behind that waits for the heartbeat.
    await terminateByName(cli, name)
    throw error
  }
  const found = (await cli.list()).enclaves.find(({ enclaveId }) => enclaveId === started.enclaveId)
  const watching = new AbortController()
  const ended = watch(cli, started.enclaveId, watching.signal)
  const readConsole = debugMode ? spawnConsole(cli, started.enclaveId, launch) : undefined
  return {
    ...{
      backend: 'nitro-cli',
      cid: started.cid,
      vsock: { cid: started.cid },
      processes: [],
      ended,
    },
    ...{ enclaveId: started.enclaveId, memoryMib: started.memoryMib, cpus: started.cpus },
    ...{ debugMode: found?.debugMode ?? debugMode, fileMeasurements: found?.measurements },
    async end() {
      // An enclave has no way to be asked to end: what is graceful is to let its connections end before.
      try {
        await cli.terminate(started.enclaveId)
      } catch (cause) {
        if (await isThere(cli, started.enclaveId)) {
          const message = `${started.enclaveId} runs on: ${(cause as Error).message}`
          throw new LauncherError('ERR_LAUNCHER_STOP', message, { cause })
        }
      } finally {
        readConsole?.kill('SIGTERM')
        watching.abort()
      }
      await ended
      return { forced: false }
    },
  }
}

async function terminateByName(cli: NitroCli, name: string): Promise<void> {
  const { enclaves } = await cli.list().catch(() => ({ enclaves: [] }))
  const left = enclaves.find((one) => one.name === name)
  if (left !== undefined) await cli.terminate(left.enclaveId).catch(() => undefined)
}

/** Whether it still runs. Where nitro-cli cannot say, it does. */
async function isThere(cli: NitroCli, enclaveId: string): Promise<boolean> {
  const listed = await cli.list().catch((error: unknown) => {
    if (error instanceof NitroCliError) return undefined
    throw error
  })
  if (listed === undefined) return true
  return !listed.complete || listed.enclaves.some((one) => one.enclaveId === enclaveId)
}

async function watch(cli: NitroCli, enclaveId: string, signal: AbortSignal): Promise<EnclaveEnd> {
  const end = { status: undefined, reason: 'nitro-cli does not list it any more' }
  while (!signal.aborted) {
    // Neither this timer nor a question keeps the process alive that nothing else does.
    await wait(INTERVAL, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted) break
    if (!(await isThere(cli, enclaveId).catch(() => true))) return end
  }
  return { status: undefined, reason: 'terminated' }
}

function spawnConsole(
  cli: NitroCli,
  enclaveId: string,
  { host, onConsole }: Launch,
): ReturnType<typeof spawn> {
  const child = spawn(cli.command, ['console', '--enclave-id', enclaveId], {
    ...{ env: { ...host.env }, stdio: ['ignore', 'pipe', 'ignore'], detached: true },
  })
  child.on('error', () => undefined)
  child.stdout?.on('data', onConsole)
  process.once('exit', () => child.kill('SIGKILL'))
  return child
}
