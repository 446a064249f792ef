import {
  connect as connectTcp,
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { createSimulatedImds, type ImdsFault, type SimulatedImds } from '@enclavejs/simulator/imds'
import { createSimulatedAccount } from '@enclavejs/simulator/kms'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  cachedCredentials,
  createVsockCredentials,
  fromImds,
  KmsError,
  serveCredentials,
  type Credentials,
  type CredentialsProvider,
  type CredentialsServed,
} from '../src/index.ts'
import { dial } from './kms-server.ts'
import { failure } from './simulated-kms.ts'
import { unhandledDuring } from './unhandled.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const START = Date.parse('2026-01-01T00:00:00Z')
const MINUTE = 60_000

function set(minutes: number | undefined, id = 'ASIAEXAMPLEEXAMPLE00'): Credentials {
  return {
    accessKeyId: id,
    secretAccessKey: SECRET,
    sessionToken: 'token',
    ...(minutes !== undefined && { expiration: new Date(START + minutes * MINUTE) }),
  }
}

describe('a cache', () => {
  let time = START
  const now = (): Date => new Date(time)

  it('asks once for many who ask at a time', async () => {
    time = START
    let asked = 0
    const cached = cachedCredentials(
      async () => {
        asked++
        await sleep(5)
        return set(60)
      },
      { now },
    )
    const all = await Promise.all(Array.from({ length: 20 }, () => cached()))
    expect(asked).toBe(1)
    expect(new Set(all)).toHaveProperty('size', 1)
  })

  it('asks again five minutes before the end, behind a call that has the last set', async () => {
    time = START
    const sets = [set(60), set(120, 'ASIAEXAMPLEEXAMPLE01')]
    let asked = 0
    const cached = cachedCredentials(async () => sets[asked++] ?? set(180), { now })
    await cached()
    time = START + 54 * MINUTE
    await cached()
    expect(asked).toBe(1)
    time = START + 55 * MINUTE
    expect((await cached()).accessKeyId).toBe('ASIAEXAMPLEEXAMPLE00')
    expect(asked).toBe(2)
    await sleep(1)
    expect((await cached()).accessKeyId).toBe('ASIAEXAMPLEEXAMPLE01')
  })

  it('gives the last good set until it ends, and asks a failing source every ten seconds', async () => {
    time = START
    let asked = 0
    const cached = cachedCredentials(
      async () => {
        if (asked++ === 0) return set(60)
        throw new Error('down')
      },
      { now },
    )
    await cached()
    time = START + 56 * MINUTE
    for (let index = 0; index < 5; index++) {
      expect((await cached()).accessKeyId).toBe('ASIAEXAMPLEEXAMPLE00')
      await sleep(1)
    }
    expect(asked).toBe(2)
    time += 11_000
    await cached()
    await sleep(1)
    expect(asked).toBe(3)
    time = START + 60 * MINUTE
    expect(await failure(cached())).toBe('ERR_KMS_CREDENTIALS')
  })

  it('asks at once when the last set was refused', async () => {
    time = START
    const requests: unknown[] = []
    const cached = cachedCredentials(
      async (request) => {
        requests.push(request?.forceRefresh)
        return set(60)
      },
      { now },
    )
    await cached()
    await Promise.all([cached({ forceRefresh: true }), cached({ forceRefresh: true })])
    expect(requests).toEqual([undefined, true])
  })

  it('keeps what a forced refresh gave, whatever an older one gives later', async () => {
    time = START
    let answer = (_set: Credentials): void => undefined
    const old = new Promise<Credentials>((resolve) => (answer = resolve))
    const cached = cachedCredentials(
      async (request) => (request?.forceRefresh === true ? set(60, 'ASIAEXAMPLEEXAMPLE01') : old),
      { now },
    )
    const slow = cached()
    expect((await cached({ forceRefresh: true })).accessKeyId).toBe('ASIAEXAMPLEEXAMPLE01')
    answer(set(60))
    await slow
    expect((await cached()).accessKeyId).toBe('ASIAEXAMPLEEXAMPLE01')
  })

  it('gives up a source that does not answer, and tells it', async () => {
    let signal: AbortSignal | undefined
    const cached = cachedCredentials(
      (request) => {
        signal = request?.signal
        return new Promise(() => undefined)
      },
      { timeout: 20 },
    )
    expect(await failure(cached())).toBe('ERR_KMS_CREDENTIALS')
    expect(signal?.aborted).toBe(true)
  })

  const malformed: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['a text', 'x'],
    ['no id', { ...set(60), accessKeyId: undefined }],
    ['an id with a line break', { ...set(60), accessKeyId: 'ASIAEXAMPLEEXAMPLE00\n' }],
    ['an id in small letters', { ...set(60), accessKeyId: 'asiaexampleexample00' }],
    ['a short secret', { ...set(60), secretAccessKey: 'short' }],
    ['a secret with a space', { ...set(60), secretAccessKey: `${SECRET} x` }],
    ['a token with a line break', { ...set(60), sessionToken: 'a\r\nx-evil: 1' }],
    ['a token that is too long', { ...set(60), sessionToken: 'a'.repeat(8193) }],
    ['an empty token', { ...set(60), sessionToken: '' }],
    ['a token that is none', { ...set(60), sessionToken: 7 }],
    ['an end that is no date', { ...set(60), expiration: 'tomorrow' }],
    ['an end that is a number', { ...set(60), expiration: 1 }],
    ['an end without zone', { ...set(60), expiration: '2026-01-01T01:00:00' }],
    ['a set that has expired', set(-1)],
  ]
  it.each(malformed)('refuses %s, and says nothing secret', async (_name, given) => {
    time = START
    const cached = cachedCredentials((async () => given) as CredentialsProvider, { now })
    const error = await cached().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(KmsError)
    expect(error).toMatchObject({ code: 'ERR_KMS_CREDENTIALS' })
    expect(inspect(error)).not.toContain(SECRET)
    expect(inspect(error)).not.toContain('x-evil')
  })
})

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close())
  return (server.address() as AddressInfo).port
}

