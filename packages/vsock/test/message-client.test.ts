import { once } from 'node:events'
import { connect as connectNet } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { connect as connectVsock } from '../src/connection.ts'
import { encodeFrame } from '../src/frame.ts'
import { MessageClient } from '../src/message-client.ts'
import { MessageError, MessageRemoteError } from '../src/message-error.ts'
import { serveMessages } from '../src/message-server.ts'
import { createServer as createVsockServer } from '../src/server.ts'
import { bytes, codes, failure, open, says, standClient } from './message-client-stand.ts'
import { echo, LONG, text, until } from './message-stand.ts'
import { registerVsock } from './simulated-vsock.ts'

describe('requests', () => {
  test('response by response, on one connection that is opened when it is needed', async () => {
    await using at = await standClient((message) => bytes(`${text(message)}!`))
    expect(at.streams).toHaveLength(0)
    expect(text(await at.client.request(bytes('one')))).toBe('one!')
    expect(text(await at.client.request(bytes('')))).toBe('!')
    const response = await at.client.request(bytes('two'))
    expect(response).toEqual(bytes('two!'))
    expect(response.constructor).toBe(Uint8Array)
    expect(response.buffer.byteLength).toBe(4)
    expect(at.streams).toHaveLength(1)
  })

  test('1000 pipelined requests: each gets its own response, over one connection', async () => {
    await using at = await standClient(async (message) => {
      await sleep(message.length % 3)
      return message
    })
    const requests = Array.from({ length: 1000 }, (_value, index) => bytes(`${index}`))
    const responses = await Promise.all(requests.map((request) => at.client.request(request)))
    expect(responses).toEqual(requests)
    expect(at.streams).toHaveLength(1)
  })

  test('any messages come back as they went', async () => {
    await using at = await standClient(
      echo,
      { maxMessageLength: 200_000 },
      { maxMessageLength: 200_000 },
    )
    const message = fc.uint8Array({ maxLength: 200_000, size: 'max' })
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 8 }), async (messages) => {
        const responses = await Promise.all(messages.map((one) => at.client.request(one)))
        return responses.every(
          (one, index) => Buffer.compare(one, messages[index] as Uint8Array) === 0,
        )
      }),
      { numRuns: 30 },
    )
  })

  test('the message is copied before request returns', async () => {
    await using at = await standClient(echo)
    const message = bytes('before')
    const response = at.client.request(message)
    message.fill(0)
    expect(text(await response)).toBe('before')
  })

  test('the largest message both ways', async () => {
    await using at = await standClient(echo)
    const message = new Uint8Array(2 ** 20).fill(5)
    expect(Buffer.compare(await at.client.request(message), message)).toBe(0)
    await expect(at.client.request(new Uint8Array(2 ** 20 + 1))).rejects.toThrow(RangeError)
    await expect(at.client.request('text' as never)).rejects.toThrow(TypeError)
    await expect(at.client.request(message, { deadline: 0 })).rejects.toThrow(RangeError)
    const misspelt = { deadlin: 1 } as object
    await expect(at.client.request(message, misspelt)).rejects.toThrow(/^deadlin is not an option/)
  })

  test.each([
    { connect: undefined },
    { maxMessageLength: -1 },
    { maxInFlight: 0 },
    { maxQueued: 0 },
    { deadline: 0 },
    { connectTimeout: 0 },
    { idleTimeout: 0 },
    { timeout: 5 },
  ])('option %j', (options) => {
    const build = (): MessageClient =>
      new MessageClient({ connect: () => Promise.reject(new Error()), ...options } as never)
    expect(build).toThrow('connect' in options || 'timeout' in options ? TypeError : RangeError)
  })

  test('what a polluted prototype has is no option', async () => {
    Reflect.set(Object.prototype, 'maxMessageLength', 3)
    try {
      await using at = await standClient(echo)
      expect(await at.client.request(bytes('four'))).toEqual(bytes('four'))
    } finally {
      Reflect.deleteProperty(Object.prototype, 'maxMessageLength')
    }
  })
})

