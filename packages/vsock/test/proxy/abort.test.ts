import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { VsockProxy } from '@enclavejs/vsock/proxy'
import { until, World } from './world.ts'

const ROUNDS = 60
const descriptors = (): number => readdirSync('/proc/self/fd').length

/** Sends as long as it can. */
function tick(socket: Socket): void {
  socket.resume()
  const timer = setInterval(() => socket.write('tick'), 1)
  socket.once('close', () => clearInterval(timer))
}

/** Ends, and is gone before the other side knows of the end. */
function endAndLeave(socket: Socket): void {
  socket.end()
  setImmediate(() => socket.destroy())
}

async function allGone(proxy: VsockProxy, before: number): Promise<void> {
  await until(() => proxy.listeners[0]?.open === 0, 'every connection to end')
  await until(() => descriptors() <= before, 'every descriptor to be closed')
}

// A reset of a TCP socket whose own end is just on its way is refused by libuv, and the socket would stay for ever.
describe.skipIf(process.platform !== 'linux')('cut off while an end is on its way', () => {
  it('CONNECT: clients that leave with their request', async () => {
    await using world = new World()
    const port = await world.backend((socket) => socket.resume().on('end', () => socket.end()))
    const proxy = await world.proxy({
      connect: [{ listen: { port: 8001, path: world.path }, allow: [{ host: '127.0.0.1', port }] }],
    })
    const before = descriptors()
    for (let round = 0; round < ROUNDS; round++) {
      const client = world.dial(8001)
      await once(client, 'connect')
      client.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
      client.destroy()
      await sleep(5)
    }
    await allGone(proxy, before)
    expect(world.eventsOf('open').length + world.eventsOf('refused').length).toBe(ROUNDS)
  })

  it('outbound: clients that end and leave while the backend sends', async () => {
    await using world = new World()
    const port = await world.backend(tick)
    const proxy = await world.proxy({
      outbound: [{ listen: { port: 8001, path: world.path }, to: { host: '127.0.0.1', port } }],
    })
    const before = descriptors()
    for (let round = 0; round < ROUNDS; round++) {
      const client = world.dial(8001)
      client.once('data', () => endAndLeave(client))
      if (round % 20 === 0) await sleep(20)
    }
    await until(() => world.eventsOf('open').length === ROUNDS, 'every connection')
    await allGone(proxy, before)
  })

  it('inbound: an enclave that ends and leaves while the client sends', async () => {
    await using world = new World()
    await world.machine({
      8443: (socket) => void socket.once('data', () => endAndLeave(socket)),
    })
    const proxy = await world.proxy({
      inbound: [{ listen: { port: 0 }, to: { path: world.path, port: 8443 } }],
    })
    const before = descriptors()
    for (let round = 0; round < ROUNDS; round++) {
      tick(world.dialTcp(proxy.listeners[0]!.port))
      if (round % 20 === 0) await sleep(20)
    }
    await until(() => world.eventsOf('open').length === ROUNDS, 'every connection')
    await allGone(proxy, before)
  })
})
