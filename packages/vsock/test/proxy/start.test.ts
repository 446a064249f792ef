import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { startProxy, type ProxyEvent } from '@enclavejs/vsock/proxy'
import { deferred, drained, echo, names, until, World } from './world.ts'

function entry(world: World, port: number, backend: number, more: object = {}) {
  return { listen: { port, path: world.path }, to: { host: '127.0.0.1', port: backend }, ...more }
}

describe('close', () => {
  it('lets what is open end, and loses none of it', async () => {
    await using world = new World()
    const parts = 20
    const all = deferred<void>()
    const backend = await world.backend((socket) => {
      void drained(socket).then(async ({ bytes }) => {
        await all.promise
        for (let part = 0; part < parts; part++) {
          socket.write(`${bytes.toString()} ${part};`)
          await sleep(10)
        }
        socket.end()
      })
    })
    const proxy = await world.proxy({ outbound: [entry(world, 8000, backend)] })
    const clients = Array.from({ length: 50 }, (_, index) => world.dial(8000).end(`${index}`))
    const answers = clients.map(async (client) => (await drained(client)).bytes.toString())
    await until(() => proxy.listeners[0]!.open === 50, 'all of them')
    const closed = proxy.close({ deadline: 10_000 })
    await until(() => world.eventsOf('open').length === 50, 'all of them connected')
    await until(() => !existsSync(`${world.path}_8000`), 'the listener to be gone')
    all.resolve()
    const late = connect({ path: `${world.path}_8000` })
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
    expect(['ENOENT', 'ECONNREFUSED']).toContain(error.code)
    expect(await closed).toEqual({ cut: 0 })
    const whole = (index: number): string =>
      Array.from({ length: parts }, (_, part) => `${index} ${part};`).join('')
    expect(await Promise.all(answers)).toEqual(clients.map((_, index) => whole(index)))
    expect(world.eventsOf('close').every(({ reason }) => reason === 'end')).toBe(true)
  })

  it('serves what the kernel had taken already', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    const proxy = await world.proxy({ outbound: [entry(world, 8000, backend)] })
    // Connected in this tick, and not accepted before the next.
    const clients = Array.from({ length: 50 }, (_, index) => world.dial(8000).end(`${index}`))
    const closed = proxy.close()
    const answers = clients.map(async (client) => (await drained(client)).bytes.toString())
    expect(await Promise.all(answers)).toEqual(clients.map((_, index) => `${index}`))
    expect(await closed).toEqual({ cut: 0 })
  })

  it('serves what the kernel had taken already, also where that takes its time', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    const proxy = await world.proxy({ outbound: [entry(world, 8000, backend)] })
    const busy = (event: unknown): void => {
      if ((event as ProxyEvent).type !== 'open') return
      for (const end = performance.now() + 15; performance.now() < end;) continue
    }
    subscribe('enclavejs:vsock:proxy', busy)
    try {
      const clients = Array.from({ length: 60 }, (_, index) => world.dial(8000).end(`${index}`))
      const closed = proxy.close()
      const answers = clients.map(async (client) => (await drained(client)).bytes.toString())
      expect(await Promise.all(answers)).toEqual(clients.map((_, index) => `${index}`))
      expect(await closed).toEqual({ cut: 0 })
    } finally {
      unsubscribe('enclavejs:vsock:proxy', busy)
    }
  })

  it('closes while somebody goes on connecting', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    const proxy = await world.proxy({ outbound: [entry(world, 8000, backend)] })
    let ended = false
    const again = (): void => {
      if (!ended) world.dial(8000).once('close', again).end('x').resume()
    }
    for (let count = 0; count < 20; count++) again()
    await world.event('open', 20)
    const began = performance.now()
    await proxy.close({ deadline: 500 })
    ended = true
    expect(performance.now() - began).toBeLessThan(5000)
  })

  it('cuts off what is left at the deadline', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    const proxy = await world.proxy({ outbound: [entry(world, 8000, backend)] })
    const ends = Array.from({ length: 3 }, () => drained(world.dial(8000)))
    await world.event('open', 2)
    const began = performance.now()
    const [first, second] = [proxy.close(), proxy.close({ deadline: 200 })]
    expect(await second).toEqual({ cut: 3 })
    expect(await first).toEqual({ cut: 3 })
    expect(performance.now() - began).toBeLessThan(2000)
    await Promise.all(ends)
    expect(world.eventsOf('close').map(({ reason }) => reason)).toEqual(Array(3).fill('drain'))
  })

  it.each([-1, Number.NaN, Infinity])('refuses a deadline of %d', async (deadline) => {
    await using world = new World()
    const proxy = await world.proxy({ outbound: [entry(world, 8000, 1)] })
    await expect(proxy.close({ deadline })).rejects.toThrow(RangeError)
    const text = { deadline: '5' } as unknown as { deadline: number }
    await expect(proxy.close(text)).rejects.toThrow(/^deadline: expected a number of .* got string/)
    await expect(proxy.close({ timeout: 1 } as object)).rejects.toThrow(/^timeout is not an option/)
  })

  it('does not wait for a destination that does not answer', async () => {
    await using world = new World()
    const proxy = await world.proxy(
      {
        outbound: [
          { listen: { port: 8000, path: world.path }, to: { host: 'host.example', port: 1 } },
        ],
      },
      { resolve: () => new Promise(() => undefined) },
    )
    world.dial(8000)
    await until(() => proxy.listeners[0]!.open === 1, 'a connection')
    const began = performance.now()
    expect(await proxy.close({ deadline: 50 })).toEqual({ cut: 1 })
    expect(performance.now() - began).toBeLessThan(2000)
  })
})

