import { readFile } from 'node:fs/promises'
import { EifError } from '../../error.ts'
import type { EifArchitecture } from '../../header.ts'

/** What the image asks of its kernel beyond booting a program of Node. */
export interface KernelNeeds {
  readonly architecture: EifArchitecture
  /** How the ramdisks are compressed. */
  readonly compression: 'gzip' | 'zstd' | undefined
}

/** What init mounts, what Node calls, and how an enclave's devices are found. */
const NEEDED = [
  ...['BLK_DEV_INITRD', 'BINFMT_ELF', 'DEVTMPFS', 'TMPFS', 'PROC_FS', 'SYSFS', 'TTY'],
  ...['MULTIUSER', 'FUTEX', 'EPOLL', 'EVENTFD', 'TIMERFD', 'UNIX', 'INET'],
  ...['VIRTIO_MMIO', 'VSOCKETS', 'VIRTIO_VSOCKETS', 'NSM'],
]

/**
 * Holds a kernel's configuration against what an image of a Node program needs built in. It does not prove that the
 * kernel was built with it.
 *
 * @throws {EifError} `ERR_EIF_KERNEL_CONFIG` naming everything that is missing; `ERR_EIF_READ`.
 */
export async function checkKernelConfig(path: string, needs: KernelNeeds): Promise<void> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new EifError('ERR_EIF_READ', `Cannot read ${path}: ${cause.message}`, { cause })
  })
  const needed = [
    ...NEEDED,
    needs.architecture === 'x86_64' ? 'X86_64' : 'ARM64',
    // A device tree tells an aarch64 enclave of its devices, the command line an x86-64 one.
    ...(needs.architecture === 'x86_64' ? ['VIRTIO_MMIO_CMDLINE_DEVICES'] : ['OF']),
    ...(needs.compression === undefined ? [] : [`RD_${needs.compression.toUpperCase()}`]),
  ]
  const built = new Set(text.match(/^CONFIG_\w+(?==y\s*$)/gm))
  const missing = needed.map((name) => `CONFIG_${name}`).filter((name) => !built.has(name))
  if (missing.length === 0) return
  throw new EifError(
    'ERR_EIF_KERNEL_CONFIG',
    `${path}: ${missing.map((name) => `${name}=y`).join(', ')} expected and not seen`,
  )
}