async function served(
  provider: CredentialsProvider,
  options: Parameters<typeof serveCredentials>[2] = {},
): Promise<number> {
  return listen(serveCredentials(createServer(), provider, options))
}

const enclave = (port: number, options: { timeout?: number; now?: () => Date } = {}) =>
  createVsockCredentials({
    connect: ({ signal }) => dial(port)('', 0, { signal }),
    ...options,
  })

const now = (): Date => new Date(START)

describe('credentials from the parent', () => {
  it('arrive as they are', async () => {
    const events: CredentialsServed[] = []
    const onServed = (event: CredentialsServed): void => void events.push(event)
    const port = await served(async () => set(60), { now, onServed })
    expect(await enclave(port, { now })()).toEqual(set(60))
    await sleep(5)
    expect(events).toEqual([{ outcome: 'served', expiration: set(60).expiration }])
    const lasting = { accessKeyId: 'AKIAEXAMPLEEXAMPLE00', secretAccessKey: SECRET }
    expect(await enclave(await served(async () => lasting))()).toEqual(lasting)
  })

  it('are asked for anew when KMS refused them', async () => {
    let count = 0
    const port = await served(async () => set(60, `ASIAEXAMPLEEXAMPLE0${count++}`), { now })
    const provider = enclave(port, { now })
    expect((await provider()).accessKeyId).toBe('ASIAEXAMPLEEXAMPLE00')
    expect((await provider()).accessKeyId).toBe('ASIAEXAMPLEEXAMPLE00')
    expect((await provider({ forceRefresh: true })).accessKeyId).toBe('ASIAEXAMPLEEXAMPLE01')
  })

  it('that there are none of are a refusal, which does not say why', async () => {
    const events: CredentialsServed[] = []
    const port = await served(() => Promise.reject(new Error('the reason')), {
      onServed: (event) => void events.push(event),
    })
    const error = await enclave(port)().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_KMS_CREDENTIALS' })
    expect(inspect(error)).not.toContain('the reason')
    await sleep(5)
    expect(events).toMatchObject([{ outcome: 'unavailable' }])
    expect(inspect(events[0]?.error)).toContain('the reason')
  })

  const answers: readonly (readonly [string, string | ((socket: Socket) => void)])[] = [
    ['no JSON', 'hello\n'],
    ['another version', '{"version":2,"credentials":{}}\n'],
    ['a list', '[]\n'],
    ['null', 'null\n'],
    ['no credentials', '{"version":1}\n'],
    ['malformed ones', '{"version":1,"credentials":{"accessKeyId":"x"}}\n'],
    ['expired ones', `${JSON.stringify({ version: 1, credentials: set(-1) })}\n`],
    ['half a line', '{"version":1'],
    ['nothing', ''],
    ['a line without end', 'a'.repeat(20_000)],
    ['bytes for ever', (socket) => void setInterval(() => socket.write('a'), 1).unref()],
    ['silence', () => undefined],
    ['a reset', (socket) => void socket.resetAndDestroy()],
  ]
  it.each(answers)('are refused where the parent answers with %s', async (_name, answer) => {
    const sockets = new Set<Socket>()
    const port = await listen(
      createServer((socket) => {
        sockets.add(socket)
        socket.on('error', () => undefined)
        socket.once('data', () =>
          typeof answer === 'string' ? socket.end(answer) : answer(socket),
        )
      }),
    )
    const error = await enclave(port, { timeout: 200, now })().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_KMS_CREDENTIALS' })
    expect(inspect(error)).not.toContain(SECRET)
    for (const socket of sockets) socket.destroy()
  })

  it('are refused where the parent cannot be reached in time', async () => {
    const slow = createVsockCredentials({
      connect: () => new Promise(() => undefined),
      timeout: 20,
    })
    expect(await failure(slow())).toBe('ERR_KMS_CREDENTIALS')
    const broken = createVsockCredentials({ connect: () => Promise.reject(new Error('no')) })
    expect(await failure(broken())).toBe('ERR_KMS_CREDENTIALS')
  })

  it.each([
    ['no question', ''],
    ['no JSON', 'x\n'],
    ['another question', '{"enclavejs":"other","version":1,"refresh":false}\n'],
    ['another version', '{"enclavejs":"credentials","version":2,"refresh":false}\n'],
    ['null', 'null\n'],
    ['a long question', 'a'.repeat(2000)],
  ])('are not given to who asks with %s', async (_name, question) => {
    const events: CredentialsServed[] = []
    const onServed = (event: CredentialsServed): void => void events.push(event)
    const port = await served(async () => set(60), { now, timeout: 50, onServed })
    const got = await new Promise<string>((resolve) => {
      let text = ''
      const socket = connectTcp(port, '127.0.0.1', () => socket.write(question || '{'))
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(text))
    })
    expect(got).toBe('')
    expect(events).toMatchObject([{ outcome: 'malformed' }])
    // And the next is served.
    expect(await enclave(port, { now })()).toEqual(set(60))
  })

  it('hold a connection no longer than the timeout, whatever is sent', async () => {
    const port = await served(async () => set(60), { now, maxConnections: 1, timeout: 400 })
    const held = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
    const dripping = setInterval(() => held.write('x'), 20)
    closing.push(() => clearInterval(dripping))
    held.on('error', () => undefined).resume()
    held.write('{"enclavejs":"credentials","version":1,"refresh":false}\n')
    await sleep(800)
    expect(await enclave(port, { now })()).toEqual(set(60))
    held.destroy()
  })

  it.each<[string, () => void]>([
    [
      'throws',
      () => {
        throw new Error('the disk is full')
      },
    ],
    ['is rejected', () => Promise.reject(new Error('the disk is full'))],
  ])('are served where onServed %s', async (_name, onServed) => {
    const port = await served(async () => set(60), { now, onServed })
    const unhandled = await unhandledDuring(async () => {
      expect(await enclave(port, { now })()).toEqual(set(60))
      connectTcp(port, '127.0.0.1')
        .on('error', () => undefined)
        .end('malformed\n')
    })
    expect(unhandled).toEqual([])
  })

  it.each([{}, undefined, null, 5])('are refused where connect gives %o', async (given) => {
    const connect = (async () => given) as never
    const late = (async () => sleep(40, given)) as never
    const unhandled = await unhandledDuring(async () => {
      for (const provider of [
        createVsockCredentials({ connect }),
        createVsockCredentials({ connect: late, timeout: 10 }),
        fromImds({ connect, timeout: 1000 }),
        fromImds({ connect: late, timeout: 10 }),
        fromImds({ connect: (() => given) as never, timeout: 1000 }),
      ]) {
        const began = performance.now()
        expect(await failure(provider())).toBe('ERR_KMS_CREDENTIALS')
        expect(performance.now() - began).toBeLessThan(800)
      }
    })
    expect(unhandled).toEqual([])
  })

  it('are served to so many at a time and no more', async () => {
    const port = await served(async () => set(60), { now, maxConnections: 1, timeout: 300 })
    const held = connectTcp(port, '127.0.0.1')
    await sleep(20)
    expect(await failure(enclave(port, { now })())).toBe('ERR_KMS_CREDENTIALS')
    held.destroy()
    await sleep(20)
    expect(await enclave(port, { now })()).toEqual(set(60))
  })
})

