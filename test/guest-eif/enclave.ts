import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { kickAtOnce } from './kick-at-once.ts'

/** How an enclave is launched. */
export interface Launch {
  /** A folder of its own for the sockets. */
  readonly folder: string
  readonly signer: string
  readonly moduleId: string
  readonly role?: string
  readonly instance?: string
  readonly debug?: boolean
  /** Whether the parent answers the heartbeat. Default true. */
  readonly heartbeat?: boolean
  /** After so many seconds it is ended. Default 90. */
  readonly seconds?: number
  /** Ends the enclave, as a parent can at any time. Default: it runs to its end. */
  readonly signal?: AbortSignal
  /** Is told each line as it comes. */
  readonly onLine?: (line: string) => void
}

/** What an enclave wrote. */
export interface EnclaveConsole {
  readonly lines: readonly string[]
  /** Bytes of heartbeats that the parent saw. */
  readonly heartbeats: readonly number[]
  readonly seconds: number
  /** The exit status of its program as its init told it; null when it told none. */
  readonly status: number | null
}

const HEARTBEAT = 0xb7

/** Boots an image on QEMU's nitro-enclave machine with a parent that answers its heartbeat, until it ends. */
export async function runEnclave(
  machine: string,
  image: string,
  launch: Launch,
): Promise<EnclaveConsole> {
  mkdirSync(launch.folder, { recursive: true })
  const heartbeats: number[] = []
  const parent = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      heartbeats.push(...bytes)
      socket.write(Uint8Array.of(launch.heartbeat === false ? 0 : HEARTBEAT))
    })
  })
  await new Promise<void>((resolve) => {
    parent.listen(join(launch.folder, 'host_9000'), resolve)
  })
  try {
    const started = performance.now()
    const lines = await boot(machine, image, launch)
    const said = lines.findLast((line) => line.startsWith('enclave: exit status '))
    const status = said === undefined ? null : Number(said.split(' ').at(-1))
    return { lines, heartbeats, seconds: (performance.now() - started) / 1000, status }
  } finally {
    parent.close()
  }
}

async function boot(machine: string, image: string, launch: Launch): Promise<string[]> {
  const child = spawn(join(kickAtOnce(machine, launch.folder), 'run-enclave.sh'), [image], {
    env: {
      ...process.env,
      ENCLAVE_S: String(launch.seconds ?? 90),
      ENCLAVE_MB: '2048',
      VSOCK_DIR: launch.folder,
      SIGNER_DIR: launch.signer,
      MODULE_ID: launch.moduleId,
      PARENT_ROLE: launch.role ?? '',
      PARENT_ID: launch.instance ?? '',
      DEBUG_MODE: launch.debug === true ? '1' : '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  // The script ends when the machine has; a signal to the script would not reach that.
  const end = (): void => {
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    for (const pid of children.trim().split(/ +/)) process.kill(Number(pid))
  }
  launch.signal?.addEventListener('abort', end, { once: true })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (raw) => {
    // A terminal's line ends, and what the firmware clears the screen with.
    const line = raw.replace(/\r/g, '').replace(/^(?:\u001b\[[0-9;=?]*[A-Za-z]|\u001bc)+/, '')
    lines.push(line)
    launch.onLine?.(line)
  })
  await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  launch.signal?.removeEventListener('abort', end)
  return lines
}
