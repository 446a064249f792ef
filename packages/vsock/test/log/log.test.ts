// The enclave's end and the parent's of a log, over a vsock of Unix sockets.
import { connect as connectUnix, createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, listenVsock } from '../../src/index.ts'
import { createLog, readLog, type Log, type LogEntry, type LogOptions } from '../../src/log.ts'
import { registerVsock } from '../simulated-vsock.ts'
import { collect } from './collect.ts'

let unregister: () => void
beforeAll(() => void (unregister = registerVsock()))
afterAll(() => unregister())

let lastPort = 9200
const CID = 3

const DECLARED = {
  events: ['request', 'started'],
  fields: {
    status: { type: 'integer', min: 100, max: 599 },
    share: { type: 'number', min: 0, max: 1 },
    ok: { type: 'boolean' },
    route: { type: 'enum', values: ['/', '/sign'] },
    id: { type: 'token', maxLength: 8 },
    digest: { type: 'hex', maxLength: 4 },
  },
  counters: ['requests'],
  gauges: ['sessions'],
} as const satisfies LogOptions

async function open(options: Partial<LogOptions> = {}): Promise<{ log: Log; port: number }> {
  const port = ++lastPort
  const log = createLog({ ...DECLARED, ...options, port } as LogOptions)
  await log.listening()
  return { log, port }
}

async function readAll(port: number): Promise<LogEntry[]> {
  return collect(readLog({ cid: CID, port }))
}

function events(entries: readonly LogEntry[]): object[] {
  return entries.flatMap((one) => (one.type === 'event' ? [{ ...one.fields }] : []))
}

