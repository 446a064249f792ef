// What the sockets of @enclavejs/vsock cost. First beside node:net's own on the same kind of Unix socket: the same handle
// under another descriptor, so a ratio of 1 is what is expected; both ends run in one process. Then (rows `guest-…`) on real
// AF_VSOCK in an emulated guest, beside C on the same AF_VSOCK, where a QEMU for it is there. Last (rows `proxy-…`) the rows
// of vsock-proxy.ts: the parent's proxy beside socat.
//
// node-vsock, the one other package that opens AF_VSOCK, is not beside them: the registry does not have it under that name.
import { spawnSync } from 'node:child_process'
import { runChild } from './child.ts'
import type { Row } from './row.ts'
import { readBudget } from './slice.ts'
import { bench as benchProxy } from './vsock-proxy.ts'
import { benchGuest } from './vsock/guest.ts'

const ROWS = ['throughput', 'latency', 'tls-throughput'] as const
const UNITS = { throughput: 'MB/s', latency: 'µs a round trip', 'tls-throughput': 'MB/s' } as const

interface Ratio {
  readonly ratio: number
  readonly ours: number
  readonly theirs: number
}

export async function bench(): Promise<readonly Row[]> {
  const here = await benchHere()
  const guest = await benchGuest(readBudget())
  const proxy = await benchProxy()
  return [...here, ...guest, ...proxy.map((one) => ({ ...one, row: `proxy-${one.row}` }))]
}

async function benchHere(): Promise<readonly Row[]> {
  if (spawnSync('openssl', ['version']).status !== 0) {
    const note = 'no openssl program for the certificate'
    return ROWS.map((row) => ({ row, value: undefined, unit: 'of node:net', note }))
  }
  const { milliseconds } = readBudget()
  const taken = (await runChild(
    new URL('./vsock/measure.ts', import.meta.url),
    [String(milliseconds * 3)],
    { deadline: 300 },
  )) as Record<(typeof ROWS)[number], Ratio>
  return ROWS.map((row) => {
    const { ratio, ours, theirs } = taken[row]
    const digits = row === 'latency' ? 1 : 0
    const note = `${ours.toFixed(digits)} against ${theirs.toFixed(digits)} ${UNITS[row]}`
    return { row, value: ratio, unit: 'of node:net', note }
  })
}
