import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { createEgress, createPortEgress, type EgressOptions } from '../../src/egress.ts'
import { readProxyHeader } from '../../src/proxy-protocol.ts'
import { serverCertificate } from '../certificate.ts'
import { deferred, drained, echo, names, World } from './world.ts'

const ANY = { dangerouslyAllowAnyAddress: true }
const certificate = serverCertificate('host.example', 'inner.example')

const SIMULATOR = Symbol.for('enclavejs.simulator')
afterEach(() => {
  delete (globalThis as Record<symbol, unknown>)[SIMULATOR]
})

/** Makes this process the machine of a CID, as the simulator does: the parent's is 3. */
function become(world: World, localCid: number): void {
  const vsock = { directory: world.directory, localCid, parentCid: 3 }
  ;(globalThis as Record<symbol, unknown>)[SIMULATOR] = { version: 1, vsock }
}

/** An egress whose proxy says just this. */
async function answered(
  world: World,
  reply: string | ((socket: Socket) => void),
  more: Partial<EgressOptions> = {},
): Promise<{
  ask: (options?: { signal: AbortSignal }) => Promise<string>
  request: Promise<string>
}> {
  const request = deferred<string>()
  const port = await world.backend((socket) => {
    socket.once('data', (chunk: Buffer) => {
      request.resolve(chunk.toString())
      if (typeof reply === 'string') socket.end(reply, 'latin1')
      else reply(socket)
    })
  })
  const egress = createEgress({
    connect: async () => {
      const socket = world.dialTcp(port)
      await once(socket, 'connect')
      return socket
    },
    allow: [{ host: 'host.example', port: 443 }],
    ...more,
  })
  const ask = async (options: { signal?: AbortSignal } = {}): Promise<string> => {
    const stream = (await egress('Host.Example.', 443, options)) as Socket
    return (await drained(stream)).bytes.toString()
  }
  return { ask, request: request.promise }
}

