// What the parent's proxy costs beside socat (which forks for each connection and has no allowlist) and beside the least
// that Node can do, two sockets piped into each other. All take a Unix socket to a TCP port of loopback, each in processes
// of its own; they are asked in turn, and the median of the ratios counts.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Row } from './row.ts'
import { readBudget } from './slice.ts'
import { connections, latency, startBackend, throughput } from './vsock-proxy/load.ts'

const MEASURES = { throughput, latency, connections } as const
const UNITS = { throughput: 'MB/s', latency: 'µs a round trip', connections: 'a second' } as const
/** The vsock port of the listener: each proxy's Unix socket is `PATH_PORT`. */
const PORT = 8000

export async function bench(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'enclavejs-bench-'))
  const children: ChildProcess[] = []
  const backend = await startBackend()
  try {
    const paths = {
      ours: join(folder, 'ours'),
      bare: join(folder, 'bare'),
      socat: join(folder, 'socat'),
    }
    children.push(...startProxies(folder, paths, backend.port))
    const hasSocat = spawnSync('socat', ['-V']).status === 0
    await ready([paths.ours, paths.bare, ...(hasSocat ? [paths.socat] : [])])
    const rows: Row[] = []
    for (const peer of ['socat', 'bare'] as const) {
      for (const [name, measure] of Object.entries(MEASURES)) {
        const row = peer === 'socat' ? name : `${name}-floor`
        const unit = peer === 'socat' ? 'of socat' : 'of two piped sockets'
        if (peer === 'socat' && !hasSocat) {
          rows.push({ row, value: undefined, unit, note: 'socat is not installed' })
          continue
        }
        const [ours, theirs] = [`${paths.ours}_${PORT}`, `${paths[peer]}_${PORT}`]
        rows.push({ row, unit, ...(await compare(measure, ours, theirs, name)) })
      }
    }
    return rows
  } finally {
    for (const child of children) child.kill()
    backend.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function startProxies(
  folder: string,
  paths: Readonly<Record<'ours' | 'bare' | 'socat', string>>,
  port: number,
): ChildProcess[] {
  const config = join(folder, 'proxy.yaml')
  const entry = { listen: { port: PORT, path: paths.ours }, to: { host: '127.0.0.1', port } }
  writeFileSync(config, JSON.stringify({ outbound: [entry] }))
  const bin = new URL('../packages/cli/src/bin.ts', import.meta.url).pathname
  const bare = new URL('./vsock-proxy/bare.ts', import.meta.url).pathname
  const listen = `UNIX-LISTEN:${paths.socat}_${PORT},fork,backlog=4096`
  return [
    spawn(process.execPath, ['--conditions=@enclavejs/source', bin, 'proxy', '--config', config]),
    spawn(process.execPath, [bare, `${paths.bare}_${PORT}`, String(port)]),
    spawn('socat', [listen, `TCP:127.0.0.1:${port}`]).on('error', () => undefined),
  ]
}

async function ready(paths: readonly string[]): Promise<void> {
  const end = performance.now() + 20_000
  while (!paths.every((path) => existsSync(`${path}_${PORT}`))) {
    if (performance.now() > end) throw new Error('a proxy does not listen')
    await sleep(20)
  }
}

async function compare(
  measure: (path: string, milliseconds: number) => Promise<number>,
  ours: string,
  theirs: string,
  name: string,
): Promise<Pick<Row, 'value' | 'note'>> {
  const { milliseconds, slices } = readBudget()
  const pairs: { ratio: number; own: number; other: number }[] = []
  for (const path of [ours, theirs]) await measure(path, milliseconds)
  for (let count = 0; count < Math.ceil(slices / 2); count++) {
    const before = await measure(theirs, milliseconds)
    const own = await measure(ours, milliseconds)
    const other = (before + (await measure(theirs, milliseconds))) / 2
    pairs.push({ ratio: own / other, own, other })
  }
  pairs.sort((a, b) => a.ratio - b.ratio)
  const { ratio, own, other } = pairs[pairs.length >> 1]!
  const digits = name === 'latency' ? 1 : 0
  const unit = UNITS[name as keyof typeof UNITS]
  return { value: ratio, note: `${own.toFixed(digits)} against ${other.toFixed(digits)} ${unit}` }
}