describe('startProxy', () => {
  it('leaves nothing behind when one port cannot be taken', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    const taken = await world.backend(echo)
    const options = {
      outbound: [entry(world, 8000, backend)],
      inbound: [{ listen: { port: taken }, to: { path: world.path, port: 1 } }],
    }
    await expect(startProxy(options)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await world.proxy({ outbound: [entry(world, 8000, backend)] })
    expect((await drained(world.dial(8000).end('ok'))).bytes.toString()).toBe('ok')
  })

  it('refuses two listeners of one name', async () => {
    await using world = new World()
    const listeners = [entry(world, 8000, 1, { name: 'a' }), entry(world, 8001, 1, { name: 'a' })]
    await expect(startProxy({ outbound: listeners })).rejects.toMatchObject({
      code: 'ERR_VSOCK_PROXY_CONFIG',
    })
  })

  describe('with an allowlist', () => {
    async function start(
      address: string,
      host: string,
      { resolved = '127.0.0.1', listed = 0 }: { resolved?: string; listed?: number } = {},
    ): Promise<string> {
      await using world = new World()
      const port = await world.backend((socket) => socket.end('reached'))
      await world.proxy(
        {
          outbound: [{ listen: { port: 8000, path: world.path }, to: { host, port } }],
          allowlist: [{ address, port: port + listed }],
        },
        { resolve: names({ 'host.example': [resolved] }) },
      )
      const { bytes } = await drained(world.dial(8000).end())
      return world.eventsOf('failed')[0]?.code ?? bytes.toString()
    }

    it.each([
      ['127.0.0.1', '127.0.0.1'],
      ['127.0.0.1', 'Host.Example.'],
      ['::1', '0:0:0:0:0:0:0:1'],
    ])('an address in it (%s) allows itself to %s', async (address, host) => {
      const expected = address === '::1' ? 'ERR_VSOCK_PROXY_CONNECT' : 'reached'
      expect(await start(address, host)).toBe(expected)
    })

    it('a name in it allows the name, and not what it may not resolve to', async () => {
      expect(await start('HOST.example', 'host.example.')).toBe('ERR_VSOCK_PROXY_ADDRESS')
    })

    it('an address in it does not allow a name that resolves to another', async () => {
      const outcome = start('127.0.0.1', 'host.example', { resolved: '127.0.0.2' })
      expect(await outcome).toBe('ERR_VSOCK_PROXY_ADDRESS')
    })

    it.each([
      ['another name', 'other.example', 'host.example', 0],
      ['another port', 'host.example', 'host.example', 1],
      ['another address', '127.0.0.2', '127.0.0.1', 0],
      ['another port of the address', '127.0.0.1', '127.0.0.1', 1],
      ['a name for an address', 'host.example', '127.0.0.1', 0],
    ])('%s is not allowed', async (_what, address, host, listed) => {
      await expect(start(address, host, { listed })).rejects.toMatchObject({
        code: 'ERR_VSOCK_PROXY_NOT_ALLOWED',
      })
    })
  })
})

