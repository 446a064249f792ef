import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { DestinationOptions, ResolveHost } from '@enclavejs/vsock/proxy'
import { Destination } from '../../src/proxy/destination.ts'
import { parseHost, type Host } from '../../src/proxy/host-name.ts'
import { NameCache } from '../../src/proxy/name-cache.ts'
import { blackHole, deferred, drained, echo, names, World } from './world.ts'

const ANY = { dangerouslyAllowAnyAddress: true }

/** Asks once through a proxy whose destination `host.example` has these addresses. */
async function ask(
  addresses: readonly string[],
  options: Partial<DestinationOptions> = {},
): Promise<{ said: string; code?: string; address?: string }> {
  await using world = new World()
  const port = await world.backend((socket) => socket.end('reached'))
  await world.proxy(
    {
      outbound: [
        {
          listen: { port: 8000, path: world.path },
          to: { host: 'host.example', port, ...options },
          connectTimeout: 700,
        },
      ],
    },
    { resolve: names({ 'host.example': addresses }) },
  )
  const { bytes } = await drained(world.dial(8000).end())
  const [failed] = world.eventsOf('failed')
  const [open] = world.eventsOf('open')
  return {
    said: bytes.toString(),
    ...(failed && { code: failed.code }),
    ...(open?.address !== undefined && { address: open.address }),
  }
}

/** The addresses that would be connected to. */
async function allowed(
  addresses: readonly string[],
  options: Partial<DestinationOptions> = {},
): Promise<readonly string[]> {
  const host = parseHost('host.example') as Host
  const cache = new NameCache(names({ 'host.example': addresses }), () => undefined)
  const to = { host: 'host.example', port: 443, ...options }
  return (await new Destination(host, to, cache, undefined).addresses(1000)).addresses
}

