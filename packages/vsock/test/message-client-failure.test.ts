import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectNet, createServer, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeFrame } from '../src/frame.ts'
import { MessageClient } from '../src/message-client.ts'
import { serveMessages } from '../src/message-server.ts'
import { bytes, codes, failure, open, says, standClient } from './message-client-stand.ts'
import { echo, LONG, text, until } from './message-stand.ts'

describe('connections that die', () => {
  test('all under way are rejected, the next request connects again', async () => {
    let first = true
    const server = createServer()
    server.on('connection', (socket) => {
      if (!first) return
      first = false
      socket.once('data', () => socket.destroy())
    })
    serveMessages(server, (message) => sleep(5).then(() => message))
    await using at = await open(server)
    const requests = Array.from({ length: 10 }, () => at.client.request(bytes('x')))
    expect(await codes(requests)).toEqual(Array(10).fill('ERR_VSOCK_MESSAGE_CONNECTION'))
    expect(text(await at.client.request(bytes('again')))).toBe('again')
    expect(at.streams).toHaveLength(2)
  })

  test('an end inside a response is told from one before it', async () => {
    for (const [answer, expected] of [
      [encodeFrame(Uint8Array.of(0), bytes('half')).subarray(0, 7), 'ERR_VSOCK_FRAME_TRUNCATED'],
      [new Uint8Array(0), undefined],
    ] as const) {
      const server = createServer((socket) => socket.once('data', () => socket.end(answer)))
      await using at = await open(server)
      const { code, cause } = await failure(at.client.request(bytes('')))
      expect(code).toBe('ERR_VSOCK_MESSAGE_CONNECTION')
      expect(Reflect.get(cause as object, 'code')).toBe(expected)
    }
  })

  test('what was not sent yet goes over the next connection', async () => {
    let connections = 0
    const server = createServer()
    server.on('connection', (socket) => {
      if (++connections === 1) socket.once('data', () => socket.destroy())
    })
    serveMessages(server, echo)
    await using at = await open(server, { maxInFlight: 2 })
    const requests = Array.from({ length: 5 }, (_value, index) =>
      at.client.request(bytes(`${index}`)),
    )
    const outcomes = await Promise.allSettled(requests)
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...['rejected', 'rejected'],
      ...['fulfilled', 'fulfilled', 'fulfilled'],
    ])
  })

  test('no connection: every waiting request has the cause, and the next tries again', async () => {
    let attempts = 0
    await using client = new MessageClient({
      connect: () => {
        attempts++
        throw Object.assign(new Error('nobody listens'), { code: 'ECONNRESET' })
      },
    })
    const requests = [client.request(bytes('1')), client.request(bytes('2'))]
    for (const error of await Promise.all(requests.map(failure))) {
      expect(error.code).toBe('ERR_VSOCK_MESSAGE_CONNECTION')
      expect(error.cause).toMatchObject({ code: 'ECONNRESET' })
    }
    expect(attempts).toBe(1)
    expect(await codes([client.request(bytes('3'))])).toEqual(['ERR_VSOCK_MESSAGE_CONNECTION'])
    expect(attempts).toBe(2)
  })

  test('connect that does not heed its signal: connectTimeout, and what comes late is destroyed', async () => {
    let give: (stream: Duplex) => void = () => {}
    await using client = new MessageClient({
      connect: () => new Promise<Duplex>((resolve) => (give = resolve)),
      connectTimeout: 50,
    })
    const { code, cause } = await failure(client.request(bytes('')))
    expect(code).toBe('ERR_VSOCK_MESSAGE_CONNECTION')
    expect(cause).toMatchObject({ name: 'TimeoutError' })
    await using at = await standClient(echo)
    const late = connectNet(at.server.address() as string)
    give(late)
    await until(() => late.destroyed)
  })

  test('a connection that is closed already', async () => {
    const closed = new Socket()
    closed.destroy()
    await using client = new MessageClient({ connect: () => Promise.resolve(closed) })
    expect(await codes([client.request(bytes(''))])).toEqual(['ERR_VSOCK_MESSAGE_CONNECTION'])
  })
})