describe('metrics', () => {
  it('are served on loopback, to GET /metrics', async () => {
    await using world = new World()
    const backend = await world.backend(echo)
    const proxy = await world.proxy({
      outbound: [entry(world, 8000, backend, { name: 'kms', maxConnections: 7 })],
      metrics: { port: 0 },
    })
    await drained(world.dial(8000).end('12345'))
    await world.event('close')
    const ask = async (method: string, path: string): Promise<[number, string]> => {
      const asked = request({ port: proxy.metricsPort, host: '127.0.0.1', method, path }).end()
      const [response] = await once(asked, 'response')
      let text = ''
      for await (const chunk of response) text += chunk
      return [response.statusCode, text]
    }
    const [status, text] = await ask('GET', '/metrics')
    expect(status).toBe(200)
    expect(text).toBe(proxy.metrics())
    for (const line of [
      'enclavejs_vsock_proxy_connections{listener="kms"} 0',
      'enclavejs_vsock_proxy_connections_limit{listener="kms"} 7',
      'enclavejs_vsock_proxy_opened_total{listener="kms"} 1',
      'enclavejs_vsock_proxy_bytes_total{listener="kms",direction="up"} 5',
      'enclavejs_vsock_proxy_bytes_total{listener="kms",direction="down"} 5',
      'enclavejs_vsock_proxy_closed_total{listener="kms",reason="end"} 1',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
    expect(await ask('GET', '/')).toEqual([404, ''])
    expect(await ask('POST', '/metrics')).toEqual([405, ''])
  })
})

describe('allowedCids', () => {
  const SIMULATOR = Symbol.for('enclavejs.simulator')
  afterEach(() => {
    delete (globalThis as Record<symbol, unknown>)[SIMULATOR]
  })

  it('closes connections of other CIDs before anything is reached, and counts them', async () => {
    await using world = new World()
    ;(globalThis as Record<symbol, unknown>)[SIMULATOR] = {
      version: 1,
      vsock: { directory: world.directory, localCid: 3, parentCid: 3 },
    }
    let reached = 0
    const port = await world.backend((socket) => {
      reached++
      echo(socket)
    })
    const to = { host: '127.0.0.1', port }
    const proxy = await world.proxy({
      outbound: [
        { listen: { port: 8000, allowedCids: [16, 17] }, to },
        { listen: { port: 8001, anyCid: true }, to },
      ],
    })
    const ask = async (own: number, cid: number): Promise<string> => {
      const client = world.keep(
        connect({ path: `${world.directory}/3_${own}`, allowHalfOpen: true }),
      )
      client.end(`CONNECT ${own} ${cid} 5000\nhello`)
      return (await drained(client)).bytes.toString().replace(/^OK \d+\n/, '')
    }
    expect(await ask(8000, 16)).toBe('hello')
    expect(await ask(8000, 17)).toBe('hello')
    expect(await ask(8000, 18)).toBe('')
    expect(reached).toBe(2)
    expect(world.eventsOf('refused')).toEqual([
      { type: 'refused', listener: 'outbound-8000', reason: 'cid' },
    ])
    expect(await ask(8001, 99)).toBe('hello')
    expect(proxy.metrics()).toContain('refused_total{listener="outbound-8000",reason="cid"} 1\n')
  })
})