describe('a name that resolves to', () => {
  it.each([
    ['loopback', '127.0.0.1'],
    ['loopback of another number', '127.1.2.3'],
    ['loopback by IPv6', '::1'],
    ['the instance metadata', '169.254.169.254'],
    ['the instance metadata by IPv6', 'fd00:ec2::254'],
    ['link-local by IPv6', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%lo'],
    ['10/8', '10.0.0.1'],
    ['172.16/12', '172.31.255.255'],
    ['192.168/16', '192.168.1.1'],
    ['100.64/10', '100.127.0.1'],
    ['a unique local address', 'fd12:3456::1'],
    ['IPv4 mapped into IPv6', '::ffff:127.0.0.1'],
    ['a public address mapped into IPv6', '::ffff:52.94.0.1'],
    ['loopback through NAT64', '64:ff9b::7f00:1'],
    ['loopback in 6to4', '2002:7f00:1::'],
    ['nothing', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['nothing by IPv6', '::'],
    ['multicast', '224.0.0.1'],
    ['multicast by IPv6', 'ff02::1'],
    ['broadcast', '255.255.255.255'],
    ['documentation', '192.0.2.1'],
    ['what is no address', 'localhost'],
  ])('%s is not connected to', async (_what, address) => {
    expect(await ask([address])).toEqual({ said: '', code: 'ERR_VSOCK_PROXY_ADDRESS' })
  })

  it.each([
    ['dangerouslyAllowAnyAddress', '127.0.0.1'],
    ['allowPrivateAddresses', '10.0.0.1'],
  ])('%s of a polluted prototype allows nothing', async (name, address) => {
    Reflect.set(Object.prototype, name, true)
    try {
      expect(await ask([address])).toEqual({ said: '', code: 'ERR_VSOCK_PROXY_ADDRESS' })
    } finally {
      Reflect.deleteProperty(Object.prototype, name)
    }
  })

  it.each(['127.0.0.1', '169.254.169.254', 'fd00:ec2::254', '::ffff:10.0.0.1', '::1'])(
    '%s is not connected to with allowPrivateAddresses either',
    async (address) => {
      const outcome = await ask([address], { allowPrivateAddresses: true })
      expect(outcome).toEqual({ said: '', code: 'ERR_VSOCK_PROXY_ADDRESS' })
    },
  )

  it.each([
    [['10.0.0.1', '172.16.0.1', '192.168.0.1', '100.64.0.1', 'fd12:3456::1']],
    [['64:ff9b::a00:1']],
    [['52.94.0.1', '2600:1f18::1']],
  ])('%s may be connected to with allowPrivateAddresses', async (addresses) => {
    expect(await allowed(addresses, { allowPrivateAddresses: true })).toEqual(addresses)
  })

  it('what may be reached and what may not is connected to at the former only', async () => {
    const addresses = ['127.0.0.1', '10.0.0.1', '52.94.0.1', '::1', '2600:1f18::1']
    expect(await allowed(addresses)).toEqual(['52.94.0.1', '2600:1f18::1'])
    const options = { allowPrivateAddresses: true, family: 4 } as const
    expect(await allowed(addresses, options)).toEqual(['10.0.0.1', '52.94.0.1'])
  })

  it('loopback is connected to with dangerouslyAllowAnyAddress', async () => {
    expect(await ask(['127.0.0.1'], ANY)).toEqual({ said: 'reached', address: '127.0.0.1' })
  })

  it('the other family only is not connected to', async () => {
    const outcome = await ask(['127.0.0.1'], { ...ANY, family: 6 })
    expect(outcome).toEqual({ said: '', code: 'ERR_VSOCK_PROXY_ADDRESS' })
  })
})

describe('addresses', () => {
  it('fail over to the one that answers, and it is first from then on', async () => {
    await using world = new World()
    const port = await world.backend((socket) => socket.end('reached'), { host: '127.0.0.9' })
    const dead = ['127.0.0.5', '127.0.0.6', '127.0.0.7', '127.0.0.8']
    await world.proxy(
      {
        outbound: [
          {
            listen: { port: 8000, path: world.path },
            to: { host: 'host.example', port, ...ANY },
          },
        ],
      },
      { resolve: names({ 'host.example': [...dead, '127.0.0.9'] }) },
    )
    for (let index = 0; index < 6; index++) {
      const { bytes } = await drained(world.dial(8000).end())
      expect(bytes.toString()).toBe('reached')
    }
    expect(world.eventsOf('open').map(({ address }) => address)).toEqual(Array(6).fill('127.0.0.9'))
    expect(world.eventsOf('failed')).toEqual([])
  })

  it('take over from one that dies, and what was open on it is cut off', async () => {
    await using world = new World()
    const dying = createServer((socket) => world.keep(socket).write('one'))
    dying.listen(0, '127.0.0.5')
    await once(dying, 'listening')
    const { port } = dying.address() as AddressInfo
    await world.backend((socket) => socket.end('two'), { host: '127.0.0.6', port })
    await world.proxy(
      {
        outbound: [
          { listen: { port: 8000, path: world.path }, to: { host: 'host.example', port, ...ANY } },
        ],
      },
      { resolve: names({ 'host.example': ['127.0.0.5', '127.0.0.6'] }) },
    )
    const first = world.dial(8000)
    await once(first, 'data')
    const accepted = deferred<void>()
    dying.close(() => accepted.resolve())
    world.reset(port)
    await drained(first)
    expect(await world.event('close')).toMatchObject({ reason: 'error', code: 'ECONNRESET' })
    await accepted.promise
    for (let index = 0; index < 3; index++) {
      expect((await drained(world.dial(8000).end())).bytes.toString()).toBe('two')
    }
  })

  it('that are all dead fail, and live again when one does', async () => {
    await using world = new World()
    const port = await world.backend(echo, { host: '127.0.0.9' })
    const table = { 'host.example': ['127.0.0.5', '127.0.0.6'] }
    await world.proxy(
      {
        outbound: [
          { listen: { port: 8000, path: world.path }, to: { host: 'host.example', port, ...ANY } },
        ],
      },
      { resolve: names(table, 0) },
    )
    expect((await drained(world.dial(8000).end())).bytes).toHaveLength(0)
    expect(await world.event('failed')).toMatchObject({ code: 'ERR_VSOCK_PROXY_CONNECT' })
    await world.backend((socket) => socket.end('alive'), { host: '127.0.0.6', port })
    expect((await drained(world.dial(8000).end())).bytes.toString()).toBe('alive')
  })

  it('that do not answer are overtaken after 250 ms', async () => {
    await using world = new World()
    const port = await world.backend((socket) => socket.end('reached'))
    await using _silent = await blackHole('127.0.0.5', port)
    await world.proxy(
      {
        outbound: [
          { listen: { port: 8000, path: world.path }, to: { host: 'host.example', port, ...ANY } },
        ],
      },
      { resolve: names({ 'host.example': ['127.0.0.5', '127.0.0.1'] }) },
    )
    expect((await drained(world.dial(8000).end())).bytes.toString()).toBe('reached')
    const { duration, address } = await world.event('open')
    expect(address).toBe('127.0.0.1')
    expect(duration).toBeGreaterThan(200)
    expect(duration).toBeLessThan(1000)
    await drained(world.dial(8000).end())
    // What was overtaken is tried last now.
    expect((await world.event('open', 1)).duration).toBeLessThan(200)
  })
})

it('nobody who answers ends in the connect timeout', async () => {
  await using world = new World()
  await using silent = await blackHole('127.0.0.5', 0)
  await world.proxy({
    outbound: [
      {
        listen: { port: 8000, path: world.path },
        to: { host: '127.0.0.5', port: silent.port },
        connectTimeout: 400,
      },
    ],
  })
  await drained(world.dial(8000).end())
  const { code, duration } = await world.event('failed')
  expect(code).toBe('ERR_VSOCK_PROXY_TIMEOUT')
  expect(duration).toBeGreaterThan(350)
  expect(duration).toBeLessThan(2000)
})

describe('an answer of DNS', () => {
  async function worldOf(resolve: ResolveHost): Promise<World & { ask: () => Promise<string> }> {
    const world = new World()
    const port = await world.backend((socket) => socket.end('one'), { host: '127.0.0.5' })
    await world.backend((socket) => socket.end('two'), { host: '127.0.0.6', port })
    await world.proxy(
      {
        outbound: [
          { listen: { port: 8000, path: world.path }, to: { host: 'host.example', port, ...ANY } },
        ],
      },
      { resolve },
    )
    const ask = async (): Promise<string> =>
      (await drained(world.dial(8000).end())).bytes.toString()
    return Object.assign(world, { ask })
  }

  it('holds for its TTL and then makes place for the new one', async () => {
    const table = { 'host.example': ['127.0.0.5'] }
    await using world = await worldOf(names(table, 1))
    expect(await world.ask()).toBe('one')
    table['host.example'] = ['127.0.0.6']
    expect(await world.ask()).toBe('one')
    expect(world.eventsOf('dns')).toHaveLength(1)
    await sleep(1100)
    expect(await world.ask()).toBe('two')
    expect(world.eventsOf('dns')).toHaveLength(2)
  })

  it('that is old serves while DNS fails', async () => {
    const table: Record<string, string[] | Error> = { 'host.example': ['127.0.0.5'] }
    await using world = await worldOf(names(table, 0))
    expect(await world.ask()).toBe('one')
    table['host.example'] = Object.assign(new Error('out of order'), { code: 'ESERVFAIL' })
    await sleep(1100)
    expect(await world.ask()).toBe('one')
    expect(world.eventsOf('open').map(({ stale }) => stale)).toEqual([false, true])
    expect(world.eventsOf('dns').at(-1)).toEqual({
      ...{ type: 'dns', host: 'host.example', result: 'failed', addresses: 1, code: 'ESERVFAIL' },
    })
    table['host.example'] = ['127.0.0.6']
    await sleep(1100)
    expect(await world.ask()).toBe('two')
  })

  it('that is old serves while DNS is silent, after 1.8 seconds', async () => {
    let silent = false
    const answers = names({ 'host.example': ['127.0.0.5'] }, 0)
    await using world = await worldOf((host, options) =>
      silent ? new Promise(() => undefined) : answers(host, options),
    )
    expect(await world.ask()).toBe('one')
    silent = true
    await sleep(1100)
    expect(await world.ask()).toBe('one')
    expect((await world.event('open', 1)).stale).toBe(true)
  })

  it('that never comes ends the connection in time', async () => {
    await using world = new World()
    await world.proxy(
      {
        outbound: [
          {
            listen: { port: 8000, path: world.path },
            to: { host: 'host.example', port: 1 },
            connectTimeout: 200,
          },
        ],
      },
      { resolve: () => new Promise(() => undefined) },
    )
    await drained(world.dial(8000).end())
    const { code, duration } = await world.event('failed')
    expect(code).toBe('ERR_VSOCK_PROXY_TIMEOUT')
    expect(duration).toBeLessThan(1000)
  })

  it('is asked for once, however many wait for it', async () => {
    let asked = 0
    const answers = names({ 'host.example': ['127.0.0.5'] })
    await using world = await worldOf(async (host, options) => {
      asked++
      await sleep(100)
      return answers(host, options)
    })
    const said = await Promise.all(Array.from({ length: 50 }, () => world.ask()))
    expect(said).toEqual(Array(50).fill('one'))
    expect(asked).toBe(1)
  })

  it('comes from the system where no resolver is given', async () => {
    await using world = new World()
    const port = await world.backend((socket) => socket.end('reached'))
    await world.proxy({
      outbound: [
        { listen: { port: 8000, path: world.path }, to: { host: 'LocalHost.', port, ...ANY } },
      ],
    })
    expect((await drained(world.dial(8000).end())).bytes.toString()).toBe('reached')
  })
})
