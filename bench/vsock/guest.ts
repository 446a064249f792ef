import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from '../../test/guest/cpio.ts'
import { boot, findMachine, root } from '../../test/guest/machine.ts'
import { installed } from '../../test/guest/package.ts'
import { missingForTree, writeInitrd } from '../../test/guest/tree.ts'
import { strippedEntry } from '../../test/guest/vsock.ts'
import type { Row } from '../row.ts'
import { median, type Budget } from '../slice.ts'

/**
 * Each row, and what it is in the guest's words: what is measured, the family, how ours reads and who is at the other end.
 * The unit of all is C at both ends of the same family, with the kernel's own buffer. `guest-latency` reads into one buffer
 * (`onread`), `-data` by the event; `-both` has ours at both ends, and `-1m` a bufferSize of 1 MiB besides; `-epoll` is C that
 * waits as every event loop does. The rows of Unix sockets are of node:net: what Node costs above a descriptor of its own, it costs above one of AF_VSOCK too.
 */
const ROWS = [
  ['guest-latency', 'latency vsock onread raw'],
  ['guest-latency-data', 'latency vsock data raw'],
  ['guest-latency-both', 'latency vsock data node'],
  ['guest-latency-epoll', 'latency vsock epoll raw'],
  ['guest-latency-unix', 'latency unix data raw'],
  ['guest-latency-unix-both', 'latency unix data node'],
  ['guest-throughput', 'upload vsock data raw'],
  ['guest-throughput-both', 'upload vsock data node'],
  ['guest-throughput-1m', 'upload vsock data wide'],
  ['guest-throughput-unix', 'upload unix data raw'],
  ['guest-throughput-unix-both', 'upload unix data node'],
  ['guest-download', 'download vsock onread raw'],
  ['guest-download-data', 'download vsock data raw'],
  ['guest-download-unix', 'download unix data raw'],
] as const

/** What the guest measured: ours and C's, in pairs one after the other. */
type Taken = Readonly<Record<string, readonly (readonly [ours: number, raw: number])[]>>

const init = (slice: number, rounds: number): string => `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
cd /app
export SLICE=${slice} ROUNDS=${rounds} WARM=${slice * 12}
/bin/node guest/inside/vsock-bench.js
/bin/busybox reboot -f
`

/** The packed package over real AF_VSOCK in an emulated guest, as a multiple of C on the same AF_VSOCK. */
export async function benchGuest({ milliseconds, slices }: Budget): Promise<readonly Row[]> {
  const machine = findMachine()
  const missing = 'reason' in machine ? machine.reason : missingForTree()
  if ('reason' in machine || missing !== undefined) return skipped(missing as string)
  const raw = compileRaw()
  if (raw === undefined) return skipped('no C compiler with a static libc')
  const app = [
    ...installed(['vsock']),
    raw,
    strippedEntry(
      join(root, 'test/guest/inside/vsock-bench.ts'),
      'app/guest/inside/vsock-bench.js',
    ),
    strippedEntry(join(root, 'test/guest/inside/report.ts'), 'app/guest/inside/report.js'),
  ]
  const { lines } = await boot(
    machine.folder,
    writeInitrd('vsock-bench', init(milliseconds, slices), app),
    { env: { GUEST_S: '600', GUEST_MB: '1024' } },
  )
  const data = lines.map((line) => /^@data bench\t(.*)$/.exec(line)?.[1]).find(Boolean)
  if (data === undefined)
    return skipped(`the guest did not measure: ${lines.slice(-3).join(' | ')}`)
  const taken = JSON.parse(Buffer.from(data, 'base64').toString()) as Taken
  return ROWS.map(([row, name]) => describe(row, name, taken[name] ?? []))
}

/**
 * Ours over C's, of each the best third of its slices: the two share the host's processors with whatever else runs there,
 * and an emulated machine that does not get them is slow by any factor. The spread is that of slices side by side.
 */
function describe(row: string, name: string, pairs: Taken[string]): Row {
  const latency = name.startsWith('latency')
  const best = (side: 0 | 1): number => {
    const sorted = pairs.map((pair) => pair[side]).toSorted((a, b) => (latency ? a - b : b - a))
    return median(sorted.slice(0, Math.ceil(sorted.length / 3)))
  }
  const [ours, raw] = [best(0), best(1)]
  const ratios = pairs.map(([one, other]) => one / other).toSorted((a, b) => a - b)
  const at = (part: number): string => (ratios[Math.floor(part * ratios.length)] ?? 0).toFixed(2)
  const [unit, digits] = latency ? ['µs a round trip', 0] : ['MB/s', 1]
  const values = `${ours.toFixed(digits)} against ${raw.toFixed(digits)} ${unit}`
  return {
    row,
    value: ours / raw,
    unit: `of C on ${name.split(' ')[1]}`,
    note: `${values}; ${pairs.length} pairs, half of them ${at(0.25)} to ${at(0.75)}`,
  }
}

function skipped(reason: string): readonly Row[] {
  const note = `skipped: ${reason}`
  return [{ row: 'guest-latency', value: undefined, unit: 'of C on vsock', note }]
}

function compileRaw(): Entry | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'bench-raw-'))
  try {
    const out = join(folder, 'raw')
    const source = join(root, 'bench/vsock/raw.c')
    const { status } = spawnSync('cc', ['-static', '-O2', '-Wall', '-Werror', '-o', out, source])
    return status === 0 ? { path: 'app/raw', mode: 0o755, data: readFileSync(out) } : undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}