describe('createLog', () => {
  it('lets declared events, fields and metrics leave, with their times and numbers', async () => {
    const { log, port } = await open({ now: () => new Date(1000) })
    log.info('started')
    log.warn('request', { status: 200, share: 0.5, ok: true, route: '/', id: 'a-1', digest: '0f' })
    log.count('requests')
    log.count('requests', 2)
    log.set('sessions', -4)
    const [beginning, first, second, ...metrics] = await readAll(port)
    expect(beginning).toMatchObject({
      type: 'beginning',
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
    })
    expect(first).toMatchObject({ type: 'event', sequence: 1, level: 'info', event: 'started' })
    expect(second).toEqual({
      ...{ type: 'event', sequence: 2, missing: 0, level: 'warn', event: 'request' },
      time: new Date(1000),
      fields: { status: 200, share: 0.5, ok: true, route: '/', id: 'a-1', digest: '0f' },
    })
    expect(metrics).toMatchObject([
      { type: 'counter', name: 'requests', value: 3 },
      { type: 'gauge', name: 'sessions', value: -4 },
    ])
    await log.close()
  })

  it.each([
    ['another field', { password: 'x' }, { field: 1 }],
    ['a fraction for an integer', { status: 200.5 }, { value: 1 }],
    ['an integer above its bound', { status: 600 }, { value: 1 }],
    ['a number below its bound', { share: -0.1 }, { value: 1 }],
    ['no number', { share: Number.NaN }, { value: 1 }],
    ['a text for a boolean', { ok: 'yes' }, { value: 1 }],
    ['a word that is not listed', { route: '/admin' }, { value: 1 }],
    ['a token that is too long', { id: '123456789' }, { value: 1 }],
    ['a token with a line feed', { id: 'a\nb' }, { value: 1 }],
    ['a token with an escape sequence', { id: '\u001b[2J' }, { value: 1 }],
    ['hex that is none', { digest: 'xyz' }, { value: 1 }],
    ['an object with toString', { id: { toString: (): string => 'a' } }, { value: 1 }],
  ])('drops and counts %s, and lets the rest leave', async (_, given, drops) => {
    const { log, port } = await open()
    log.info('request', { ok: true, ...given } as never)
    const expected = 'ok' in given ? {} : { ok: true }
    expect(events(await readAll(port))).toEqual([expected])
    expect(log.drops).toEqual({ overflow: 0, rate: 0, name: 0, field: 0, value: 0, ...drops })
    await log.close()
  })

  it('drops events, counters and gauges that are not declared, and values that are no numbers', async () => {
    const { log, port } = await open()
    log.info('user alice logged in' as never)
    log.info('toString')
    log.count('others')
    log.set('others', 1)
    log.set('sessions', Number.POSITIVE_INFINITY)
    log.count('requests', -1)
    const entries = await readAll(port)
    expect(entries.map(({ type }) => type)).toEqual(['beginning', 'dropped'])
    expect(log.drops).toMatchObject({ name: 4, value: 2 })
    expect(entries[1]).toMatchObject({ drops: log.drops })
    await log.close()
  })

  it('throws nothing whatever it is given, and reads a getter once', async () => {
    const { log, port } = await open()
    const trap = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('trap')
        },
      },
    )
    log.info('request', trap)
    log.info(null as never, 7 as never)
    log.info(Symbol('request') as never)
    log.info('request', null as never)
    let reads = 0
    log.info('request', {
      get id() {
        return reads++ === 0 ? 'first' : 'se\ncret'
      },
    })
    expect(events(await readAll(port))).toEqual([{}, { id: 'first' }])
    expect(reads).toBe(1)
    await log.close()
    log.info('started')
  })

  it('holds a rate', async () => {
    const { log, port } = await open({ rate: 1 })
    for (let count = 0; count < 50; count++) log.info('started')
    expect(log.drops.rate).toBe(40)
    expect(events(await readAll(port))).toHaveLength(10)
    await log.close()
  })

  it('keeps the newest lines in bounded memory when nobody reads, and counts the others', async () => {
    const { log, port } = await open({ maxBytes: 4096, rate: 10_000 })
    for (let count = 0; count < 5000; count++) log.info('request', { status: 100 + (count % 400) })
    const entries = await readAll(port)
    const first = entries.find((one) => one.type === 'event')
    const last = entries.findLast((one) => one.type === 'event')
    expect(last?.sequence).toBe(5000)
    expect(first?.missing).toBe((first?.sequence ?? 0) - 1)
    expect(log.drops.overflow).toBeGreaterThan(4800)
    // The line about the drops needed room too.
    expect(first?.sequence).toBeGreaterThanOrEqual(log.drops.overflow)
    expect(JSON.stringify(entries).length).toBeLessThan(20_000)
    // What has been read is no loss when it goes.
    const before = log.drops.overflow
    log.info('started')
    expect(log.drops.overflow).toBe(before)
    await log.close()
  })

  it('a reader that does not read holds up nothing, and finds itself behind a gap', async () => {
    const { log, port } = await open({ maxBytes: 8192, rate: 10_000 })
    const stalled = await connect({ cid: CID, port })
    stalled.pause()
    for (let round = 0; round < 40; round++) {
      for (let count = 0; count < 1000; count++)
        log.info('request', { status: 200, route: '/sign' })
      await wait(1)
    }
    let text = ''
    stalled.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    stalled.resume()
    await expect.poll(() => /"n":40000,/.test(text), { timeout: 20_000 }).toBe(true)
    const numbers = [...text.matchAll(/"n":(\d+),/g)].map(([, number]) => Number(number))
    expect(numbers.length).toBeLessThan(30_000)
    stalled.destroy()
    await log.close()
  })

  it('ends a reader that writes, and takes four at most', async () => {
    const { log, port } = await open()
    const writer = await connect({ cid: CID, port })
    writer.resume().on('error', () => undefined)
    writer.write('GET / HTTP/1.1\r\n\r\n')
    await new Promise((resolve) => writer.once('close', resolve))
    const readers: Socket[] = []
    let closed = 0
    for (let count = 0; count < 6; count++) {
      const reader = await connect({ cid: CID, port })
      reader
        .resume()
        .on('error', () => undefined)
        .on('close', () => closed++)
      readers.push(reader)
    }
    await expect.poll(() => closed).toBe(2)
    for (const one of readers) one.destroy()
    await log.close()
  })

  it('works and says so when the port is taken', async () => {
    const { log, port } = await open()
    const second = createLog({ ...DECLARED, port })
    await expect(second.listening()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    second.info('started')
    await second.close()
    await log.close()
  })

  it('gives a follower what is there when it is closed', async () => {
    const { log, port } = await open()
    const following = collect(readLog({ cid: CID, port, follow: true }))
    log.info('started')
    await wait(100)
    log.count('requests')
    await log.close()
    expect((await following).map(({ type }) => type)).toEqual(['beginning', 'event', 'counter'])
  })

  it.each([
    ['no events', { events: [] }, TypeError, 'events'],
    ['a name with a space', { events: ['a b'] }, TypeError, 'events'],
    [
      '257 counters',
      { counters: Array.from({ length: 257 }, (_, i) => `c${i}`) },
      RangeError,
      'counters',
    ],
    ['no list', { gauges: 'sessions' }, TypeError, 'gauges'],
    ['a field without type', { fields: { a: {} } }, TypeError, 'fields.a.type'],
    [
      'bounds in the wrong order',
      { fields: { a: { type: 'integer', min: 2, max: 1 } } },
      RangeError,
      'fields.a',
    ],
    ['no bound', { fields: { a: { type: 'number', min: 0 } } }, RangeError, 'fields.a'],
    ['no words', { fields: { a: { type: 'enum', values: [] } } }, TypeError, 'fields.a.values'],
    [
      'a word with a control character',
      { fields: { a: { type: 'enum', values: ['\u001b'] } } },
      TypeError,
      'fields.a.values',
    ],
    [
      'a text without bound',
      { fields: { a: { type: 'token' } } },
      RangeError,
      'fields.a.maxLength',
    ],
    [
      '65 fields',
      {
        fields: Object.fromEntries(
          Array.from({ length: 65 }, (_, i) => [`f${i}`, { type: 'boolean' }]),
        ),
      },
      RangeError,
      'fields',
    ],
    ['no rate', { rate: 0 }, RangeError, 'rate'],
    ['too little memory', { maxBytes: 1 }, RangeError, 'maxBytes'],
    ['an unknown option', { verbose: true }, TypeError, 'verbose'],
  ])('refuses %s', (_, options, type, message) => {
    const make = (): unknown => createLog({ ...DECLARED, ...(options as object), port: 1 } as never)
    expect(make).toThrow(type)
    expect(make).toThrow(message)
  })
})

