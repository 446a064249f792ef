import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

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
}

/** What an enclave wrote. */
export interface EnclaveConsole {
  readonly lines: readonly string[]
  /** Bytes of heartbeats that the parent saw. */
  readonly heartbeats: readonly number[]
  readonly seconds: number
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
  const started = performance.now()
  const child = spawn(join(machine, 'run-enclave.sh'), [image], {
    env: {
      ...process.env,
      ENCLAVE_S: '90',
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
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (raw) => {
    // A terminal's line ends, and what the firmware clears the screen with.
    lines.push(raw.replace(/\r/g, '').replace(/^(?:\u001b\[[0-9;=?]*[A-Za-z]|\u001bc)+/, ''))
  })
  await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  parent.close()
  return { lines, heartbeats, seconds: (performance.now() - started) / 1000 }
}
