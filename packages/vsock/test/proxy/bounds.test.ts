// Bounds of the proxy that no option changes, each of them at its edge.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Destination } from '../../src/proxy/destination.ts'
import { parseHost, type Host } from '../../src/proxy/host-name.ts'
import { NameCache, type NameEvent } from '../../src/proxy/name-cache.ts'
import { drained, echo, names, until, World } from './world.ts'

const HOST = 'host.example'
afterEach(() => void vi.useRealTimers())

/** A clock that stands still between {@link vi.advanceTimersByTime}; timers are real. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['performance'] })
}

describe('DNS', () => {
  function cacheOf(resolve: ConstructorParameters<typeof NameCache>[0]): {
    get: () => Promise<unknown>
    told: NameEvent[]
  } {
    const told: NameEvent[] = []
    const cache = new NameCache(resolve, (event) => told.push(event))
    return { told, get: () => cache.get(HOST, 10_000).catch((error: unknown) => error) }
  }

  it('an answer holds for an hour, whatever its TTL', async () => {
    stopClock()
    const { get, told } = cacheOf(names({ [HOST]: ['192.0.2.1'] }, 1e9))
    await get()
    vi.advanceTimersByTime(3_599_999)
    expect(await get()).toMatchObject({ stale: false })
    expect(told).toHaveLength(1)
    vi.advanceTimersByTime(1)
    await get()
    expect(told).toHaveLength(2)
  })

  it('after a failure the next question waits for a second', async () => {
    stopClock()
    const { get, told } = cacheOf(names({}))
    const refused = { code: 'ERR_VSOCK_PROXY_DNS' }
    expect(await get()).toMatchObject(refused)
    vi.advanceTimersByTime(999)
    expect(await get()).toMatchObject(refused)
    expect(told).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(await get()).toMatchObject(refused)
    expect(told).toHaveLength(2)
  })

  it('a question has 5 seconds, also where the resolver does not heed its signal', async () => {
    const late = new AbortController()
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(late.signal)
    onTestFinished(() => timeout.mockRestore())
    const { get, told } = cacheOf(() => new Promise(() => undefined))
    const asked = get()
    expect(timeout.mock.calls).toEqual([[5000]])
    late.abort(new DOMException('late', 'TimeoutError'))
    expect(await asked).toMatchObject({ code: 'ERR_VSOCK_PROXY_DNS', cause: late.signal.reason })
    expect(told).toMatchObject([{ result: 'failed' }])
  })
})

it('an address that failed is tried last for 30 seconds', async () => {
  await using world = new World()
  const port = await world.backend(echo, { host: '127.0.0.9' })
  const cache = new NameCache(names({ [HOST]: ['127.0.0.5', '127.0.0.9'] }, 3600), () => undefined)
  const to = { host: HOST, port, dangerouslyAllowAnyAddress: true }
  const destination = new Destination(parseHost(HOST) as Host, to, cache, undefined)
  const addresses = async (): Promise<readonly string[]> => {
    const seen: string[] = []
    for (let count = 0; count < 2; count++) {
      const { socket, address } = await destination.connect(5000)
      world.keep(socket).destroy()
      seen.push(address)
    }
    return seen.toSorted()
  }
  stopClock()
  const alone = ['127.0.0.9', '127.0.0.9']
  expect(await addresses()).toEqual(alone)
  await world.backend(echo, { host: '127.0.0.5', port })
  vi.advanceTimersByTime(29_999)
  expect(await addresses()).toEqual(alone)
  vi.advanceTimersByTime(2)
  expect(await addresses()).toEqual(['127.0.0.5', '127.0.0.9'])
})

describe('a CONNECT client that is refused', () => {
  const open = async (world: World): Promise<void> => {
    const allow = [{ host: '127.0.0.1', port: 1 }]
    await world.proxy({ connect: [{ listen: { port: 8000, path: world.path }, allow }] })
  }
  /** Until the other side is gone for good: what is written then fails. */
  const gone = (client: Socket): Promise<void> => {
    const timer = setInterval(() => client.write('.'), 20)
    return new Promise((resolve) => {
      client.once('close', () => {
        clearInterval(timer)
        resolve()
      })
    })
  }

  it('and stays half-open has a second to read why', async () => {
    await using world = new World()
    await open(world)
    const client = world.dial(8000)
    client.write('GET / HTTP/1.1\r\n\r\n')
    const { bytes, how } = await drained(client)
    expect([bytes.toString().slice(0, 12), how]).toEqual(['HTTP/1.1 405', 'end'])
    const began = performance.now()
    await gone(client)
    expect(performance.now() - began).toBeLessThan(2000)
    expect(performance.now() - began).toBeGreaterThan(500)
  })

  it('is told nothing when a thousand others read why', { timeout: 20_000 }, async () => {
    await using world = new World()
    await open(world)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const said = async (): Promise<string> => {
      const client = world.dial(8000)
      client.write('GET / HTTP/1.1\r\n\r\n')
      return (await drained(client)).bytes.toString().slice(0, 12)
    }
    for (let count = 0; count < 1000; count += 100) {
      const answers = await Promise.all(Array.from({ length: 100 }, said))
      expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 405']))
    }
    expect(await said()).toBe('')
  })
})

it('the counters are read by 32 at a time', async () => {
  await using world = new World()
  const proxy = await world.proxy({
    outbound: [{ listen: { port: 8000, path: world.path }, to: { host: '127.0.0.1', port: 1 } }],
    metrics: { port: 0 },
  })
  const ask = async (): Promise<boolean> => {
    const client = world.keep(connect(proxy.metricsPort as number, '127.0.0.1'))
    client.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    return Promise.race([
      once(client, 'data').then(() => true),
      once(client, 'close').then(() => false),
    ]).catch(() => false)
  }
  const answered: boolean[] = []
  for (let count = 0; count < 33; count++) answered.push(await ask())
  expect(answered).toEqual([...Array<boolean>(32).fill(true), false])
})

it('a failure to accept is counted, and the listener lives', async () => {
  await using world = new World()
  const port = await world.backend(echo)
  const servers = new Set<Server>()
  const seen = (message: unknown): void => {
    servers.add((message as { socket: Socket & { server: Server } }).socket.server)
  }
  subscribe('net.server.socket', seen)
  onTestFinished(() => void unsubscribe('net.server.socket', seen))
  const proxy = await world.proxy({
    outbound: [{ listen: { port: 8000, path: world.path }, to: { host: '127.0.0.1', port } }],
  })
  const say = async (): Promise<string> =>
    (await drained(world.dial(8000).end('hello'))).bytes.toString()
  expect(await say()).toBe('hello')
  const failure = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE', syscall: 'accept' })
  const [door] = [...servers].filter(
    (server) => (server.address() as { port: number }).port === 8000,
  )
  door?.emit('error', failure)
  expect(world.eventsOf('refused')).toEqual([
    { type: 'refused', listener: 'outbound-8000', reason: 'accept' },
  ])
  expect(proxy.metrics()).toContain('refused_total{listener="outbound-8000",reason="accept"} 1')
  expect(await say()).toBe('hello')
  await until(() => proxy.listeners[0]?.open === 0, 'both connections to end')
})
