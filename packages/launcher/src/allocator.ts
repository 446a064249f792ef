import { parse } from 'yaml'
import { LauncherError } from './error.ts'
import type { Host } from './surroundings.ts'

/** What the instance has set aside for enclaves. Undefined: it does not say. */
export interface AllocatorState {
  /** Sum of `memory_mib` in allocator.yaml, in MiB. */
  readonly configuredMib: number | undefined
  /** Huge pages that are free, in MiB: in the NUMA node that has most, since an enclave's memory lies in one. */
  readonly freeMib: number
  /** The CPUs of the pool. */
  readonly cpus: readonly number[]
}

const CONFIGURATION = '/etc/nitro_enclaves/allocator.yaml'
const RESTART = 'and run systemctl restart nitro-enclaves-allocator.service'

/** Reads allocator.yaml, the huge pages of each NUMA node and the pool of CPUs. */
export async function readAllocator(host: Host): Promise<AllocatorState> {
  const nodes = (await host.list('/sys/devices/system/node')).filter((name) =>
    /^node\d+$/.test(name),
  )
  const folders = nodes.map((name) => `/sys/devices/system/node/${name}/hugepages`)
  if (folders.length === 0) folders.push('/sys/kernel/mm/hugepages')
  const free = await Promise.all(folders.map((folder) => freeIn(host, folder)))
  return {
    configuredMib: configured(await host.text(CONFIGURATION)),
    freeMib: Math.max(0, ...free),
    cpus: cpuList((await host.text('/sys/module/nitro_enclaves/parameters/ne_cpus')) ?? ''),
  }
}

/**
 * Refuses what nitro-cli would refuse after a minute, and says what to do.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_MEMORY`, `ERR_LAUNCHER_CPUS`
 */
export function checkAllocator(
  state: AllocatorState,
  wanted: { readonly memoryMib: number; readonly cpus: number; readonly cpusInUse: number },
): void {
  const { configuredMib, freeMib, cpus } = state
  const says = configuredMib === undefined ? 'says nothing' : `says ${configuredMib}`
  if (freeMib < wanted.memoryMib) {
    throw new LauncherError(
      'ERR_LAUNCHER_MEMORY',
      `${wanted.memoryMib} MiB are needed and ${freeMib} MiB of huge pages are free in one NUMA node (memory_mib in ${CONFIGURATION} ${says}): set it to at least ${wanted.memoryMib} more than what runs already takes, ${RESTART}; or end another enclave`,
    )
  }
  const left = cpus.length - wanted.cpusInUse
  if (left < wanted.cpus) {
    throw new LauncherError(
      'ERR_LAUNCHER_CPUS',
      `${wanted.cpus} CPUs are needed and ${Math.max(0, left)} of the ${cpus.length} set aside for enclaves are free: raise cpu_count in ${CONFIGURATION} ${RESTART}; or ask for fewer`,
    )
  }
}

async function freeIn(host: Host, folder: string): Promise<number> {
  let sum = 0
  for (const name of await host.list(folder)) {
    const size = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0) / 1024
    sum += size * (Number(await host.text(`${folder}/${name}/free_hugepages`)) || 0)
  }
  return sum
}

/** One pool or, since nitro-cli 1.4, a list of them. */
function configured(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  try {
    const value = parse(text) as unknown
    const pools = (Array.isArray(value) ? value : [value]) as ({ memory_mib?: unknown } | null)[]
    const sizes = pools.map((pool) => pool?.memory_mib)
    if (!sizes.every((size) => Number.isInteger(size))) return undefined
    return (sizes as number[]).reduce((sum, size) => sum + size, 0)
  } catch {
    return undefined
  }
}

/** `1,3-5` as the kernel writes it. */
function cpuList(text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim()) ?? []
    if (first === undefined) return []
    const length = Math.max(0, Number(last) - Number(first) + 1)
    return Array.from({ length }, (_, index) => Number(first) + index)
  })
}
