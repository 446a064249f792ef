// Runs under shim.c. Prints, as JSON, the median microseconds of a DescribePCR by each way there is, from slices that take
// turns, so that a machine that changes its speed changes it for all of them.
import { fstat } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { openNsm } from '@enclavejs/nsm'
import { describePcrRequest } from '../../packages/nsm/src/request.ts'
import { readPcr } from '../../packages/nsm/src/response.ts'

const SLICES = 21
const BATCH = 5
const milliseconds = Number(process.argv[2])

interface Peer {
  open(): number
  getPcrDescription(fd: number, index: number): { data: Uint8Array }
}

function loadPeer(): Peer | undefined {
  try {
    return createRequire(new URL('../peers/package.json', import.meta.url))(
      'aws-nitro-enclaves-nsm-node',
    ) as Peer
  } catch {
    return undefined
  }
}

const nsm = openNsm()
const requestSync = nsm.transport.requestSync
if (requestSync === undefined) throw new Error('the device has no requestSync')
const answer = requestSync(describePcrRequest(0).bytes)
const length = (bytes: Uint8Array): void => {
  if (bytes.length !== 48) throw new Error(`a PCR of ${bytes.length} bytes`)
}

const ways: Record<string, () => unknown> = {
  sync: () => length(readPcr(requestSync(describePcrRequest(0).bytes)).data),
  async: async () => length((await nsm.describePcr(0)).data),
  pool: () =>
    new Promise((resolve, reject) => {
      fstat(1, (error, stats) => (error ? reject(error) : resolve(stats)))
    }),
  codec: () => {
    describePcrRequest(0)
    length(readPcr(answer).data)
  },
}
const peer = loadPeer()
if (peer !== undefined) {
  const fd = peer.open()
  ways['aws-nitro-enclaves-nsm-node'] = () => length(peer.getPcrDescription(fd, 0).data)
}

interface Slice {
  /** Microseconds of one: the median of batches so short that few of them are interrupted. */
  readonly wall: number
  /** Cores that other processes used meanwhile. */
  readonly foreign: number
}

async function slice(way: () => unknown): Promise<Slice> {
  const batches: number[] = []
  const busy = machineTime()
  const own = process.cpuUsage()
  const begin = performance.now()
  let now = begin
  while (now - begin < milliseconds) {
    const start = now
    for (let count = 0; count < BATCH; count++) {
      const result = way()
      if (result instanceof Promise) await result
    }
    now = performance.now()
    batches.push(((now - start) * 1000) / BATCH)
  }
  const { user, system } = process.cpuUsage(own)
  const foreign = (machineTime() - busy - (user + system) / 1000) / (now - begin)
  return { wall: median(batches), foreign: Math.max(0, foreign) }
}

/** What all processes of the machine have used, in milliseconds. */
function machineTime(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys, 0)
}

/** Other processes stretch the clock on the wall, so the calmest third of the slices counts. */
function calm(slices: readonly Slice[]): number {
  const quiet = slices.toSorted((a, b) => a.foreign - b.foreign).slice(0, SLICES / 3)
  return median(quiet.map(({ wall }) => wall))
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN
}

const taken: Record<string, Slice[]> = {}
for (let round = -2; round < SLICES; round++) {
  for (const [name, way] of Object.entries(ways)) {
    const one = await slice(way)
    if (round >= 0) (taken[name] ??= []).push(one)
  }
}
console.log(
  JSON.stringify(
    Object.fromEntries(Object.entries(taken).map(([name, values]) => [name, calm(values)])),
  ),
)
await nsm.close()