describe('IMDSv2', () => {
  const account = createSimulatedAccount()
  let imds: SimulatedImds
  beforeAll(async () => {
    imds = await createSimulatedImds({ account, role: 'parent-role' })
  })
  afterAll(() => imds.close())
  afterEach(() => imds.clearFaults())
  const provider = (options: { role?: string; timeout?: number } = {}): CredentialsProvider =>
    fromImds({ connect: imds.connect.bind(imds), ...options })

  it('gives the credentials of the role', async () => {
    const found = await provider()()
    expect(found.accessKeyId).toMatch(/^ASIA/)
    expect(found.expiration?.getTime()).toBeGreaterThan(Date.now())
    expect(await provider({ role: 'parent-role' })()).toEqual(found)
  })

  const ROLE_PATH = '/latest/meta-data/iam/security-credentials/parent-role'
  const faults: readonly (readonly [string, ImdsFault])[] = [
    ['refuses the connection', { kind: 'refuse' }],
    ['does not answer', { kind: 'stall' }],
    ['answers 404', { kind: 'status', status: 404 }],
    ['answers 401', { kind: 'status', status: 401, path: '/latest/meta-data' }],
    ['answers 302', { kind: 'status', status: 302 }],
    ['answers too much', { kind: 'status', status: 200, body: 'a'.repeat(100_000) }],
    [
      'gives a malformed token',
      { kind: 'status', status: 200, body: 'a b\n', path: '/latest/api/token' },
    ],
    [
      'gives a malformed role',
      {
        kind: 'status',
        status: 200,
        body: '../../x',
        path: '/latest/meta-data/iam/security-credentials/',
      },
    ],
    ['gives malformed credentials', { kind: 'malformed', path: ROLE_PATH }],
    ['failed', { kind: 'failed', path: ROLE_PATH }],
    ['gives expired credentials', { kind: 'expired', path: ROLE_PATH }],
  ]
  it.each(faults)('that %s is refused', async (_name, fault) => {
    imds.fault(fault)
    const error = await provider({ timeout: 300 })().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_KMS_CREDENTIALS' })
    expect(inspect(error)).not.toMatch(/SecretAccessKey"\s*:/)
  })
})