describe('readLog', () => {
  const HELLO = '{"log":1,"id":"00112233445566aa","next":4}\n'

  /** What a hostile enclave sends. */
  async function hostile(bytes: string | Uint8Array, end = true): Promise<number> {
    const port = ++lastPort
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      if (end) socket.end(bytes)
      else socket.write(bytes)
    })
    await new Promise<void>((resolve) => void listenVsock(server, { port }, resolve))
    server.unref()
    return port
  }

  it.each([
    ['nothing', ''],
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['another version', '{"log":2,"id":"00112233445566aa","next":4}\n'],
    ['a list', '[1]\n'],
  ])('refuses %s in place of the first line', async (_, bytes) => {
    const port = await hostile(bytes)
    await expect(readAll(port)).rejects.toMatchObject({ code: 'ERR_VSOCK_LOG_PROTOCOL' })
  })

  it.each([
    ['with', `${'x'.repeat(8193)}\n`],
    ['without', 'x'.repeat(20_000)],
  ])('refuses a line that is too long, %s an end', async (_, line) => {
    const port = await hostile(HELLO + line, false)
    await expect(readAll(port)).rejects.toMatchObject({ code: 'ERR_VSOCK_LOG_LINE' })
  })

  it('refuses an enclave that says nothing more', async () => {
    const port = await hostile(HELLO, false)
    const reading = collect(readLog({ cid: CID, port, timeout: 200 }))
    await expect(reading).rejects.toMatchObject({ code: 'ERR_VSOCK_LOG_TIMEOUT' })
  })

  it('throws what the connection failed with, and the reason of a signal', async () => {
    await expect(readAll(++lastPort)).rejects.toMatchObject({ code: 'ECONNRESET' })
    const port = await hostile(HELLO, false)
    const aborting = new AbortController()
    const reading = collect(readLog({ cid: CID, port, follow: true, signal: aborting.signal }))
    setTimeout(() => aborting.abort(new Error('enough')), 50)
    await expect(reading).rejects.toThrow('enough')
  })

  it.each([
    ['no JSON', '{"n":1,'],
    ['a number that does not rise', '{"n":0,"t":1,"l":"info","e":"a","f":{}}'],
    ['no time', '{"n":1,"l":"info","e":"a","f":{}}'],
    ['a time that is none', '{"n":1,"t":1e300,"l":"info","e":"a","f":{}}'],
    ['another level', '{"n":1,"t":1,"l":"fatal","e":"a","f":{}}'],
    ['an event that is no name', '{"n":1,"t":1,"l":"info","e":"\\u001b[2J","f":{}}'],
    ['a field that is no name', '{"n":1,"t":1,"l":"info","e":"a","f":{"__proto__":1}}'],
    ['a field of objects', '{"n":1,"t":1,"l":"info","e":"a","f":{"a":{}}}'],
    ['a long text', `{"n":1,"t":1,"l":"info","e":"a","f":{"a":"${'x'.repeat(257)}"}}`],
    ['a metric that is no number', '{"n":1,"t":1,"c":"a","v":"1"}'],
    ['drops that lack one', '{"n":1,"t":1,"d":{"rate":1}}'],
  ])('gives %s as malformed, without its content', async (_, line) => {
    const port = await hostile(`${HELLO}${line}\n`)
    expect((await readAll(port))[1]).toEqual({ type: 'malformed', length: line.length })
  })

  it('reads lines that come in pieces', async () => {
    const port = ++lastPort
    const line = '{"n":3,"t":5,"g":"a","v":1}\n'
    const server = createServer(async (socket) => {
      for (const byte of HELLO + line) {
        socket.write(byte)
        await wait(0)
      }
    })
    await new Promise<void>((resolve) => void listenVsock(server, { port }, resolve))
    server.unref()
    expect((await readAll(port))[1]).toMatchObject({ type: 'gauge', sequence: 3, missing: 2 })
  })

  it('takes one address', async () => {
    for (const options of [{}, { cid: 3, path: '/x' }]) {
      await expect(collect(readLog(options))).rejects.toThrow(TypeError)
    }
    const own = readLog({ connect: async () => connectUnix('/nonexistent/socket') })
    await expect(collect(own)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
