import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConnectDoorOptions } from '@enclavejs/vsock/proxy'
import { parseConnectRequest } from '../../src/proxy/connect-request.ts'
import { drained, echo, names, World } from './world.ts'

const ANY = { dangerouslyAllowAnyAddress: true }
const BUSY = { host: 'busy.example', port: 1, ...ANY }
const INSIDE = { host: 'inside.example', port: 443 }
const MISSING = { host: 'missing.example', port: 443 }

class DoorWorld extends World {
  port = 0

  async open(more: Partial<ConnectDoorOptions> = {}): Promise<this> {
    this.port = await this.backend(echo)
    const allow = [{ host: 'host.example', port: this.port, ...ANY }, BUSY, INSIDE, MISSING]
    const literal = { host: '127.0.0.1', port: this.port }
    await this.proxy(
      {
        connect: [{ listen: { port: 8000, path: this.path }, allow: [...allow, literal], ...more }],
      },
      {
        resolve: names({
          'host.example': ['127.0.0.1'],
          'busy.example': ['127.0.0.1'],
          'inside.example': ['10.0.0.1', '169.254.169.254'],
        }),
      },
    )
    return this
  }

  /** Everything that is answered to these bytes. */
  async say(bytes: string): Promise<string> {
    const client = this.dial(8000)
    client.end(bytes, 'latin1')
    return (await drained(client)).bytes.toString('latin1')
  }
}

function head(target: string, more = ''): string {
  return `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${more}\r\n`
}

function answer(status: number, phrase: string, error: string): string {
  return `HTTP/1.1 ${status} ${phrase}\r\nProxy-Status: enclavejs; error=${error}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`
}

const BAD = answer(400, 'Bad Request', 'http_request_error')

