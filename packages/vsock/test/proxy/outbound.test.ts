import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { deferred, drained, echo, names, until, World } from './world.ts'

/** An outbound entry to a literal address of loopback, which allows itself. */
function entry(world: World, port: number, backend: number, more: object = {}) {
  return { listen: { port, path: world.path }, to: { host: '127.0.0.1', port: backend }, ...more }
}

describe('outbound', () => {
  it('leads each vsock port to its own destination', async () => {
    await using world = new World()
    const one = await world.backend((socket) => socket.end('one'))
    const two = await world.backend((socket) => socket.end('two'))
    const proxy = await world.proxy({
      outbound: [entry(world, 8000, one), entry(world, 8001, two)],
    })
    expect(proxy.listeners.map(({ name, kind }) => [name, kind])).toEqual([
      ['outbound-8000', 'outbound'],
      ['outbound-8001', 'outbound'],
    ])
    for (const [port, said] of [
      [8000, 'one'],
      [8001, 'two'],
    ] as const) {
      const { bytes, how } = await drained(world.dial(port).end())
      expect([bytes.toString(), how]).toEqual([said, 'end'])
    }
    await until(() => world.eventsOf('close').length === 2, 'both ends')
    expect(world.eventsOf('close').map(({ reason }) => reason)).toEqual(['end', 'end'])
  })

  it('keeps each half open on its own', async () => {
    await using world = new World()
    const received = deferred<string>()
    const backend = await world.backend((socket) => {
      void drained(socket).then(({ bytes }) => {
        received.resolve(bytes.toString())
        // Only now, after the client's end, the answer begins.
        socket.write('an')
        setTimeout(() => socket.end('swer'), 50)
      })
    })
    const server = await world.backend((socket) => {
      socket.end('I say nothing more')
      void drained(socket).then(({ bytes }) => second.resolve(bytes.toString()))
    })
    const second = deferred<string>()
    await world.proxy({ outbound: [entry(world, 8000, backend), entry(world, 8001, server)] })
    const first = await drained(world.dial(8000).end('question'))
    expect(await received.promise).toBe('question')
    expect([first.bytes.toString(), first.how]).toEqual(['answer', 'end'])

    const client = world.dial(8001)
    expect((await drained(client)).bytes.toString()).toBe('I say nothing more')
    client.write('but ')
    setTimeout(() => client.end('I do'), 50)
    expect(await second.promise).toBe('but I do')
  })

  it('carries bytes unchanged, both ways at once', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    await world.proxy({ outbound: [entry(world, 8000, backend)] })
    const block = randomBytes(1 << 20)
    const [sent, received] = [createHash('sha256'), createHash('sha256')]
    const client = world.dial(8000)
    client.on('data', (chunk: Buffer) => void received.update(chunk))
    for (let index = 0; index < 64; index++) {
      sent.update(block)
      if (!client.write(block)) await once(client, 'drain')
    }
    client.end()
    await once(client, 'end')
    expect(received.digest('hex')).toBe(sent.digest('hex'))
    expect(await world.event('close')).toMatchObject({
      reason: 'end',
      bytesUp: 64 << 20,
      bytesDown: 64 << 20,
    })
  })

  it('does not read what its reader does not', async () => {
    await using world = new World()
    let stalled: Socket | undefined
    let written = 0
    const backend = await world.backend((socket) => {
      stalled = socket
      const block = Buffer.alloc(1 << 16)
      const more = (): void => {
        while (written < 512 << 20 && socket.write(block)) written += block.length
      }
      socket.on('drain', more)
      more()
    })
    const proxy = await world.proxy({ outbound: [entry(world, 8000, backend)] })
    const client = world.dial(8000)
    client.pause()
    await until(() => stalled !== undefined && stalled.writableLength > 0, 'backpressure')
    const settled = async (): Promise<number> => {
      const before = written
      await new Promise((resolve) => setTimeout(resolve, 300))
      return written === before ? written : settled()
    }
    const held = await settled()
    // Kernel buffers of two connections, and two chunks in the proxy.
    expect(held).toBeLessThan(16 << 20)
    const down = /bytes_total\{listener="outbound-8000",direction="down"\} (\d+)/
    expect(Number(down.exec(proxy.metrics())?.[1])).toBeLessThan(2 << 20)
    client.destroy()
  })

  it('cuts the enclave off when the backend dies in the middle, so that a part is not taken for all', async () => {
    await using world = new World()
    const backend = await world.backend((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.alloc(100_000))
        setTimeout(() => socket.resetAndDestroy(), 50)
      })
    })
    await world.proxy({ outbound: [entry(world, 8000, backend)] })
    const client = world.dial(8000)
    client.write('go')
    expect((await drained(client)).bytes).toHaveLength(100_000)
    expect(await world.event('close')).toMatchObject({ reason: 'error', code: 'ECONNRESET' })
  })

  it('cuts the backend off, by a reset, when the enclave dies', async () => {
    await using world = new World()
    const how = deferred<string>()
    const backend = await world.backend((socket) => {
      socket.write(Buffer.alloc(1 << 20))
      void drained(socket).then((result) => how.resolve(result.how))
    })
    await world.proxy({ outbound: [entry(world, 8000, backend)] })
    const client = world.dial(8000)
    await once(client, 'readable')
    // Closed with bytes unread, which a Unix socket tells as a reset.
    client.destroy()
    expect(await how.promise).toBe('ECONNRESET')
    expect(await world.event('close')).toMatchObject({ reason: 'error' })
  })

  it('closes both ends when nothing was sent for the idle timeout, and not before', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    await world.proxy({ outbound: [entry(world, 8000, backend, { idleTimeout: 300 })] })
    const client = world.dial(8000)
    client.resume()
    for (let index = 0; index < 6; index++) {
      client.write('alive')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(world.eventsOf('close')).toEqual([])
    const began = performance.now()
    await drained(client)
    expect(performance.now() - began).toBeGreaterThan(150)
    expect(await world.event('close')).toMatchObject({ reason: 'idle', bytesUp: 30 })
  })

  it('closes one connection too many at once, and says so', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    const proxy = await world.proxy({
      outbound: [entry(world, 8000, backend, { maxConnections: 2 })],
    })
    const first = world.dial(8000)
    const second = world.dial(8000)
    await world.event('open', 1)
    expect(await drained(world.dial(8000))).toEqual({ bytes: Buffer.alloc(0), how: 'end' })
    expect(world.eventsOf('refused')).toEqual([
      { type: 'refused', listener: 'outbound-8000', reason: 'cap' },
    ])
    expect(proxy.metrics()).toContain(
      'enclavejs_vsock_proxy_refused_total{listener="outbound-8000",reason="cap"} 1\n',
    )
    first.end()
    second.end()
    await world.event('close', 1)
    const fourth = world.dial(8000)
    fourth.end('again')
    expect((await drained(fourth)).bytes.toString()).toBe('again')
  })

  it('serves a thousand at once', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    const proxy = await world.proxy({ outbound: [entry(world, 8000, backend)] })
    const clients = Array.from({ length: 1000 }, () => world.dial(8000))
    await until(() => proxy.listeners[0]?.open === 1000, 'a thousand connections')
    const answers = clients.map(async (client, index) => {
      client.end(`client ${index}`)
      return (await drained(client)).bytes.toString()
    })
    expect(await Promise.all(answers)).toEqual(clients.map((_, index) => `client ${index}`))
    await until(() => proxy.listeners[0]?.open === 0, 'all of them closed')
  })

  it('says when nothing answers, and goes on', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    await world.proxy(
      {
        outbound: [
          entry(world, 8000, 1),
          { listen: { port: 8001, path: world.path }, to: { host: 'gone.example', port: 443 } },
          entry(world, 8002, backend),
        ],
      },
      { resolve: names({}) },
    )
    for (const [port, code] of [
      [8000, 'ERR_VSOCK_PROXY_CONNECT'],
      [8001, 'ERR_VSOCK_PROXY_DNS'],
    ] as const) {
      await drained(world.dial(port))
      expect(world.eventsOf('failed').at(-1)).toMatchObject({ code })
    }
    expect((await drained(world.dial(8002).end('ok'))).bytes.toString()).toBe('ok')
  })
})
