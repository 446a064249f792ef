// What attestation costs on top of TLS, and sealing on top of HTTP: AttestedAgent against https.Agent (which resumes sessions, as
// attested connections never do) for the same handler in the same process, sealed requests against plain fetch. Each is asked in
// turn, and the median of the ratios counts. The clients are this process, the servers another, over loopback.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:https'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { createSealedFetch } from '@enclavejs/attested-tls/browser'
import { AttestedAgent } from '@enclavejs/attested-tls/client'
import type { BenchServer } from './attested-tls/server.ts'
import type { Row } from './row.ts'
import { median, readBudget, type Operation } from './slice.ts'

/** Requests at once, for the rate. */
const AT_ONCE = 16

/** One operation beside the one that it is compared with. */
interface Pair {
  readonly row: string
  readonly ours: Operation
  readonly plain: Operation
  readonly unit: string
  /** How many requests an operation makes: its row is a rate. */
  readonly requests?: number
}

export async function bench(): Promise<readonly Row[]> {
  const module = new URL('./attested-tls/server.ts', import.meta.url).pathname
  const child = fork(module, {
    ...{
      execArgv: ['--conditions=@enclavejs/source'],
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    },
  })
  const opened: Agent[] = []
  try {
    const lines = createInterface({ input: child.stdout as Readable })
    const [line] = (await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(() => Promise.reject(new Error('the servers did not start'))),
    ])) as [string]
    const server = JSON.parse(line) as BenchServer
    const rows: Row[] = []
    for (const pair of pairs(server, opened)) rows.push(await compare(pair))
    return [
      ...rows,
      {
        ...{ row: 'document', value: server.document, unit: 'ms' },
        note: "to make one by the simulator, which is in both 'first' rows; an enclave's NSM signs its own",
      },
    ]
  } finally {
    child.disconnect()
    for (const one of opened) one.destroy()
  }
}

function pairs({ ports, pcrs, trustAnchor }: BenchServer, opened: Agent[]): readonly Pair[] {
  const policy = { referenceValues: { pcrs }, trustAnchors: [Buffer.from(trustAnchor, 'base64')] }
  const attested = (): Agent => new AttestedAgent(policy)
  const plain = (): Agent => new Agent({ keepAlive: true, rejectUnauthorized: false })
  const kept = { ours: attested(), plain: plain() }
  const closing = { ours: attested(), plain: plain() }
  const urls = {
    ours: `https://127.0.0.1:${ports.attested}/`,
    plain: `https://127.0.0.1:${ports.tls}/`,
  }
  opened.push(...Object.values(kept), ...Object.values(closing))
  const kinds = ['ours', 'plain'] as const
  const both = (make: (kind: (typeof kinds)[number]) => Operation) => ({
    ...{ ours: make('ours'), plain: make('plain') },
  })
  const sealed = `http://127.0.0.1:${ports.sealed}`
  const fetchSealed = createSealedFetch({ url: sealed, ...policy })
  const http = `http://127.0.0.1:${ports.http}/`
  const body = 'x'.repeat(64)
  return [
    {
      ...{ row: 'requests', unit: 'of plain TLS', requests: AT_ONCE },
      ...both((kind) => () => atOnce(() => ask(urls[kind], kept[kind]))),
    },
    {
      ...{ row: 'request-latency', unit: 'of plain TLS' },
      ...both((kind) => () => ask(urls[kind], kept[kind])),
    },
    {
      ...{ row: 'next-connection', unit: 'of plain TLS' },
      ...both((kind) => () => ask(urls[kind], closing[kind], true)),
    },
    {
      ...{ row: 'first-request', unit: 'of plain TLS' },
      ...both((kind) => async () => {
        const agent = kind === 'ours' ? attested() : plain()
        await ask(urls[kind], agent)
        agent.destroy()
      }),
    },
    {
      ...{ row: 'sealed-requests', unit: 'of plain fetch', requests: AT_ONCE },
      ours: () => atOnce(() => post(fetchSealed, '/', body)),
      plain: () => atOnce(() => post(fetch, http, body)),
    },
    {
      ...{ row: 'sealed-latency', unit: 'of plain fetch' },
      ours: () => post(fetchSealed, '/', body),
      plain: () => post(fetch, http, body),
    },
    {
      ...{ row: 'sealed-first', unit: 'of plain fetch' },
      ours: () => post(createSealedFetch({ url: sealed, ...policy }), '/', body),
      plain: () => post(fetch, http, body),
    },
  ]
}

function ask(url: string, agent: Agent, isLast = false): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = isLast ? { connection: 'close' } : {}
    get(url, { agent, headers }, (response) => {
      text(response).then((answer) => {
        if (response.statusCode === 200 && answer.length >= 64) resolve()
        else reject(new Error(`status ${response.statusCode}`))
      }, reject)
    }).on('error', reject)
  })
}

async function post(
  send: (input: string, init: RequestInit) => Promise<Response>,
  url: string,
  body: string,
): Promise<void> {
  const response = await send(url, { method: 'POST', body })
  const answer = await response.text()
  if (response.status !== 200 || answer.length < 64) throw new Error(`status ${response.status}`)
}

async function atOnce(one: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: AT_ONCE }, one))
}

/** Alternating slices, because a shared machine changes its speed: each of ours is divided by the mean of its neighbours. */
async function compare({ row, ours, plain, unit, requests }: Pair): Promise<Row> {
  const { milliseconds, slices } = readBudget()
  for (const one of [plain, ours]) await time(one, milliseconds)
  const found: { ratio: number; own: number; other: number }[] = []
  let before = await time(plain, milliseconds)
  for (let count = 0; count < Math.ceil(slices / 2); count++) {
    const own = await time(ours, milliseconds)
    const after = await time(plain, milliseconds)
    found.push({ ratio: (2 * own) / (before + after), own, other: (before + after) / 2 })
    before = after
  }
  found.sort((a, b) => a.ratio - b.ratio)
  // The slice of the median, and no mean of figures from different moments.
  const { ratio, own, other } = found[found.length >> 1] as (typeof found)[number]
  const [least, most] = [found[0]?.ratio ?? ratio, found.at(-1)?.ratio ?? ratio]
  if (requests === undefined) {
    const note = `${own.toFixed(2)} against ${other.toFixed(2)} ms`
    return { row, value: ratio, unit, note: `${note}, ${spread(least, most)}` }
  }
  const rate = (ms: number): string => ((1000 * requests) / ms).toFixed(0)
  const note = `${rate(own)} against ${rate(other)} a second, ${requests} at once`
  return { row, value: 1 / ratio, unit, note: `${note}, ${spread(1 / most, 1 / least)}` }
}

function spread(least: number, most: number): string {
  return `slices ${least.toFixed(2)} to ${most.toFixed(2)}`
}

/** The median time of one operation on the wall, milliseconds. */
async function time(operation: Operation, milliseconds: number): Promise<number> {
  const walls: number[] = []
  const end = performance.now() + milliseconds
  do {
    const began = performance.now()
    await operation()
    walls.push(performance.now() - began)
  } while (performance.now() < end)
  return median(walls)
}
