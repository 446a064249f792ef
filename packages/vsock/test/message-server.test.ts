import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeFrame } from '../src/frame.ts'
import { MessageError } from '../src/message-error.ts'
import type { VsockMessageEvent } from '../src/message-event.ts'
import type { MessageContext } from '../src/message-handler.ts'
import { serveMessages } from '../src/message-server.ts'
import { serverCertificate } from './certificate.ts'
import { bytes, code, echo, gate, MEBIBYTE, ok, Peer, stand, text, until } from './message-stand.ts'

const certificate = serverCertificate('localhost')

function throwing<T extends object>(value: T, key: PropertyKey): T {
  return Object.defineProperty(value, key, {
    get: () => {
      throw new Error('read')
    },
  })
}

describe('requests and responses', () => {
  test('status byte, then the message; empty ones too', async () => {
    await using at = await stand(echo)
    const peer = await at.dial()
    peer.send('one', '', 'two')
    expect([await peer.next(), await peer.next(), await peer.next()]).toEqual([
      ok('one'),
      ok(''),
      ok('two'),
    ])
    peer.socket.end()
    expect(await peer.next()).toBeUndefined()
    await until(() => at.messages.connections === 0)
    expect(at.messages.heldBytes).toBe(0)
  })

  test('1000 pipelined requests are answered in order, whatever the handlers take', async () => {
    let most = 0
    let working = 0
    await using at = await stand(async (message) => {
      most = Math.max(most, ++working)
      for (let turns = message.length % 7; turns > 0; turns--) await sleep(turns % 2)
      working--
      return message
    })
    const peer = await at.dial()
    const requests = Array.from({ length: 1000 }, (_value, index) =>
      `${index}`.repeat(1 + (index % 5)),
    )
    peer.send(...requests)
    peer.socket.end() // a peer that has said all still gets its responses
    expect(await peer.rest()).toEqual(requests.map(ok))
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(32)
  })

  test('a byte at a time', async () => {
    await using at = await stand(echo)
    const peer = await at.dial()
    peer.socket.setNoDelay(true)
    for (const byte of encodeFrame(bytes('slow'))) {
      peer.socket.write(Uint8Array.of(byte))
      await sleep(1)
    }
    expect(await peer.next()).toBe(ok('slow'))
  })

  test('the handler is told who asks, and owns the message', async () => {
    const server = createServer()
    let context: MessageContext | undefined
    let buffer: ArrayBufferLike | undefined
    await using messages = serveMessages(server, (message, given) => {
      context = given
      buffer = message.buffer
      return message
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address() as { port: number }
    const peer = new Peer(connect(address.port, '127.0.0.1'))
    peer.send('abc')
    expect(await peer.next()).toBe(ok('abc'))
    expect(context?.remote).toEqual({ address: '127.0.0.1', port: peer.socket.localPort })
    expect(context?.signal.aborted).toBe(false)
    expect(buffer?.byteLength).toBe(3)
    peer.socket.destroy()
    await messages.close()
  })

  test('the cid and port of a vsock peer', async () => {
    const server = createServer()
    server.prependListener('connection', (socket) => {
      Object.defineProperties(socket, {
        remoteCid: { value: 16 },
        remotePort: { value: 4711 },
        remoteAddress: { value: undefined },
      })
    })
    let remote: unknown
    await using messages = serveMessages(server, (message, context) => {
      remote = context.remote
      return message
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const peer = new Peer(connect((server.address() as { port: number }).port, '127.0.0.1'))
    peer.send('')
    expect(await peer.next()).toBe(ok(''))
    expect(remote).toEqual({ cid: 16, port: 4711 })
    peer.socket.destroy()
    await messages.close()
  })

  test.skipIf(certificate === undefined)('over TLS (needs the program openssl)', async () => {
    const server = createTlsServer({ ...certificate })
    await using messages = serveMessages(server, echo)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const { cert = '' } = certificate ?? {}
    const peer = new Peer(connectTls({ port, ca: cert, servername: 'localhost' }))
    peer.send('secret', 'x'.repeat(100_000))
    expect(await peer.next()).toBe(ok('secret'))
    expect((await peer.next())?.length).toBe(100_001)
    peer.socket.destroy()
    await messages.close()
  })
})

describe('refusals', () => {
  test('whatever bytes come, however cut: whole responses, an end, nothing left', async () => {
    await using at = await stand(echo, { maxMessageLength: 1000 })
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.uint8Array({ maxLength: 1200, size: 'max' }).map((message) => encodeFrame(message)),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 3000 }), run),
      { numRuns: 150 },
    )
    async function run(pieces: Uint8Array[], size: number): Promise<void> {
      const stream = Buffer.concat(pieces)
      const expected: string[] = []
      let offset = 0
      for (; offset + 4 <= stream.length; offset += 4 + stream.readUInt32BE(offset)) {
        const length = stream.readUInt32BE(offset)
        if (length > 1000 || offset + 4 + length > stream.length) break
        expected.push(ok(text(stream.subarray(offset + 4, offset + 4 + length))))
      }
      if (offset < stream.length) {
        const isLong = offset + 4 <= stream.length && stream.readUInt32BE(offset) > 1000
        expected.push(code(isLong ? 'TOO_LARGE' : 'TRUNCATED'))
      }
      const peer = await at.dial()
      for (let start = 0; start < stream.length; start += size) {
        peer.socket.write(stream.subarray(start, start + size))
        if (start % 3 === 0) await turn()
      }
      peer.socket.end()
      expect(await peer.rest()).toEqual(expected)
    }
    await until(() => at.messages.connections === 0)
    expect(at.messages.heldBytes).toBe(0)
  })

  test('a handler that throws: INTERNAL, and nothing of its text', async () => {
    const secret = 'password=hunter2'
    await using at = await stand((message) => {
      if (text(message) === 'sync') throw new Error(secret, { cause: secret })
      if (text(message) === 'async') return Promise.reject(new TypeError(secret))
      if (text(message) === 'text') return secret as never
      if (text(message) === 'nothing') return undefined as never
      if (text(message) === 'value') return Promise.reject(secret as unknown as Error)
      return message
    })
    const peer = await at.dial()
    const chunks: Buffer[] = []
    peer.socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    peer.send('sync', 'async', 'text', 'nothing', 'value', 'fine')
    const responses: unknown[] = []
    for (let index = 0; index < 6; index++) responses.push(await peer.next())
    expect(responses).toEqual([...Array<string>(5).fill(code('INTERNAL')), ok('fine')])
    expect(Buffer.concat(chunks).includes('hunter2')).toBe(false)
  })

  test('a MessageError: its code, and nothing of its text', async () => {
    await using at = await stand(() => {
      throw new MessageError('NO_SUCH_KEY', 'text for the log', { cause: new Error('more') })
    })
    const peer = await at.dial()
    peer.send('')
    expect(await peer.next()).toBe(code('NO_SUCH_KEY'))
  })

  test.each(['', 'a', 'A b', 'A\n', '1A', 'A'.repeat(65), 'É', 7 as unknown as string])(
    'MessageError(%j) is a TypeError',
    (value) => {
      expect(() => new MessageError(value)).toThrow(TypeError)
    },
  )

  test.each<[string, () => unknown]>([
    ['constructor: null', () => Object.assign(new Error('bad'), { constructor: null })],
    ['no name', () => Object.assign(new Error('bad'), { constructor: {} })],
    [
      'a name that is none',
      () => Object.assign(new Error('bad'), { constructor: { name: ['A'] } }),
    ],
    ['a class that throws', () => throwing(new Error('bad'), 'constructor')],
    ['a code that is none', () => Object.assign(new MessageError('BAD'), { code: 'hunter2' })],
    ['code: null', () => Object.assign(new MessageError('BAD'), { code: null })],
    ['a code that throws', () => throwing(new MessageError('BAD'), 'code')],
    [
      'a proxy that throws',
      () =>
        new Proxy(
          {},
          {
            getPrototypeOf: () => {
              throw new Error('read')
            },
          },
        ),
    ],
  ])('an error with %s: INTERNAL, and the connection lives', async (what, make) => {
    const names: unknown[] = []
    const listener = (event: unknown): void =>
      void names.push((event as VsockMessageEvent).errorName)
    subscribe('enclavejs:vsock:message', listener)
    try {
      await using at = await stand((message) => {
        if (text(message) === 'fail') throw make()
        return message
      })
      const peer = await at.dial()
      peer.send('fail', 'fine')
      expect([await peer.next(), await peer.next()]).toEqual([code('INTERNAL'), ok('fine')])
      expect(names).toContain(what.includes('code') ? 'MessageError' : 'Error')
    } finally {
      unsubscribe('enclavejs:vsock:message', listener)
    }
  })

  test('4 GB announced: TOO_LARGE after the responses before it, then the end; memory is flat', async () => {
    const { handler, open } = gate()
    await using at = await stand(handler)
    const before = process.memoryUsage().arrayBuffers
    const peer = await at.dial()
    peer.send('first')
    peer.socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff))
    peer.socket.write(new Uint8Array(MEBIBYTE)) // what would follow is not kept
    await until(() => peer.socket.writableLength === 0)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MEBIBYTE)
    open()
    expect(await peer.rest()).toEqual([ok('first'), code('TOO_LARGE')])
  })

  test('2 GB announced and allowed on 100 connections: memory is flat, and maxHeldBytes holds', async () => {
    await using at = await stand(echo, {
      maxMessageLength: 2 ** 31 - 1,
      maxHeldBytes: 8 * MEBIBYTE,
    })
    const before = process.memoryUsage().arrayBuffers
    const peers = await Promise.all(Array.from({ length: 100 }, () => at.dial()))
    for (const { socket } of peers) {
      socket.write(Uint8Array.of(0x7f, 0xff, 0xff, 0xff))
      socket.write(new Uint8Array(200_000))
    }
    const ends = await Promise.race(peers.map((peer) => peer.rest()))
    expect(ends).toEqual([code('BUSY')])
    await until(() => at.messages.heldBytes <= 8 * MEBIBYTE)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(256 * MEBIBYTE)
  })

  test('a response above maxMessageLength is INTERNAL', async () => {
    await using at = await stand(() => new Uint8Array(101), { maxMessageLength: 100 })
    const peer = await at.dial()
    peer.send('')
    expect(await peer.next()).toBe(code('INTERNAL'))
  })

  test('an end inside a request: TRUNCATED, and the handler is not called', async () => {
    const seen: string[] = []
    await using at = await stand((message) => {
      seen.push(text(message))
      return message
    })
    const peer = await at.dial()
    peer.send('whole')
    peer.socket.end(encodeFrame(bytes('half')).subarray(0, 6))
    expect(await peer.rest()).toEqual([ok('whole'), code('TRUNCATED')])
    expect(seen).toEqual(['whole'])
  })

  test('a peer killed in the middle of a request', async () => {
    const { handler, contexts } = gate()
    const server = createServer()
    await using messages = serveMessages(server, handler)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const peer = new Peer(connect((server.address() as { port: number }).port, '127.0.0.1'))
    peer.send('begun')
    await until(() => contexts.length === 1)
    peer.socket.write(encodeFrame(new Uint8Array(1000)).subarray(0, 500))
    await until(() => messages.heldBytes === 501)
    peer.socket.resetAndDestroy()
    await until(() => messages.connections === 0)
    expect(contexts[0]?.signal.aborted).toBe(true)
    expect(contexts).toHaveLength(1)
    expect(messages.heldBytes).toBe(0)
  })

  test('maxConnections: the next is answered with BUSY and closed, and served when there is room', async () => {
    await using at = await stand(echo, { maxConnections: 2 })
    const [one, two] = [await at.dial(), await at.dial()]
    one.send('1')
    two.send('2')
    expect([await one.next(), await two.next()]).toEqual([ok('1'), ok('2')])
    const third = await at.dial()
    third.send('3')
    expect(await third.rest()).toEqual([code('BUSY')])
    one.socket.end()
    await until(() => at.messages.connections === 1)
    const fourth = await at.dial()
    fourth.send('4')
    expect(await fourth.next()).toBe(ok('4'))
  })

  test('a crowd above maxConnections ends, and the served ones do not notice', async () => {
    await using at = await stand(echo, { maxConnections: 1 })
    const served = await at.dial()
    served.send('before')
    expect(await served.next()).toBe(ok('before'))
    const crowd = await Promise.all(Array.from({ length: 300 }, () => at.dial()))
    const ends = await Promise.all(crowd.map((peer) => peer.rest()))
    expect(ends.filter(([first]) => first === code('BUSY')).length).toBeGreaterThanOrEqual(100)
    expect(ends.every(([first]) => first === undefined || first === code('BUSY'))).toBe(true)
    served.send('after')
    expect(await served.next()).toBe(ok('after'))
  })

  test.each([
    { maxMessageLength: 2 ** 31 },
    { maxConnections: 0 },
    { maxInFlight: 1025 },
    { highWaterMark: 0 },
    { maxHeldBytes: 0 },
    { readTimeout: 0 },
    { idleTimeout: Infinity },
    { writeTimeout: 2 ** 31 },
    { handlerTimeout: -1 },
    { timeout: 5 },
  ])('option %j', (options) => {
    expect(() => serveMessages(createServer(), echo, options)).toThrow(
      'timeout' in options || options.idleTimeout === Infinity ? TypeError : RangeError,
    )
  })

  test('what a polluted prototype has is no option', async () => {
    Reflect.set(Object.prototype, 'maxMessageLength', 3)
    try {
      await using at = await stand(echo)
      const peer = await at.dial()
      peer.send('four')
      expect(await peer.next()).toBe(ok('four'))
    } finally {
      Reflect.deleteProperty(Object.prototype, 'maxMessageLength')
    }
  })

  test('a handler that is none', () => {
    expect(() => serveMessages(createServer(), undefined as never)).toThrow(TypeError)
  })
})

