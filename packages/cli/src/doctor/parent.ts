import { fail, ok, warn, type Check } from './check.ts'
import type { Machine } from './machine.ts'

const ALLOCATOR =
  'Set memory_mib and cpu_count in /etc/nitro_enclaves/allocator.yaml, then systemctl restart nitro-enclaves-allocator.'
const HUGEPAGES = '/sys/kernel/mm/hugepages'

/** What an instance needs to start enclaves. */
export async function checkParent(machine: Machine): Promise<Check[]> {
  return [
    await checkDevice(machine),
    await checkHugepages(machine),
    await checkCpus(machine),
    await checkNitroCli(machine),
  ]
}

async function checkDevice(machine: Machine): Promise<Check> {
  switch (await machine.device('/dev/nitro_enclaves')) {
    case 'usable':
      return ok('device', '/dev/nitro_enclaves')
    case 'denied':
      return fail(
        'device',
        '/dev/nitro_enclaves may not be opened by this user',
        'usermod -aG ne USER, then log in again.',
      )
    case 'absent':
      return fail(
        'device',
        'no /dev/nitro_enclaves',
        'Start the instance with --enclave-options Enabled=true and load the driver (modprobe nitro_enclaves).',
      )
  }
}

async function checkHugepages(machine: Machine): Promise<Check> {
  let total = 0
  let free = 0
  for (const name of await machine.list(HUGEPAGES)) {
    const size = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0) / 1024
    total += size * Number((await machine.text(`${HUGEPAGES}/${name}/nr_hugepages`)) ?? 0)
    free += size * Number((await machine.text(`${HUGEPAGES}/${name}/free_hugepages`)) ?? 0)
  }
  if (total === 0) return fail('hugepages', 'none reserved: enclaves have no memory', ALLOCATOR)
  const found = `${free} MiB of ${total} MiB free`
  // 64 MiB is the least that the driver gives to an enclave.
  return free >= 64 ? ok('hugepages', found) : warn('hugepages', found, ALLOCATOR)
}

async function checkCpus(machine: Machine): Promise<Check> {
  const cpus = await machine.text('/sys/module/nitro_enclaves/parameters/ne_cpus')
  if (cpus !== undefined && cpus !== '') return ok('cpus', `for enclaves: ${cpus}`)
  return fail('cpus', 'none set aside for enclaves', ALLOCATOR)
}

async function checkNitroCli(machine: Machine): Promise<Check> {
  if (await machine.program('nitro-cli')) return ok('nitro-cli', 'on the PATH')
  return warn(
    'nitro-cli',
    'not on the PATH',
    'Install aws-nitro-enclaves-cli, which starts enclaves.',
  )
}