describe('what the server refuses', () => {
  test('ERR_VSOCK_MESSAGE_REMOTE with the code, and the connection goes on', async () => {
    await using at = await standClient((message) => {
      if (text(message) === 'chosen') throw new MessageError('NOT_FOUND')
      if (text(message) === 'fails') throw new Error('secret')
      return message
    })
    const [chosen, failed, fine] = [
      failure(at.client.request(bytes('chosen'))),
      failure(at.client.request(bytes('fails'))),
      at.client.request(bytes('fine')),
    ]
    expect(await chosen).toMatchObject({
      code: 'ERR_VSOCK_MESSAGE_REMOTE',
      remoteCode: 'NOT_FOUND',
    })
    expect(await chosen).toBeInstanceOf(MessageRemoteError)
    expect(await failed).toMatchObject({ code: 'ERR_VSOCK_MESSAGE_REMOTE', remoteCode: 'INTERNAL' })
    expect(inspect(await failed)).not.toContain('secret')
    expect(text(await fine)).toBe('fine')
    expect(at.streams).toHaveLength(1)
  })

  test('what is too large for the server, with what came behind it', async () => {
    await using at = await standClient(echo, {}, { maxMessageLength: 10 })
    const first = failure(at.client.request(new Uint8Array(200_000)))
    const second = failure(at.client.request(bytes('behind')))
    expect(await first).toMatchObject({ remoteCode: 'TOO_LARGE' })
    expect(await second).toMatchObject({ code: 'ERR_VSOCK_MESSAGE_CONNECTION' })
    expect(text(await at.client.request(bytes('again')))).toBe('again')
    expect(at.streams).toHaveLength(2)
  })

  test('a server that is full', async () => {
    await using at = await standClient(echo, {}, { maxConnections: 1 })
    await at.client.request(bytes(''))
    const [path] = [at.server.address() as string]
    await using second = new MessageClient({ connect: async () => connectNet(path) })
    expect(await failure(second.request(bytes('')))).toMatchObject({ remoteCode: 'BUSY' })
  })

  test.each([
    ['no status', encodeFrame()],
    ['another status', encodeFrame(Uint8Array.of(2))],
    ['a code that is none', encodeFrame(Uint8Array.of(1), bytes('no code'))],
    ['a code that is too long', encodeFrame(Uint8Array.of(1), bytes('A'.repeat(65)))],
  ])('a response with %s', async (_name, answer) => {
    await using at = await open(says(answer))
    const { code, cause } = await failure(at.client.request(bytes('')))
    expect(code).toBe('ERR_VSOCK_MESSAGE_CONNECTION')
    expect(cause).toMatchObject({ code: 'ERR_VSOCK_MESSAGE_RESPONSE' })
  })

  test('a response of 4 GB', async () => {
    await using at = await open(says(Uint8Array.of(0xff, 0xff, 0xff, 0xff)))
    const { code, cause } = await failure(at.client.request(bytes('')))
    expect(code).toBe('ERR_VSOCK_MESSAGE_CONNECTION')
    expect(cause).toMatchObject({ code: 'ERR_VSOCK_FRAME_TOO_LARGE' })
  })

  test('a response that nobody asked for: the order is not trusted any more', async () => {
    const ok = encodeFrame(Uint8Array.of(0))
    await using at = await open(says(Buffer.concat([ok, ok])))
    expect(await at.client.request(bytes(''))).toEqual(new Uint8Array(0))
    await until(() => at.streams[0]?.destroyed === true)
  })
})

describe('close', () => {
  test('waits for what is under way, refuses more, is idempotent', async () => {
    await using at = await standClient((message) => sleep(50).then(() => message))
    const requests = [1, 2, 3].map((index) => at.client.request(Uint8Array.of(index)))
    const closed = at.client.close()
    expect(await codes([at.client.request(bytes('late'))])).toEqual(['ERR_VSOCK_MESSAGE_CLOSED'])
    expect(await Promise.all(requests)).toEqual([1, 2, 3].map((index) => Uint8Array.of(index)))
    await closed
    await at.client.close()
    expect(at.streams[0]?.destroyed).toBe(true)
    await until(() => at.messages.connections === 0)
  })

  test('after its deadline the rest is rejected', async () => {
    await using at = await standClient(() => new Promise<never>(() => {}))
    const request = failure(at.client.request(bytes('')))
    await until(() => at.messages.connections === 1)
    await at.client.close({ deadline: 20 })
    expect((await request).code).toBe('ERR_VSOCK_MESSAGE_CLOSED')
    expect(at.streams[0]?.destroyed).toBe(true)
    expect(() => at.client.close({ deadline: -1 })).toThrow(RangeError)
    expect(() => at.client.close({ timeout: 1 } as object)).toThrow(/^timeout is not an option/)
  })

  test('while it connects', async () => {
    let signal: AbortSignal | undefined
    const client = new MessageClient({
      connect: (options) => {
        signal = options.signal
        return new Promise(() => {})
      },
    })
    const request = failure(client.request(bytes('')))
    await client.close({ deadline: 10 })
    expect((await request).code).toBe('ERR_VSOCK_MESSAGE_CLOSED')
    expect(signal?.aborted).toBe(true)
  })

  test('before anything, and with await using', async () => {
    const at = await standClient(echo)
    {
      await using client = new MessageClient({
        connect: async () => connectNet(at.server.address() as string),
      })
      await client.request(bytes('1'))
    }
    await until(() => at.messages.connections === 0)
    await new MessageClient({ connect: () => Promise.reject(new Error()) }).close()
    await at[Symbol.asyncDispose]()
  })

  test('a graceful close of the server loses nothing that it handled', async () => {
    let handled = 0
    await using at = await standClient(async (message) => {
      handled++
      await sleep(2)
      return message
    })
    const requests = Array.from({ length: 500 }, (_value, index) =>
      at.client.request(Uint8Array.of(index % 256)),
    )
    await until(() => handled > 50)
    const closed = at.messages.close({ deadline: LONG })
    const outcomes = await Promise.allSettled(requests)
    await closed
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(handled)
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') expect(outcome.value).toEqual(Uint8Array.of(index % 256))
      else expect(outcome.reason).toMatchObject({ code: 'ERR_VSOCK_MESSAGE_CONNECTION' })
    }
  })
})

test('over vsock of the simulator', async () => {
  const end = registerVsock()
  try {
    const server = createVsockServer()
    await using messages = serveMessages(server, (message, { remote }) => {
      return Uint8Array.of(remote.cid ?? 0, ...message)
    })
    server.listen({ port: 5000 })
    await once(server, 'listening')
    await using client = new MessageClient({
      connect: ({ signal }) => connectVsock({ port: 5000, signal }),
    })
    expect(await client.request(bytes('a'))).toEqual(Uint8Array.of(3, 97))
    await client.close()
    await messages.close()
    await using late = new MessageClient({
      connect: ({ signal }) => connectVsock({ port: 5000, signal }),
    })
    const { code, cause } = await failure(late.request(bytes('a')))
    expect(code).toBe('ERR_VSOCK_MESSAGE_CONNECTION')
    expect(cause).toMatchObject({ code: 'ECONNRESET', port: 5000 })
  } finally {
    end()
  }
})
