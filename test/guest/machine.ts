import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** A folder with `run-guest.sh`, or why there is none. */
export function findMachine(): { readonly folder: string } | { readonly reason: string } {
  if (process.arch !== 'x64' || process.platform !== 'linux') {
    return {
      reason: `the guests are x86-64 Linux, and this is ${process.platform} ${process.arch}`,
    }
  }
  const named = process.env['NITRO_QEMU_DIR']
  const folder = named ?? join(root, '../shared/qemu')
  if (existsSync(join(folder, 'run-guest.sh'))) return { folder }
  const where =
    named === undefined
      ? '../shared/qemu is not there and NITRO_QEMU_DIR not set'
      : `NITRO_QEMU_DIR has no run-guest.sh`
  return { reason: `no QEMU with an NSM device: ${where}` }
}

/** What a guest wrote, line by line, and how it ended. */
export interface Console {
  readonly lines: readonly string[]
  readonly status: number | null
  readonly seconds: number
}

/** How a guest is started. */
export interface BootOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly onLine?: (line: string) => void
  /** Words for the kernel's command line. */
  readonly words?: readonly string[]
}

/** Boots a guest and waits for it to switch itself off. */
export function boot(folder: string, initrd: string, options: BootOptions = {}): Promise<Console> {
  const started = performance.now()
  const env = { ...process.env, GUEST_S: '420', ...options.env }
  // On a busy host the kernel finds the emulated timer late, and would panic.
  const words = ['no_timer_check', ...(options.words ?? [])]
  const child = spawn(join(folder, 'run-guest.sh'), [initrd, ...words], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  // A terminal's line ends, and what the BIOS clears the screen with.
  createInterface({ input: child.stdout }).on('line', (raw) => {
    const line = raw.replace(/\r/g, '').replace(/^(?:\u001b\[[0-9;=?]*[A-Za-z]|\u001bc)+/, '')
    lines.push(line)
    options.onLine?.(line)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) =>
      resolve({ lines, status, seconds: (performance.now() - started) / 1000 }),
    )
  })
}