describe('requests that are given up', () => {
  test('aborted or late ones keep their place: the others get their own responses', async () => {
    await using at = await standClient(async (message) => {
      if (message[0] === 0x73) await sleep(150)
      return message
    })
    const controller = new AbortController()
    const slow = failure(at.client.request(bytes('slow'), { deadline: 30 }))
    const before = at.client.request(bytes('before'))
    const aborted = at.client.request(bytes('aborted'), { signal: controller.signal })
    const after = at.client.request(bytes('after'))
    controller.abort(new Error('not needed'))
    await expect(aborted).rejects.toThrow('not needed')
    expect((await slow).code).toBe('ERR_VSOCK_MESSAGE_DEADLINE')
    expect([text(await before), text(await after)]).toEqual(['before', 'after'])
    expect(text(await at.client.request(bytes('later')))).toBe('later')
    expect(at.streams).toHaveLength(1)
  })

  test('any of them given up, the others are in order', async () => {
    await using at = await standClient(async (message) => {
      await sleep((message[0] ?? 0) % 4)
      return message
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), async (given) => {
        const outcomes = given.map(async (isGivenUp, index) => {
          const controller = new AbortController()
          const request = at.client.request(Uint8Array.of(index), { signal: controller.signal })
          if (isGivenUp) setTimeout(() => controller.abort(new Error('given up')), index % 5)
          return request.catch((error: Error) => error.message)
        })
        for (const [index, outcome] of (await Promise.all(outcomes)).entries()) {
          if (typeof outcome !== 'string') expect(outcome).toEqual(Uint8Array.of(index))
          else expect([outcome, given[index]]).toEqual(['given up', true])
        }
      }),
      { numRuns: 40 },
    )
  })

  test('an aborted one that waits is not sent', async () => {
    const seen: string[] = []
    await using at = await standClient(
      async (message) => {
        seen.push(text(message))
        await sleep(50)
        return message
      },
      { maxInFlight: 1 },
    )
    const controller = new AbortController()
    const first = at.client.request(bytes('first'))
    const second = failure(at.client.request(bytes('second'), { signal: controller.signal }))
    const third = at.client.request(bytes('third'))
    await until(() => seen.length === 1)
    controller.abort()
    expect(await second).toMatchObject({ name: 'AbortError' })
    await Promise.all([first, third])
    expect(seen).toEqual(['first', 'third'])
    const aborted = at.client.request(bytes('never'), { signal: AbortSignal.abort() })
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('a server that answers nothing: the deadline; the connection is left when all were given up', async () => {
    await using at = await open(says(), { maxInFlight: 3, deadline: 500 })
    const requests = Array.from({ length: 5 }, () => at.client.request(bytes('')))
    expect(await codes(requests)).toEqual(Array(5).fill('ERR_VSOCK_MESSAGE_DEADLINE'))
    await until(() => at.streams[0]?.destroyed === true)
  })

  test('a server that owes a response too long: the connection is left, and the others are told', async () => {
    await using at = await open(says(), { deadline: 500 })
    const first = at.client.request(bytes('1'), { deadline: 1000 })
    const others = [2, 3].map((index) => at.client.request(bytes(`${index}`), { deadline: LONG }))
    expect(await codes([first])).toEqual(['ERR_VSOCK_MESSAGE_DEADLINE'])
    expect(await codes(others)).toEqual(Array(2).fill('ERR_VSOCK_MESSAGE_CONNECTION'))
  })

  test('a server that drips a response', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write(encodeFrame(Uint8Array.of(0), new Uint8Array(1000)).subarray(0, 5))
      const dripping = setInterval(() => socket.write(Uint8Array.of(1)), 10)
      socket.on('close', () => clearInterval(dripping))
      socket.resume()
    })
    await using at = await open(server, { deadline: 200 })
    expect(await codes([at.client.request(bytes(''))])).toEqual(['ERR_VSOCK_MESSAGE_DEADLINE'])
  })
})

describe('bounds', () => {
  test('the queue: ERR_VSOCK_MESSAGE_BUSY, and the others go on', async () => {
    await using at = await standClient((message) => sleep(10).then(() => message), {
      maxInFlight: 2,
      maxQueued: 3,
    })
    await at.client.request(bytes('0'))
    const requests = Array.from({ length: 8 }, (_value, index) =>
      at.client.request(bytes(`${index}`)),
    )
    expect(await codes(requests)).toEqual([
      ...Array<string>(5).fill('nothing was thrown'),
      ...Array<string>(3).fill('ERR_VSOCK_MESSAGE_BUSY'),
    ])
  })

  test('a server that does not read: what waits is bounded, then the deadline', async () => {
    const server = createServer((socket) => void socket.pause().on('error', () => {}))
    await using at = await open(server, { maxQueued: 50, deadline: 1000 })
    const large = new Uint8Array(500_000)
    const first = failure(at.client.request(large))
    await until(() => at.streams.length === 1)
    const requests = Array.from({ length: 100 }, () => at.client.request(large))
    const outcomes = codes(requests)
    await sleep(50)
    expect(at.streams[0]?.writableLength).toBeLessThan(2_000_000)
    expect((await first).code).toBe('ERR_VSOCK_MESSAGE_DEADLINE')
    const list = await outcomes
    expect(list.filter((code) => code === 'ERR_VSOCK_MESSAGE_BUSY')).toHaveLength(50)
    expect(new Set(list).size).toBeGreaterThan(1)
  })

  test('an idle connection is ended, and opened again', async () => {
    await using at = await standClient(echo, { idleTimeout: 50 })
    await at.client.request(bytes('1'))
    await until(() => at.messages.connections === 0)
    expect(text(await at.client.request(bytes('2')))).toBe('2')
    expect(at.streams).toHaveLength(2)
  })

  test('an idle client does not keep the process alive', async () => {
    await using at = await standClient(echo)
    const source = fileURLToPath(new URL('../src/message-client.ts', import.meta.url))
    const program = `
      import { once } from 'node:events'
      import { connect } from 'node:net'
      import { MessageClient } from ${JSON.stringify(source)}
      const client = new MessageClient({
        connect: async () => connect(${JSON.stringify(at.server.address())}),
        idleTimeout: 2147483647,
      })
      console.log((await client.request(Uint8Array.of(1, 2, 3))).length)
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const output = child.stdout.toArray()
    const [status] = (await once(child, 'close')) as [number | null]
    expect([status, Buffer.concat((await output) as Buffer[]).toString()]).toEqual([0, '3\n'])
  })
})