describe('a CONNECT door', () => {
  it('leads to a host that is allowed, and carries what came with the request', async () => {
    await using world = await new DoorWorld().open()
    const { port } = world
    for (const target of [`host.example:${port}`, `HOST.Example:${port}`, `127.0.0.1:${port}`]) {
      expect(await world.say(`${head(target)}early`)).toBe('HTTP/1.1 200 OK\r\n\r\nearly')
    }
    const bare = `CONNECT host.example:${port} HTTP/1.1\r\nhost:host.example\r\nX-A:\tb \r\n\r\n`
    expect(await world.say(bare)).toBe('HTTP/1.1 200 OK\r\n\r\n')
  })

  it('reads a head one byte at a time', async () => {
    await using world = await new DoorWorld().open()
    const client = world.dial(8000)
    for (const byte of `${head(`host.example:${world.port}`)}early`) {
      client.write(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    client.end()
    const { bytes } = await drained(client)
    expect(bytes.toString()).toBe('HTTP/1.1 200 OK\r\n\r\nearly')
  })

  it.each([
    ['a host that is not', (port: number) => `other.example:${port}`],
    ['another port of one that is', (port: number) => `host.example:${port + 1}`],
    ['a longer name', (port: number) => `host.example.evil.example:${port}`],
    ['a name below it', (port: number) => `a.host.example:${port}`],
    ['another address', (port: number) => `127.0.0.2:${port}`],
    ['the metadata service', () => '169.254.169.254:80'],
    ['the metadata service by IPv6', () => '[fd00:ec2::254]:80'],
  ])('refuses %s with 403', async (_what, target) => {
    await using world = await new DoorWorld().open()
    expect(await world.say(head(target(world.port)))).toBe(
      answer(403, 'Forbidden', 'http_request_denied'),
    )
    expect(await world.event('refused')).toMatchObject({ reason: 'not-allowed', status: 403 })
  })

  it.each([
    ['403 where the name leads inside', INSIDE, 403, 'Forbidden', 'destination_ip_prohibited'],
    ['502 where there is no such name', MISSING, 502, 'Bad Gateway', 'dns_error'],
    ['502 where nobody listens', BUSY, 502, 'Bad Gateway', 'destination_unavailable'],
  ] as const)('answers %s', async (_what, { host, port }, status, phrase, error) => {
    await using world = await new DoorWorld().open()
    expect(await world.say(head(`${host}:${port}`))).toBe(answer(status, phrase, error))
  })

  it('answers 504 where nobody answers', async () => {
    await using world = new World()
    await world.proxy(
      {
        connect: [{ listen: { port: 8000, path: world.path }, allow: [BUSY], connectTimeout: 200 }],
      },
      { resolve: () => new Promise(() => undefined) },
    )
    const client = world.dial(8000).end(head('busy.example:1'))
    expect((await drained(client)).bytes.toString()).toBe(
      answer(504, 'Gateway Timeout', 'connection_timeout'),
    )
    expect(await world.event('failed')).toMatchObject({ code: 'ERR_VSOCK_PROXY_TIMEOUT' })
  })

  it('answers 503 when it is full', async () => {
    await using world = await new DoorWorld().open({ maxConnections: 1 })
    const first = world.dial(8000)
    first.write(head(`host.example:${world.port}`))
    await once(first, 'data')
    expect(await world.say(head(`host.example:${world.port}`))).toBe(
      answer(503, 'Service Unavailable', 'connection_limit_reached'),
    )
    expect(world.eventsOf('refused')).toEqual([
      { type: 'refused', listener: 'connect-8000', reason: 'cap', status: 503 },
    ])
  })

  it('answers 408 to a head that does not come in time', async () => {
    await using world = await new DoorWorld().open({ headTimeout: 100 })
    const client = world.dial(8000)
    client.write('CONNECT host.ex')
    expect((await drained(client)).bytes.toString()).toBe(
      answer(408, 'Request Timeout', 'http_request_error'),
    )
    expect(await world.event('refused')).toMatchObject({ reason: 'head', status: 408 })
  })

  it('answers 431 to a head of 8 KiB without an end', async () => {
    await using world = await new DoorWorld().open()
    const target = `host.example:${world.port}`
    const fill = (length: number): string => {
      const begin = `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nX: `
      return `${begin}${'a'.repeat(length - begin.length - 4)}\r\n\r\n`
    }
    expect(await world.say(fill(8192))).toBe('HTTP/1.1 200 OK\r\n\r\n')
    expect(await world.say(fill(8193))).toBe(
      answer(431, 'Request Header Fields Too Large', 'http_request_error'),
    )
  })

  it.each([
    ['GET', 405, 'Method Not Allowed', 'http_request_denied'],
    ['connect', 405, 'Method Not Allowed', 'http_request_denied'],
  ] as const)('answers %s with %i', async (method, status, phrase, error) => {
    await using world = await new DoorWorld().open()
    const request = head(`host.example:${world.port}`).replace('CONNECT', method)
    expect(await world.say(request)).toBe(answer(status, phrase, error))
  })

  it.each(['HTTP/1.0', 'HTTP/2.0'])('answers %s with 505', async (version) => {
    await using world = await new DoorWorld().open()
    const request = head(`host.example:${world.port}`).replace('HTTP/1.1', version)
    expect(await world.say(request)).toBe(
      answer(505, 'HTTP Version Not Supported', 'http_request_error'),
    )
  })

  it.each([
    ['lines that end with LF', (text: string) => text.replaceAll('\r\n', '\n') + '\r\n\r\n'],
    ['one bare LF', (text: string) => text.replace('\r\nHost', '\nHost')],
    ['one bare CR', (text: string) => text.replace('Host: ', 'X: a\rb\r\nHost: ')],
    ['two spaces', (text: string) => text.replace('CONNECT ', 'CONNECT  ')],
    ['a tab', (text: string) => text.replace('CONNECT ', 'CONNECT\t')],
    ['no version', (text: string) => text.replace(' HTTP/1.1', '')],
    ['a version in lower case', (text: string) => text.replace('HTTP', 'http')],
    ['an empty line before', (text: string) => `\r\n${text}`],
    ['a path', (text: string) => text.replace(/CONNECT \S+/, 'CONNECT /')],
    ['a URL', (text: string) => text.replace('CONNECT ', 'CONNECT http://')],
    ['user information', (text: string) => text.replace('CONNECT ', 'CONNECT a@')],
    ['no port', (text: string) => text.replace(/:\d+ HTTP/, ' HTTP')],
    ['port 0', (text: string) => text.replaceAll(/:\d+/g, ':0')],
    ['port 65536', (text: string) => text.replaceAll(/:\d+/g, ':65536')],
    ['a port with a leading zero', (text: string) => text.replaceAll(/:(\d+)/g, ':0$1')],
    ['a port with a sign', (text: string) => text.replaceAll(/:(\d+)/g, ':+$1')],
    ['a NUL in the host', (text: string) => text.replaceAll('host.', 'host\0.')],
    ['an address of one number', (text: string) => text.replaceAll('host.example', '2130706433')],
    ['an address in hex', (text: string) => text.replaceAll('host.example', '0x7f.1')],
    [
      'IPv4 in the clothes of IPv6',
      (text: string) => text.replaceAll('host.example', '[::ffff:127.0.0.1]'),
    ],
    ['brackets around a name', (text: string) => text.replaceAll('host.example', '[host.example]')],
    ['no Host', (text: string) => text.replace(/Host: \S+\r\n/, '')],
    ['two Hosts', (text: string) => text.replace(/(Host: \S+\r\n)/, '$1$1')],
    ['another Host', (text: string) => text.replace('Host: host', 'Host: other')],
    ['a space before the colon', (text: string) => text.replace('Host:', 'Host :')],
    ['a folded field', (text: string) => text.replace('Host: ', 'X: a\r\n b\r\nHost: ')],
    ['a field without a name', (text: string) => text.replace('Host: ', ': a\r\nHost: ')],
    ['a control character', (text: string) => text.replace('Host: ', 'X: \x01\r\nHost: ')],
    ['a length', (text: string) => text.replace('Host: ', 'Content-Length: 1\r\nHost: ')],
    [
      'an encoding',
      (text: string) => text.replace('Host: ', 'Transfer-Encoding: chunked\r\nHost: '),
    ],
    ['65 fields', (text: string) => text.replace('Host: ', 'X: a\r\n'.repeat(64) + 'Host: ')],
    ['an end within the head', (text: string) => text.slice(0, -1)],
    ['nothing', () => ''],
    ['TLS', () => '\x16\x03\x01\x02\x00\x01\r\n\r\n'],
  ])('refuses %s with 400', async (_what, change) => {
    await using world = await new DoorWorld().open()
    const valid = head(`host.example:${world.port}`)
    const changed = change(valid)
    expect(changed).not.toBe(valid)
    expect(await world.say(changed)).toBe(BAD)
    expect(await world.event('refused')).toMatchObject({ reason: 'head', status: 400 })
    expect(world.eventsOf('open')).toEqual([])
  })

  it('is understood by the client of node:http', async () => {
    await using world = await new DoorWorld().open()
    const ask = async (path: string): Promise<[number | undefined, string]> => {
      const asked = request({ socketPath: `${world.path}_8000`, method: 'CONNECT', path })
      asked.setHeader('host', path)
      const [{ statusCode }, socket] = (await once(asked.end(), 'connect')) as [
        { statusCode?: number },
        Socket,
      ]
      return [statusCode, (await drained(world.keep(socket).end('hello'))).bytes.toString()]
    }
    expect(await ask(`host.example:${world.port}`)).toEqual([200, 'hello'])
    expect(await ask(`other.example:${world.port}`)).toEqual([403, ''])
  })

  it('accepts nothing that node:http reads otherwise', async () => {
    await using world = new World()
    const http = createServer({ insecureHTTPParser: true }).listen(0, '127.0.0.1')
    world.keepServer(http)
    await once(http, 'listening')
    http.on('connect', (asked: IncomingMessage, socket: Socket) => socket.end(`!${asked.url}`))
    http.on('clientError', (_error, socket) => socket.destroy())
    const { port } = http.address() as AddressInfo
    const valid = Buffer.from(head('host.example:443', 'X-A: b\r\nX-C:\td e\r\n'))
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(
        fc.nat(valid.length - 5),
        fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('\r\n\t :.0aA[]@/-'))),
        fc.boolean(),
        async (at, byte, insert) => {
          const changed = Buffer.from(valid)
          changed[at] = byte
          const inserted = [valid.subarray(0, at), Uint8Array.of(byte), valid.subarray(at)]
          const bytes = insert ? Buffer.concat(inserted) : changed
          const end = bytes.indexOf('\r\n\r\n') + 4
          const asked = parseConnectRequest(bytes.subarray(0, end))
          if ('status' in asked) return
          accepted++
          const answered = await drained(world.dialTcp(port).end(bytes.subarray(0, end)))
          const [name] = /![^!]*$/.exec(answered.bytes.toString()) ?? []
          expect(name?.toLowerCase().replace('.:', ':')).toBe(`!${asked.host.name}:${asked.port}`)
        },
      ),
      { numRuns: 1500 },
    )
    expect(accepted).toBeGreaterThan(10)
  })

  it('keeps halves open on their own', async () => {
    await using world = await new DoorWorld().open()
    const client = world.dial(8000)
    client.write(head(`host.example:${world.port}`))
    await once(client, 'data')
    await sleep(20)
    client.end('question')
    expect((await drained(client)).bytes.toString()).toBe('question')
    expect(await world.event('close')).toMatchObject({ reason: 'end', bytesUp: 8, bytesDown: 8 })
  })
})