test('diagnostics: names, sizes and durations, no payload', async () => {
  const events: VsockMessageEvent[] = []
  const listener = (event: unknown): void => void events.push(event as VsockMessageEvent)
  subscribe('enclavejs:vsock:message', listener)
  try {
    class SecretError extends Error {
      override name = 'name with hunter2'
    }
    await using at = await stand((message) => {
      if (message.length === 3) throw new SecretError('hunter2')
      if (message.length === 5) throw new MessageError('NOT_FOUND', 'hunter2')
      return new Uint8Array(10)
    })
    const peer = await at.dial()
    peer.send('12', '123', '12345')
    peer.socket.end(Uint8Array.of(1, 0, 0, 0))
    await peer.rest()
    events.sort((a, b) => a.requestBytes - b.requestBytes)
    const rows = events.map(({ duration, ...event }) => {
      expect(duration).toBeGreaterThanOrEqual(0)
      return event
    })
    expect(rows).toEqual([
      { status: 'OK', requestBytes: 2, responseBytes: 15 },
      { status: 'INTERNAL', requestBytes: 3, responseBytes: 13, errorName: 'SecretError' },
      { status: 'TOO_LARGE', requestBytes: 4, responseBytes: 14 },
      { status: 'NOT_FOUND', requestBytes: 5, responseBytes: 14, errorName: 'MessageError' },
    ])
    expect(JSON.stringify(events)).not.toContain('hunter2')
  } finally {
    unsubscribe('enclavejs:vsock:message', listener)
  }
})
