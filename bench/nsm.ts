// What a call to the NSM costs above the ioctl itself, in microseconds. The ioctl is one that returns at once, put in the
// place of the system's for a process of its own (nsm/shim.c), because a real one takes two very different times under
// emulation. A call here is a DescribePCR with its request encoded and its answer decoded.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runChild } from './child.ts'
import type { Row } from './row.ts'
import { readBudget } from './slice.ts'

const here = fileURLToPath(new URL('./nsm', import.meta.url))
const home = join(dirname(dirname(here)), 'packages/nsm')
const PEER = 'aws-nitro-enclaves-nsm-node'
const MICROSECONDS = 'µs a call'

export async function bench(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-nsm-'))
  try {
    return await measure(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function measure(folder: string): Promise<readonly Row[]> {
  const shim = join(folder, 'shim.so')
  const floor = join(folder, 'floor')
  const addon = join(home, 'prebuilds', `linux-${process.arch}.node`)
  const reason = !existsSync(addon)
    ? 'the addon is not built (npm run prepare)'
    : (compile(
        shim,
        ['-shared', '-fPIC'],
        [join(here, 'shim.c'), join(home, 'test/native/fake.c')],
      ) ?? compile(floor, [], [join(here, 'floor.c')]))
  if (reason !== undefined) {
    return ['sync', 'async', 'pool', 'codec', PEER].map((row) => ({
      row,
      value: undefined,
      unit: MICROSECONDS,
      note: reason,
    }))
  }
  const env = { LD_PRELOAD: shim }
  const { stdout } = spawnSync(floor, { env: { ...process.env, ...env }, encoding: 'utf8' })
  const ioctl = Number(stdout) / 1000
  const { milliseconds } = readBudget()
  const taken = (await runChild(
    new URL('./nsm/measure.ts', import.meta.url),
    [String(milliseconds)],
    {
      env,
      deadline: 300,
    },
  )) as Record<string, number>
  const above = (row: string, note: string): Row => ({
    row,
    value: taken[row] === undefined ? undefined : taken[row] - ioctl,
    unit: MICROSECONDS,
    note: taken[row] === undefined ? 'not installed: npm ci in bench/peers' : note,
  })
  return [
    above('sync', 'requestSync with its codec, above the ioctl'),
    above('async', 'describePcr, above the ioctl'),
    {
      row: 'pool',
      value: taken['pool'],
      unit: MICROSECONDS,
      note: "an fstat by libuv's pool: what waking a thread and being woken costs here",
    },
    {
      row: 'codec',
      value: taken['codec'],
      unit: MICROSECONDS,
      note: 'request and answer, no exchange',
    },
    above(PEER, 'getPcrDescription, synchronous, above the ioctl'),
    { row: 'ioctl', value: ioctl, unit: MICROSECONDS, note: 'the instant ioctl itself, from C' },
  ]
}

/** What is wrong, or undefined. */
function compile(
  out: string,
  flags: readonly string[],
  sources: readonly string[],
): string | undefined {
  const command = [
    '-O2',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-pthread',
    ...flags,
    `-I${join(home, 'native')}`,
    '-o',
    out,
    ...sources,
  ]
  const { status, error, stderr } = spawnSync('cc', command, { encoding: 'utf8' })
  if (error !== undefined) return 'no C compiler for the instant ioctl'
  return status === 0 ? undefined : `cc: ${stderr.split('\n')[0]}`
}
