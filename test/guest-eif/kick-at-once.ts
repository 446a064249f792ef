import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The machine's script with a QEMU whose virtio devices are kicked by the processor that writes, not later by an eventfd.
 *
 * Linux's driver queues a request to the NSM, then the room for its answer, then kicks; QEMU's NSM wants both at once, and stops
 * for good ("Expected response buffer after request buffer") if it looks between the two. It is woken once when the driver says
 * that it is ready, and by kicks that were already served: of 30 boots beside other work, two ended so.
 *
 * @returns a folder in `folder` to use in place of the machine's.
 */
export function kickAtOnce(machine: string, folder: string): string {
  const at = join(folder, 'machine')
  if (existsSync(at)) return at
  mkdirSync(join(at, 'bin'), { recursive: true })
  for (const name of ['lib', 'share', 'guest', 'run-enclave.sh', 'bin/vhost-device-vsock']) {
    symlinkSync(join(machine, name), join(at, name))
  }
  writeFileSync(
    join(at, 'bin/qemu-system-x86_64'),
    `#!/bin/sh\nexec '${machine}/bin/qemu-system-x86_64' "$@" -global virtio-mmio.ioeventfd=off\n`,
    { mode: 0o755 },
  )
  return at
}
