import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import {
  startProxy,
  type ProxyEvent,
  type ProxyOptions,
  type ProxySurroundings,
  type VsockProxy,
} from '@enclavejs/vsock/proxy'

/**
 * A parent with a virtual machine beside it, in one process: a directory for the Unix sockets of hybrid vsock, the
 * proxies, backends and sockets of a test, and the events that the proxies told. All of it ends with the test.
 */
export class World implements AsyncDisposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'enclavejs-proxy-'))
  readonly path: string = join(this.directory, 'v.sock')
  readonly events: ProxyEvent[] = []
  readonly #listen = (event: unknown): void => void this.events.push(event as ProxyEvent)
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #proxies: VsockProxy[] = []

  constructor() {
    subscribe('enclavejs:vsock:proxy', this.#listen)
    // Also where the test hangs and never comes to its end.
    onTestFinished(() => rmSync(this.directory, { recursive: true, force: true }))
  }

  async proxy(options: ProxyOptions, surroundings?: ProxySurroundings): Promise<VsockProxy> {
    const proxy = await startProxy(options, surroundings)
    this.#proxies.push(proxy)
    return proxy
  }

  /** A TCP server on loopback, and its port. */
  async backend(
    serve: (socket: Socket) => void,
    { host = '127.0.0.1', port = 0 }: { host?: string; port?: number } = {},
  ): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.keep(socket)
      serve(socket)
    })
    server.listen({ port, host, backlog: 4096 })
    await once(server, 'listening')
    this.#servers.push(server)
    return (server.address() as AddressInfo).port
  }

  /** The virtual machine's end of `path` (hybrid vsock): takes `CONNECT PORT` and serves the port. */
  async machine(ports: Readonly<Record<number, (socket: Socket) => void>>): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.keep(socket).once('data', (line: Buffer) => {
        const serve = ports[Number(/^CONNECT (\d+)\n$/.exec(line.toString())?.[1])]
        if (serve === undefined) {
          socket.destroy()
          return
        }
        socket.write('OK 1073741824\n')
        serve(socket)
      })
    })
    server.listen({ path: this.path, backlog: 4096 })
    await once(server, 'listening')
    this.#servers.push(server)
  }

  /** Ends with the test: a server, or the virtual machine's end of `path`. */
  keepServer<T extends Server>(server: T): T {
    this.#servers.push(server)
    return server
  }

  keep<T extends Socket>(socket: T): T {
    this.#sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
    return socket
  }

  /** What a program in the virtual machine does: connects to the host's vsock port. */
  dial(port: number): Socket {
    return this.keep(connect({ path: `${this.path}_${port}`, allowHalfOpen: true }))
  }

  /** Resets what a backend accepted at a port. */
  reset(port: number): void {
    for (const socket of this.#sockets) if (socket.localPort === port) socket.resetAndDestroy()
  }

  dialTcp(port: number): Socket {
    return this.keep(connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
  }

  eventsOf<T extends ProxyEvent['type']>(type: T): Extract<ProxyEvent, { type: T }>[] {
    return this.events.filter((event) => event.type === type) as Extract<ProxyEvent, { type: T }>[]
  }

  /** The next event of a type that has not happened `after` times yet. */
  async event<T extends ProxyEvent['type']>(
    type: T,
    after = 0,
  ): Promise<Extract<ProxyEvent, { type: T }>> {
    const event = (): Extract<ProxyEvent, { type: T }> | undefined => this.eventsOf(type)[after]
    await until(() => event() !== undefined, `an event ${type}`)
    return event() as Extract<ProxyEvent, { type: T }>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    for (const proxy of this.#proxies) await proxy.close({ deadline: 0 })
    for (const server of this.#servers) server.close()
    unsubscribe('enclavejs:vsock:proxy', this.#listen)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Waits until something holds, 10 seconds at most. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
    await sleep(5)
  }
}

/** Everything that a socket receives, and how it ended: `end`, or the code of its failure. */
export async function drained(socket: Socket): Promise<{ bytes: Buffer; how: string }> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const how = await new Promise<string>((resolve) => {
    socket.once('end', () => resolve('end'))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
    socket.once('close', () => resolve('close'))
  })
  return { bytes: Buffer.concat(chunks), how }
}

/** A resolver of fixed answers that can be changed. */
export function names(
  table: Record<string, readonly string[] | Error>,
  ttl = 60,
): NonNullable<ProxySurroundings['resolve']> {
  return async (host) => {
    const answer = table[host]
    if (answer === undefined) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    if (answer instanceof Error) throw answer
    return { addresses: answer, ttl }
  }
}

/** A promise that is fulfilled from elsewhere. */
export function deferred<T>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
} {
  let resolve: ((value: T) => void) | undefined
  const promise = new Promise<T>((fulfil) => (resolve = fulfil))
  return { promise, resolve: (value) => resolve?.(value) }
}

/** Serves back what it receives, half-open until the client ends. */
export function echo(socket: Socket): void {
  socket.pipe(socket)
}

/**
 * An address that neither takes nor refuses a connection: a listener with a full backlog, in a thread that sleeps, so
 * that the kernel drops what more is asked.
 */
export async function blackHole(
  host: string,
  port: number,
): Promise<AsyncDisposable & { readonly port: number }> {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
    const server = require('node:net').createServer()
    server.listen({ ...workerData.at, backlog: 1 }, () => {
      parentPort.postMessage(server.address().port)
      setImmediate(() => Atomics.wait(workerData.wake, 0, 0))
    })`,
    {
      eval: true,
      workerData: { at: { host, port }, wake: new Int32Array(new SharedArrayBuffer(4)) },
    },
  )
  const [own] = (await once(worker, 'message')) as [number]
  await sleep(100)
  const fill = Array.from({ length: 3 }, () => connect({ host, port: own }))
  for (const socket of fill) socket.on('error', () => undefined)
  await sleep(100)
  return {
    port: own,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of fill) socket.destroy()
      await worker.terminate()
    },
  }
}
