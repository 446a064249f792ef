// What is asked of a proxy: bytes one way, round trips, and connections that each carry one message.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

const CHUNK = Buffer.alloc(1 << 18)
const MESSAGE = Buffer.alloc(64)
/** Connections at a time. */
const AT_ONCE = 16

/** A TCP server that serves back what it receives, or takes it all where it begins with a zero byte. */
export async function startBackend(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (first: Buffer) => {
      if (first[0] === 0) {
        socket.resume().once('end', () => socket.end('.'))
        return
      }
      socket.write(first)
      socket.pipe(socket)
    })
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() }
}

async function open(path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

/** Megabytes a second, until the other side says that it has read everything. */
export async function throughput(path: string, milliseconds: number): Promise<number> {
  const socket = await open(path)
  const began = performance.now()
  let sent = 0
  while (performance.now() - began < milliseconds) {
    sent += CHUNK.length
    if (!socket.write(CHUNK)) await once(socket, 'drain')
  }
  socket.end()
  await once(socket, 'data')
  socket.destroy()
  return sent / 1000 / (performance.now() - began)
}

/** Microseconds a round trip, the median. */
export async function latency(path: string, milliseconds: number): Promise<number> {
  const socket = await open(path)
  const taken: number[] = []
  const end = performance.now() + milliseconds
  for (let now = performance.now(); now < end; now = performance.now()) {
    socket.write(MESSAGE.fill(1))
    await once(socket, 'data')
    taken.push(performance.now() - now)
  }
  socket.destroy()
  taken.sort((a, b) => a - b)
  return (taken[taken.length >> 1] as number) * 1000
}

/** Connections a second, opened, asked once and closed, 16 at a time. */
export async function connections(path: string, milliseconds: number): Promise<number> {
  const began = performance.now()
  let count = 0
  const one = async (): Promise<void> => {
    while (performance.now() - began < milliseconds) {
      const socket = await open(path)
      socket.end(MESSAGE.fill(1))
      for await (const _chunk of socket) continue
      count++
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return (count * 1000) / (performance.now() - began)
}
