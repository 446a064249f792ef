// Runs in the guest of bench/vsock/guest.ts: the packed @enclavejs/vsock over the kernel's AF_VSOCK (CID 1), beside raw.c on the same
// AF_VSOCK, and node:net over Unix sockets beside raw.c on those. Each end is a process of its own; they are asked in turn,
// round after round, and the host makes the ratios.
import { execFile, fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectNet, createServer as createNetServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createConnection, createServer } from '@enclavejs/vsock'
import { done, give } from './report.ts'

const FAMILIES = ['vsock', 'unix'] as const
type Family = (typeof FAMILIES)[number]
/** What a client measures, and which server it asks. */
const SERVERS = { latency: 'echo', upload: 'sink', download: 'source' } as const
type Measure = keyof typeof SERVERS
const MEASURES = Object.keys(SERVERS) as Measure[]
/** `data` reads by that event, `onread` into one buffer, as node:net and ours can; `epoll` is C that waits as Node does. */
type Reader = 'data' | 'onread' | 'epoll'

type Peer = 'raw' | 'node' | 'wide'
const WIDE = { bufferSize: 2 ** 20 }

interface Task {
  readonly family: Family
  readonly measure: Measure
  readonly reader: Reader
  /** Who is at the other end; `wide` is Node with a `bufferSize` of 1 MiB, as this end then has it. */
  readonly peer: Peer
  readonly milliseconds: number
}

const [role = 'main'] = process.argv.slice(2)
const slice = Number(process.env['SLICE'])
const warm = Number(process.env['WARM'])
const rounds = Number(process.env['ROUNDS'])
const RAW = '/app/raw'
const SELF = fileURLToPath(import.meta.url)
const CHUNK = Buffer.alloc(65_536)
const MESSAGE = Buffer.alloc(64)

/** Where the servers of raw.c and of Node listen. */
function address(family: Family, by: Peer, measure: Measure): string {
  const port = 7000 + { raw: 0, node: 10, wide: 20 }[by] + MEASURES.indexOf(measure)
  return family === 'unix' ? `/tmp/${port}` : String(port)
}

const serving: Readonly<Record<Measure, (socket: Duplex) => void>> = {
  latency: (socket) => {
    socket.on('data', (chunk) => socket.write(chunk as Buffer))
    socket.on('end', () => socket.end())
  },
  upload: (socket) => {
    let total = 0
    socket.on('data', (chunk: Buffer) => {
      total += chunk.length
    })
    socket.on('end', () => socket.end(String(total)))
  },
  download: (socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(CHUNK)) continue
    }
    socket.on('drain', more).on('error', () => socket.destroy())
    socket.on('end', () => socket.destroy()).resume()
    more()
  },
}

/** Node's servers of each family, as raw.c has them. */
async function serve(): Promise<void> {
  for (const family of FAMILIES) {
    for (const measure of MEASURES) {
      const at = address(family, 'node', measure)
      const half = { allowHalfOpen: true }
      const server: Server =
        family === 'vsock'
          ? createServer(half, serving[measure]).listen({ port: Number(at) })
          : createNetServer(half, serving[measure]).listen({ path: at })
      await once(server, 'listening')
    }
  }
  const wide = createServer({ allowHalfOpen: true }, serving.upload)
  wide.listen({ port: Number(address('vsock', 'wide', 'upload')), ...WIDE })
  await once(wide, 'listening')
  process.send?.('listening')
}

/** A connection, whose bytes `got` is told of. */
async function open(
  { family, measure, reader, peer }: Task,
  got: (bytes: number) => void,
): Promise<Duplex> {
  const at = address(family, peer, measure)
  const callback = (bytes: number): boolean => {
    got(bytes)
    return true
  }
  const onread = reader === 'onread' ? { onread: { buffer: new Uint8Array(65_536), callback } } : {}
  const how = { allowHalfOpen: true, ...onread }
  const socket =
    family === 'vsock'
      ? createConnection({ ...how, ...(peer === 'wide' ? WIDE : {}), cid: 1, port: Number(at) })
      : connectNet({ ...how, path: at })
  await once(socket, 'connect')
  if (reader === 'data') socket.on('data', (chunk: Buffer) => got(chunk.length))
  return socket
}