describe('createEgress', () => {
  it.skipIf(certificate === undefined)(
    'carries TLS through a CONNECT door, with the simulator',
    async () => {
      await using world = new World()
      const backend = createTlsServer({ ...certificate }, (socket) => {
        socket.on('error', () => undefined)
        socket.pipe(socket)
      }).listen(0, '127.0.0.1')
      await once(backend, 'listening')
      world.keepServer(backend)
      const { port } = backend.address() as { port: number }
      become(world, 3)
      const host = 'host.example'
      await world.proxy(
        {
          connect: [{ listen: { port: 8001, allowedCids: [16] }, allow: [{ host, port, ...ANY }] }],
        },
        { resolve: names({ [host]: ['127.0.0.1'] }) },
      )
      become(world, 16)
      const egress = createEgress({ connect: { cid: 3, port: 8001 }, allow: [{ host, port }] })
      const streams = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const socket = await egress(host, port, {})
          const tls = connectTls({ socket, servername: host, ca: certificate?.cert })
          await once(tls, 'secureConnect')
          const block = Buffer.alloc(1 << 18, index)
          tls.end(block)
          const received: Buffer[] = []
          for await (const chunk of tls) received.push(chunk as Buffer)
          return Buffer.concat(received).equals(block)
        }),
      )
      expect(streams).toEqual(Array(20).fill(true))
      become(world, 17)
      await expect(egress(host, port, {})).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_VSOCK_EGRESS_(?:DIAL|RESPONSE)$/),
      })
    },
  )

  it.skipIf(certificate === undefined)(
    'serves TLS that ends inside, and knows who connects',
    async () => {
      await using world = new World()
      const claimed = deferred<string | undefined>()
      const tls = createTlsServer({ ...certificate }, (socket) => socket.end('from the inside'))
      await world.machine({
        8443: (socket) => {
          void readProxyHeader(socket).then(({ claimedAddress }) => {
            claimed.resolve(claimedAddress?.address)
            tls.emit('connection', socket)
          })
        },
      })
      const proxy = await world.proxy({
        inbound: [
          { listen: { port: 0 }, to: { path: world.path, port: 8443 }, proxyProtocol: true },
        ],
      })
      const socket = connectTls({
        ...{ port: proxy.listeners[0]!.port, host: '127.0.0.1' },
        ...{ servername: 'inner.example', ca: certificate?.cert },
      })
      let text = ''
      for await (const chunk of socket) text += String(chunk)
      expect(text).toBe('from the inside')
      expect(await claimed.promise).toBe('127.0.0.1')
    },
  )

  it('asks as RFC 9110 says, and loses nothing after the answer', async () => {
    await using world = new World()
    const { ask, request } = await answered(world, 'HTTP/1.1 200 OK\r\nVia: x\r\n\r\nfirst bytes')
    expect(await ask()).toBe('first bytes')
    expect(await request).toBe(
      'CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\n\r\n',
    )
  })

  it('is understood by the server of node:http', async () => {
    await using world = new World()
    const http = createHttpServer().listen(0, '127.0.0.1')
    world.keepServer(http)
    http.on('connect', (request: IncomingMessage, socket: Socket) => {
      socket.end(`HTTP/1.1 200 ${request.headers.host}\r\n\r\n${request.url}`)
    })
    await once(http, 'listening')
    const { port } = http.address() as AddressInfo
    const host = 'host.example'
    const egress = createEgress({
      connect: async () => world.dialTcp(port),
      allow: [{ host, port: 443 }],
    })
    const { bytes } = await drained((await egress(host, 443, {})) as Socket)
    expect(bytes.toString()).toBe('host.example:443')
  })

  it('reads an answer one byte at a time', async () => {
    await using world = new World()
    const { ask } = await answered(world, async (socket) => {
      for (const byte of 'HTTP/1.1 200 OK\r\n\r\nfirst') {
        socket.write(byte)
        await new Promise((resolve) => setImmediate(resolve))
      }
      socket.end()
    })
    expect(await ask()).toBe('first')
  })

  it.each([
    ['host.example', 444],
    ['other.example', 443],
    ['a.host.example', 443],
    ['127.0.0.1', 443],
  ])('does not even ask for %s:%i', async (host, port) => {
    let asked = false
    const egress = createEgress({
      connect: () => {
        asked = true
        throw new Error('asked')
      },
      allow: [{ host: 'host.example', port: 443 }],
    })
    await expect(egress(host, port, {})).rejects.toMatchObject({
      code: 'ERR_VSOCK_EGRESS_NOT_ALLOWED',
    })
    expect(asked).toBe(false)
  })

  it.each([
    [400, 'ERR_VSOCK_EGRESS_REFUSED'],
    [403, 'ERR_VSOCK_EGRESS_REFUSED'],
    [502, 'ERR_VSOCK_EGRESS_UNREACHABLE'],
    [503, 'ERR_VSOCK_EGRESS_BUSY'],
    [504, 'ERR_VSOCK_EGRESS_UNREACHABLE'],
  ])('tells status %i as %s', async (status, code) => {
    await using world = new World()
    const { ask } = await answered(
      world,
      `HTTP/1.1 ${status} Whatever\r\nProxy-Status: enclavejs; error=dns_error\r\n\r\n`,
    )
    await expect(ask()).rejects.toMatchObject({
      code,
      message: `host.example:443: the parent's proxy answers ${status} (dns_error)`,
    })
  })

  it.each([
    ['another version', 'HTTP/1.0 200 OK\r\n\r\n'],
    ['no phrase and no space', 'HTTP/1.1 200\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['100', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['an encoding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['lines that end with LF', 'HTTP/1.1 200 OK\n\n\r\n\r\n'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['an end within the head', 'HTTP/1.1 200 OK\r\n'],
    ['nothing', ''],
    ['8 KiB without an end', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(8192)}\r\n\r\n`],
    ['TLS', '\x16\x03\x01\x02\x00\x01\r\n\r\n'],
  ])('refuses an answer of %s', async (_what, reply) => {
    await using world = new World()
    const { ask } = await answered(world, reply)
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_VSOCK_EGRESS_RESPONSE' })
  })

  it('gives up on a proxy that does not answer, and destroys the stream', async () => {
    await using world = new World()
    const closed = deferred<boolean>()
    const silent = (socket: Socket): void => {
      socket
        .resume()
        .once('close', () => closed.resolve(true))
        .once('end', () => socket.end())
    }
    const { ask } = await answered(world, silent, { timeout: 100 })
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_VSOCK_EGRESS_TIMEOUT' })
    expect(await closed.promise).toBe(true)
  })

  it('gives up on a proxy that cannot be reached', async () => {
    const allow = [{ host: 'host.example', port: 443 }]
    const failing = createEgress({ connect: () => Promise.reject(new Error('no way')), allow })
    await expect(failing('host.example', 443, {})).rejects.toMatchObject({
      code: 'ERR_VSOCK_EGRESS_DIAL',
      message: "the parent's proxy cannot be reached: no way",
    })
    const hanging = createEgress({
      connect: () => new Promise(() => undefined),
      allow,
      timeout: 50,
    })
    await expect(hanging('host.example', 443, {})).rejects.toMatchObject({
      code: 'ERR_VSOCK_EGRESS_TIMEOUT',
    })
  })

  it('heeds a signal, before, during and not after', async () => {
    await using world = new World()
    const { ask } = await answered(world, 'HTTP/1.1 200 OK\r\n\r\n')
    await ask()
    const egress = createEgress({
      connect: () => new Promise(() => undefined),
      allow: [{ host: 'host.example', port: 443 }],
    })
    const before = AbortSignal.abort(new Error('before'))
    await expect(egress('host.example', 443, { signal: before })).rejects.toThrow('before')
    const during = new AbortController()
    const opening = egress('host.example', 443, { signal: during.signal })
    during.abort(new Error('during'))
    await expect(opening).rejects.toThrow('during')

    const port = await world.backend((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        echo(socket)
      })
    })
    const open = createEgress({
      connect: async () => world.dialTcp(port),
      allow: [{ host: 'host.example', port: 443 }],
    })
    const after = new AbortController()
    const stream = await open('host.example', 443, { signal: after.signal })
    after.abort()
    stream.end('still here')
    expect((await drained(stream as Socket)).bytes.toString()).toBe('still here')
  })

  it('heeds a signal while the answer is awaited: at once, and destroys the stream', async () => {
    await using world = new World()
    const closed = deferred<void>()
    const { ask, request } = await answered(world, (socket) => {
      socket.resume().once('close', closed.resolve)
      socket.once('end', () => socket.end())
    })
    const during = new AbortController()
    const asked = ask({ signal: during.signal })
    await request
    const reason = new Error('while it waits')
    const began = performance.now()
    during.abort(reason)
    await expect(asked).rejects.toBe(reason)
    await closed.promise
    expect(performance.now() - began).toBeLessThan(2000)
  })

  it('refuses what is no host, no port and no timeout', async () => {
    const connect = (): Promise<never> => Promise.reject(new Error('asked'))
    const make =
      (host: string, port: number, timeout = 1000) =>
      () =>
        createEgress({ connect, allow: [{ host, port }], timeout })
    expect(make('*.example', 443)).toThrow(TypeError)
    expect(make('host.example', 0)).toThrow(RangeError)
    for (const timeout of [0, 600_001, 1.5, Number.NaN]) {
      expect(make('host.example', 443, timeout)).toThrow(/^timeout: expected 1 to 600000 ms/)
      expect(() => createPortEgress({ ports: {}, timeout })).toThrow(RangeError)
    }
    for (const timeout of ['100', [100], true, null] as unknown as number[]) {
      expect(make('host.example', 443, timeout)).toThrow(/^timeout: expected a number of/)
      expect(() => createPortEgress({ ports: {}, timeout })).toThrow(TypeError)
    }
    await expect(make('host.example', 443)()('a b', 443, {})).rejects.toThrow(TypeError)
  })
})

describe('createPortEgress', () => {
  it('leads each destination to its vsock port', async () => {
    await using world = new World()
    await world.machine({
      8000: (socket) => socket.end('kms'),
      8001: (socket) => socket.end('sts'),
    })
    const egress = createPortEgress({
      path: world.path,
      ports: { 'kms.example:443': 8000, 'STS.example.:443': 8001, '[fd00::1]:80': 8002 },
    })
    for (const name of ['kms', 'sts']) {
      const stream = (await egress(`${name}.example`, 443, {})) as Socket
      expect((await drained(stream)).bytes.toString()).toBe(name)
    }
    await expect(egress('kms.example', 80, {})).rejects.toMatchObject({
      code: 'ERR_VSOCK_EGRESS_NOT_ALLOWED',
    })
    await expect(egress('fd00:0::1', 80, {})).rejects.toMatchObject({
      code: 'ERR_VSOCK_EGRESS_DIAL',
    })
  })

  it('refuses a destination that is none', () => {
    expect(() => createPortEgress({ ports: { 'kms.example': 8000 } })).toThrow(TypeError)
    expect(() => createPortEgress({ ports: { 'kms.example:0': 8000 } })).toThrow(RangeError)
  })

  it.each([
    ['a negative port', { 'a.b:443': -5 }, RangeError, "ports['a.b:443']: expected 0 to"],
    ['a port beyond vsock', { 'a.b:443': 2 ** 32 }, RangeError, "ports['a.b:443']: expected 0 to"],
    ['half a port', { 'a.b:443': 1.5 }, TypeError, "ports['a.b:443']: expected an integer"],
    ['a text', { 'a.b:443': '1' as never }, TypeError, "ports['a.b:443']: expected an integer"],
    ['a name twice', { 'a.b:443': 1, 'A.B.:443': 2 }, TypeError, 'ports: expected each'],
    ['an address twice', { '[fd00::1]:80': 1, '[FD00:0::1]:80': 1 }, TypeError, 'ports: expected'],
    ['an address that may be another without a port', { 'fd00::1:80': 1 }, TypeError, 'host: '],
    ['half a bracket', { '[fd00::1:80': 1 }, TypeError, 'host: '],
    ['no map at all', null as never, TypeError, 'ports: expected a port for each'],
  ])('refuses %s', (_what, ports, type, said) => {
    const make = (): unknown => createPortEgress({ ports })
    expect(make).toThrow(type)
    expect(make).toThrow(said)
  })

  it('refuses what is no CID, no path, and both', () => {
    const ports = { 'a.b:443': 1 }
    expect(() => createPortEgress({ ports, cid: -1 })).toThrow(RangeError)
    expect(() => createPortEgress({ ports, path: '' })).toThrow(TypeError)
    expect(() => createPortEgress({ ports, cid: 3, path: '/v.sock' })).toThrow('cid and path')
  })
})

describe('options', () => {
  const door = (): Promise<never> => Promise.reject(new Error('asked'))

  it('that are not known are refused', () => {
    const allow = [{ host: 'a.b', port: 443 }]
    const egress = { connect: door, allow, alow: [] }
    expect(() => createEgress(egress)).toThrow(/^alow is not an option/)
    expect(() => createEgress(egress)).toThrow(TypeError)
    const ports = { ports: { 'a.b:443': 1 }, pots: {} }
    expect(() => createPortEgress(ports)).toThrow(/^pots is not an option/)
    expect(() => createPortEgress(ports)).toThrow(TypeError)
  })

  it.each([
    ['a key of an entry of allow', { allow: [{ host: 'a.b', port: 443, path: '/only' }] }, 'path'],
    ['a key of the door', { connect: { port: 8001, allowHalfOpen: false } }, 'allowHalfOpen'],
    ['a misspelt key of the door', { connect: { port: 8001, Cid: 3 } }, 'Cid'],
  ])('that are not known are refused within: %s', (_what, more, name) => {
    const options = { connect: door, allow: [{ host: 'a.b', port: 443 }], ...more }
    expect(() => createEgress(options)).toThrow(TypeError)
    expect(() => createEgress(options)).toThrow(new RegExp(`^${name} is not an option`))
  })

  it.each([
    ['no list', { allow: { host: 'a.b', port: 443 } }, /^allow: expected a list/],
    ['no entry', { allow: ['a.b:443'] }, /^an entry of allow takes an object/],
    ['no port of the door', { connect: { cid: 3 } }, /^port: expected/],
    ['two doors in one', { connect: { cid: 3, path: '/v', port: 1 } }, /^cid and path/],
  ])('that are not as described are refused at once: %s', (_what, more, said) => {
    const options = { connect: door, allow: [{ host: 'a.b', port: 443 }], ...more }
    expect(() => createEgress(options as never)).toThrow(TypeError)
    expect(() => createEgress(options as never)).toThrow(said)
  })

  it('are copied: what is changed later changes nothing', async () => {
    await using world = new World()
    become(world, 16)
    const [allow, at] = [[{ host: 'a.b', port: 443 }], { cid: 3, port: 1 }]
    const egress = createEgress({ connect: at, allow })
    allow.push({ host: 'c.d', port: 443 })
    at.port = 2
    await expect(egress('c.d', 443, {})).rejects.toMatchObject({
      code: 'ERR_VSOCK_EGRESS_NOT_ALLOWED',
    })
    await expect(egress('a.b', 443, {})).rejects.toMatchObject({ cause: { cid: 3, port: 1 } })
  })

  it.each(['timeout', 'path'])('of a polluted prototype are none: %s', async (name) => {
    await using world = new World()
    become(world, 16)
    Reflect.set(Object.prototype, name, name === 'timeout' ? 0 : '/nowhere')
    let opening: Promise<unknown>
    try {
      createEgress({ connect: door, allow: [{ host: 'a.b', port: 443 }] })
      opening = createPortEgress({ ports: { 'a.b:443': 1 } })('a.b', 443, {})
    } finally {
      Reflect.deleteProperty(Object.prototype, name)
    }
    // To the parent's CID: nobody is there, and it is no Unix socket of a virtual machine.
    await expect(opening).rejects.toMatchObject({
      code: 'ERR_VSOCK_EGRESS_DIAL',
      cause: { cid: 3, port: 1 },
    })
  })
})
