import { fail, ok, warn, type Check } from './check.ts'
import type { Machine } from './machine.ts'

const MIB = 1024
/** KiB of free memory below which programs of Node begin to fail. */
const LITTLE_MEMORY = 128 * MIB

/** What an enclave and a parent both need. */
export async function checkHost(machine: Machine): Promise<Check[]> {
  return [checkNode(machine), await checkVsock(machine), await checkMemory(machine)]
}

function checkNode({ nodeVersion, platform, arch }: Machine): Check {
  const found = `${nodeVersion} on ${platform}-${arch}`
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number)
  if (major < 22 || (major === 22 && minor < 19)) {
    return fail('node', found, 'Use Node 22.19 or later.')
  }
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    return warn('node', found, 'Enclaves and their parents are linux-x64 or linux-arm64.')
  }
  return ok('node', found)
}

/** The kernel's list of protocols names AF_VSOCK once the family is there; no socket is opened to find out. */
async function checkVsock(machine: Machine): Promise<Check> {
  const protocols = (await machine.text('/proc/net/protocols')) ?? ''
  if (!/^AF_VSOCK\b/m.test(protocols)) {
    return fail(
      'vsock',
      'the kernel has no AF_VSOCK',
      'Load it (modprobe vsock vmw_vsock_virtio_transport), or build the kernel with CONFIG_VSOCKETS and CONFIG_VIRTIO_VSOCKETS.',
    )
  }
  switch (await machine.device('/dev/vsock')) {
    case 'usable':
      return ok('vsock', 'AF_VSOCK and /dev/vsock')
    case 'denied':
      return warn(
        'vsock',
        'AF_VSOCK; /dev/vsock may not be opened by this user',
        'chmod a+rw /dev/vsock: it only tells the own CID.',
      )
    case 'absent':
      return warn(
        'vsock',
        'AF_VSOCK, without /dev/vsock',
        'Mount devtmpfs on /dev: without it the own CID cannot be asked.',
      )
  }
}

async function checkMemory(machine: Machine): Promise<Check> {
  const text = (await machine.text('/proc/meminfo')) ?? ''
  const [total, available] = ['MemTotal', 'MemAvailable'].map((name) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]),
  ) as [number, number]
  if (Number.isNaN(total) || Number.isNaN(available)) {
    return warn('memory', '/proc/meminfo cannot be read', 'Mount proc on /proc.')
  }
  const found = `${Math.floor(available / MIB)} MiB of ${Math.floor(total / MIB)} MiB available`
  if (available >= LITTLE_MEMORY) return ok('memory', found)
  return warn(
    'memory',
    found,
    'Give it more: nitro-cli run-enclave --memory, at least four times the image.',
  )
}
