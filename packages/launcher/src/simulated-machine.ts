import { startChild } from './child.ts'
import type { Program } from './image.ts'
import type { Launch, Machine } from './machine.ts'
import { endProcesses } from './process-identity.ts'
import { refuseLeft } from './qemu-machine.ts'
import { simulatorModule } from './simulator.ts'

/** What a program gets of this process's environment: as in an enclave, nothing that was not given to it. */
const KEPT = ['PATH', 'HOME', 'TMPDIR', 'TZ']

/** Runs a program of Node with the simulator registered. Nothing measures it, and nothing protects it from this machine. */
export async function startSimulated(
  program: Program,
  directory: string,
  launch: Launch,
): Promise<Machine> {
  const cid = launch.cid as number
  const { host, name, debugMode, role, memoryMib, cpus } = launch
  const register = simulatorModule('@enclavejs/simulator/register', program.folder)
  const kept = KEPT.flatMap((key) => (host.env[key] === undefined ? [] : [[key, host.env[key]]]))
  const child = await startChild(
    process.execPath,
    [...conditions(), '--import', register, program.entry, ...launch.args],
    {
      cwd: program.folder,
      env: {
        ...(Object.fromEntries(kept) as Record<string, string>),
        ...launch.env,
        ENCLAVEJS_SIMULATOR_DIR: directory,
        ENCLAVEJS_SIMULATOR_CID: String(cid),
        ENCLAVEJS_SIMULATOR_IMAGE: name,
        ...(debugMode && { ENCLAVEJS_SIMULATOR_DEBUG_MODE: '1' }),
        ...(role !== undefined && { ENCLAVEJS_SIMULATOR_ROLE_ARN: role }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  child.process.stdout?.on('data', launch.onConsole)
  child.process.stderr?.on('data', launch.onConsole)
  return {
    ...{ backend: 'simulator', cid, vsock: { cid }, enclaveId: undefined, memoryMib, cpus },
    ...{ debugMode, processes: [child.identity], fileMeasurements: undefined },
    ended: child.ended,
    async end(grace) {
      const { forced, left } = await endProcesses([child.identity], grace)
      refuseLeft(left.length)
      await child.ended
      return { forced }
    },
  }
}

/** The conditions under which this process resolves packages, for the program too. */
function conditions(): string[] {
  return process.execArgv.filter((one) => /^(?:--conditions|-C)=/.test(one))
}