const measures: Readonly<Record<Measure, (task: Task) => Promise<number>>> = {
  /** Microseconds of a round trip. */
  latency: async (task) => {
    let trips = 0
    let [began, finish] = [0, (): void => {}]
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const socket = await open(task, () => {
      trips += 1
      if (trips % 16 !== 0 || performance.now() - began < task.milliseconds) socket.write(MESSAGE)
      else finish()
    })
    began = performance.now()
    socket.write(MESSAGE)
    await finished
    const taken = performance.now() - began
    socket.destroy()
    return (taken * 1000) / trips
  },
  /** Megabytes a second. */
  upload: async (task) => {
    const socket = await open({ ...task, reader: 'data' }, () => {})
    let answer = ''
    socket.on('data', (chunk) => (answer += String(chunk)))
    const began = performance.now()
    let sent = 0
    while (performance.now() - began < task.milliseconds) {
      sent += CHUNK.length
      if (!socket.write(CHUNK)) await once(socket, 'drain')
    }
    socket.end()
    await once(socket, 'close')
    if (Number(answer) !== sent) throw new Error(`${answer} bytes arrived of ${sent}`)
    return sent / 1000 / (performance.now() - began)
  },
  download: async (task) => {
    let total = 0
    const began = performance.now()
    const socket = await open(task, (bytes) => (total += bytes))
    while (performance.now() - began < task.milliseconds) await sleep(20)
    const value = total / 1000 / (performance.now() - began)
    socket.destroy()
    return value
  },
}

/** Node's client, which measures when it is told to. */
function client(): void {
  process.on('message', (task: Task) => {
    void measures[task.measure](task).then((value) => process.send?.(value))
  })
  process.send?.('ready')
}

async function measureRaw(family: Family, measure: Measure, reader?: Reader): Promise<number> {
  const words = [
    reader === 'epoll' ? 'latency-epoll' : measure,
    family,
    address(family, 'raw', measure),
    String(slice),
  ]
  return Number((await promisify(execFile)(RAW, words)).stdout)
}

async function measureNode(one: ChildProcess, task: Task): Promise<number> {
  one.send(task)
  const [value] = (await once(one, 'message')) as [number]
  return value
}

/** What is compared with C at both ends: who reads how, and who is at the other end. */
const tasks: readonly Omit<Task, 'milliseconds'>[] = [
  { measure: 'latency', family: 'vsock', reader: 'onread', peer: 'raw' },
  { measure: 'latency', family: 'vsock', reader: 'data', peer: 'raw' },
  { measure: 'latency', family: 'vsock', reader: 'data', peer: 'node' },
  { measure: 'latency', family: 'vsock', reader: 'epoll', peer: 'raw' },
  { measure: 'latency', family: 'unix', reader: 'data', peer: 'raw' },
  { measure: 'latency', family: 'unix', reader: 'data', peer: 'node' },
  { measure: 'upload', family: 'vsock', reader: 'data', peer: 'raw' },
  { measure: 'upload', family: 'vsock', reader: 'data', peer: 'node' },
  { measure: 'upload', family: 'vsock', reader: 'data', peer: 'wide' },
  { measure: 'upload', family: 'unix', reader: 'data', peer: 'raw' },
  { measure: 'upload', family: 'unix', reader: 'data', peer: 'node' },
  { measure: 'download', family: 'vsock', reader: 'onread', peer: 'raw' },
  { measure: 'download', family: 'vsock', reader: 'data', peer: 'raw' },
  { measure: 'download', family: 'unix', reader: 'data', peer: 'raw' },
]

async function main(): Promise<void> {
  const children: ChildProcess[] = FAMILIES.flatMap((family) =>
    MEASURES.map((measure) => {
      const words = [SERVERS[measure], family, address(family, 'raw', measure)]
      return spawn(RAW, words, { stdio: 'inherit' })
    }),
  )
  const [server, node] = ['serve', 'client'].map((name) => fork(SELF, [name])) as [
    ChildProcess,
    ChildProcess,
  ]
  children.push(server, node)
  await Promise.all([once(server, 'message'), once(node, 'message')])
  // What runs for long is measured, not the compiler of JavaScript, which the emulation makes slow.
  for (const task of tasks) {
    if (task.reader !== 'epoll') await measureNode(node, { ...task, milliseconds: warm })
  }
  const taken: Record<string, [number, number][]> = {}
  for (let round = 0; round < rounds; round++) {
    for (const task of tasks) {
      const { family, measure, reader, peer } = task
      const ours = (): Promise<number> =>
        reader === 'epoll'
          ? measureRaw(family, measure, reader)
          : measureNode(node, { ...task, milliseconds: slice })
      const raw = (): Promise<number> => measureRaw(family, measure)
      let pair: [number, number]
      if (round % 2 === 0) pair = [await ours(), await raw()]
      else pair = [await raw(), await ours()].toReversed() as [number, number]
      ;(taken[`${measure} ${family} ${reader} ${peer}`] ??= []).push(pair)
    }
  }
  give('bench', Buffer.from(JSON.stringify(taken)))
  for (const child of children) child.kill()
  done()
}

if (role === 'serve') await serve()
else if (role === 'client') client()
else await main()
