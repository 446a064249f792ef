import { spawn as spawnProcess } from 'node:child_process'
import { once } from 'node:events'
import { type Server, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { CallContext, Case, Certificate, Ended, Outcome, ServeContext } from './case.ts'
import type { ConnectOptions, Transport } from './transport.ts'
import { failure } from './watch.ts'

const program = new URL('./program.ts', import.meta.url)
/** Programs and threads read the sources where this one does. */
const flags =
  process.env['VITEST'] !== undefined || process.execArgv.includes('--conditions=@enclavejs/source')
    ? ['--conditions=@enclavejs/source']
    : []

const LONGEST = 60_000
const LEFT_OPEN = 3000

/** The end of a case that listens, until it is closed. */
export class ServingEnd {
  readonly lines: string[] = []
  readonly server: Server
  readonly #sockets = new Set<Socket>()
  readonly #transport: Transport

  constructor(one: Case, transport: Transport, certificate: Certificate) {
    this.#transport = transport
    const context: ServeContext = {
      log: (line) => this.lines.push(line),
      certificate,
      createServer: (options, listener) => transport.createServer(options, listener),
    }
    this.server = (one.serve ?? echo)(context)
    // TLS has its own events for what comes over its connections.
    this.server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      if (socket.listenerCount('error') === 0) socket.on('error', () => {})
    })
  }

  /** Returns the port. */
  async listen(): Promise<number> {
    this.#transport.listen(this.server, undefined, {})
    await once(this.server, 'listening')
    return this.#transport.portOf(this.server)
  }

  /** Waits until everybody is gone, and says who is not. */
  async close(): Promise<void> {
    if (this.server.listening) this.server.close()
    for (let waited = 0; this.#sockets.size > 0 && waited < LEFT_OPEN; waited += 5) await wait(5)
    if (this.#sockets.size > 0) this.lines.push(`left open: ${this.#sockets.size}`)
    for (const socket of this.#sockets) socket.destroy()
    await wait(10)
  }
}

function echo({ createServer: create }: ServeContext): Server {
  return create({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
}

/** Runs the connecting end of a case. `server` is the other, where it is in the same process. */
export async function runCallingEnd(
  one: Case,
  transport: Transport,
  certificate: Certificate,
  port: number,
  server?: Server,
): Promise<readonly string[]> {
  const lines: string[] = []
  const further = new Set<Server>()
  let ended = false
  const options = (given?: ConnectOptions): ConnectOptions => given ?? {}
  const argv = [transport.spec, String(port)]
  const context: CallContext = {
    log: (line) => {
      if (!ended) lines.push(line)
    },
    certificate,
    connect: (given) => transport.connect(port, options(given)),
    connected: (given) => transport.connected(port, options(given)),
    nowhere: (given) => transport.connect(transport.nowhere, options(given)),
    get server(): Server {
      if (server === undefined) throw new Error('the listening end is not in this process')
      return server
    },
    listen: (other, where, signal) => {
      if (other !== server) further.add(other)
      const at = where === 'same' ? port : undefined
      transport.listen(other, at, signal === undefined ? {} : { signal })
    },
    connectTo: (other, given) => transport.connect(transport.portOf(other), options(given)),
    connectToPort: (other) => transport.connect(other, {}),
    spawn: (action) => spawn([...argv, action]),
    worker: (action) => new Worker(program, { workerData: [...argv, action], execArgv: flags }),
  }
  const deadline = new AbortController()
  try {
    await Promise.race([
      one.call(context),
      wait(LONGEST, undefined, { signal: deadline.signal }).then(() => lines.push('not ended')),
    ])
  } catch (error) {
    lines.push(`threw ${failure(error)}: ${String((error as Error).message)}`)
  } finally {
    ended = true
    deadline.abort()
    for (const other of further) if (other.listening) other.close()
  }
  return lines
}

/** Both ends of a case in this process. */
export async function runCase(
  one: Case,
  transport: Transport,
  certificate: Certificate,
): Promise<Outcome> {
  const serving = new ServingEnd(one, transport, certificate)
  const port = await serving.listen()
  const call = await runCallingEnd(one, transport, certificate, port, serving.server)
  await serving.close()
  return { call, serve: serving.lines }
}

function spawn(argv: readonly string[]): Promise<Ended> {
  const child = spawnProcess(process.execPath, [...flags, fileURLToPath(program), ...argv], {
    timeout: LONGEST - 1000,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Uint8Array) => (out += String(chunk)))
  child.stderr.on('data', (chunk: Uint8Array) => (err += String(chunk)))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, out, err }))
  })
}
