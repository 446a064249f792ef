import { beforeAll, describe, expect, test } from 'vitest'
import { createToken, createTokenRelay, type AcmToken } from '../../src/token.ts'
import { MAX_CLIENT_SESSIONS, MAX_STRANGER_SESSIONS } from '../../src/token/client.ts'
import { CKM, CKR, type CryptokiError } from '../../src/token/cryptoki.ts'
import { PIN_FAILURES, PIN_FORGIVEN_MS, Pin } from '../../src/token/pin.ts'
import { RpcClient } from '../../src/token/rpc-client.ts'
import { TokenDoor } from '../../src/token/token-door.ts'
import { TokenStore } from '../../src/token/token-store.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { rvOf, socketTo, streamTo, User } from './user.ts'

const PIN = '123456'

const message = new TextEncoder().encode('the transcript of a handshake')
let authority: MadeAuthority
let rsa: MadeKey
let ec: MadeKey

beforeAll(() => {
  authority = new MadeAuthority()
  rsa = authority.issue('rsa', 1)
  ec = authority.issue('ec', 2)
})

const makeToken = (more: { maxSessions?: number; maxConnections?: number } = {}): AcmToken =>
  createToken({ label: 'acmtok', pin: PIN, keys: [rsa, ec], ...more })
const plain = (type: number) => ({ type, pss: undefined })

describe('the PIN', () => {
  test('a wrong one, a wrong user, a second login', async () => {
    using token = makeToken()
    const user = await User.of(token)
    for (const pin of ['', '12345', '1234567', '123457']) {
      expect(await rvOf(user.login(pin))).toBe(CKR.PIN_INCORRECT)
    }
    expect(await rvOf(user.login(PIN, 0))).toBe(CKR.USER_TYPE_INVALID)
    expect(await rvOf(user.login(PIN))).toBe(0)
    expect(await rvOf(user.login(PIN))).toBe(CKR.USER_ALREADY_LOGGED_IN)
  })

  test('attempts are counted over all connections, and the lock refuses the right PIN too', async () => {
    using token = makeToken()
    const inside = await User.of(token, PIN)
    for (let attempt = 0; attempt < PIN_FAILURES; attempt++) {
      const user = await User.of(token)
      expect(await rvOf(user.login('wrong'))).toBe(CKR.PIN_INCORRECT)
    }
    const user = await User.of(token)
    expect(await rvOf(user.login('wrong'))).toBe(CKR.PIN_LOCKED)
    expect(await rvOf(user.login(PIN))).toBe(CKR.PIN_LOCKED)
    await inside.signInit(plain(CKM.SHA256_RSA_PKCS), await inside.key(1))
    expect(await inside.sign(message)).toHaveLength(256)
  })
})

test('attempts come back one a minute, ten at most, and a right PIN gives none', () => {
  let now = 0
  const pin = new Pin(PIN, () => now)
  const attempt = (text: string): number => {
    try {
      pin.verify(new TextEncoder().encode(text))
      return 0
    } catch (error) {
      return (error as CryptokiError).rv
    }
  }
  now = 10 * PIN_FORGIVEN_MS
  const wrong = (): number => attempt('wrong')
  for (let count = 0; count < PIN_FAILURES; count++) expect(wrong()).toBe(CKR.PIN_INCORRECT)
  expect(attempt(PIN)).toBe(CKR.PIN_LOCKED)
  now += PIN_FORGIVEN_MS - 1
  expect(attempt(PIN)).toBe(CKR.PIN_LOCKED)
  now += 1
  expect([attempt(PIN), attempt(PIN), wrong(), attempt(PIN)]).toEqual([
    ...[0, 0, CKR.PIN_INCORRECT, CKR.PIN_LOCKED],
  ])
  now += 100 * PIN_FORGIVEN_MS
  expect(pin.attemptsLeft).toBe(PIN_FAILURES)
})

describe('connections and sessions are bounded', () => {
  test('sessions, over all connections; a connection that ends gives its own back', async () => {
    using token = makeToken({ maxSessions: 20 })
    const users = await Promise.all(Array.from({ length: 4 }, () => User.of(token)))
    const handles = new Set<number>()
    for (const user of users) {
      for (let count = 0; count < 4; count++) handles.add(await user.openSession())
    }
    expect(handles.size).toBe(16)
    const [first, second] = users as [User, User]
    expect(await rvOf(first.openSession())).toBe(CKR.SESSION_COUNT)
    second.rpc.close()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(token.sessions).toBe(15)
    expect(handles.has(await first.openSession())).toBe(false)
  })

  test('who holds sessions without a login does not keep out who logs in', async () => {
    using token = makeToken({ maxSessions: 20 })
    const inside = await User.of(token, PIN)
    const [few, many] = [await User.of(token), await User.of(token)]
    for (let count = 0; count < 3; count++) await few.openSession()
    for (let count = 0; count < 14; count++) await many.openSession()
    expect(token.sessions).toBe(20)
    expect(await rvOf(few.openSession())).toBe(CKR.SESSION_COUNT)
    const late = await User.of(token, PIN)
    expect(many.rpc.ended).toBe(true)
    expect([few.rpc.ended, inside.rpc.ended]).toEqual([false, false])
    for (const user of [inside, late]) {
      await user.signInit(plain(CKM.SHA256_RSA_PKCS), await user.key(1))
      expect(await user.sign(message)).toHaveLength(256)
    }
    expect(token.sessions).toBe(6)
  })

  test('sessions of those who have logged in are not taken', async () => {
    using token = makeToken({ maxSessions: 2 })
    const users = [await User.of(token, PIN), await User.of(token, PIN)]
    expect(await rvOf(User.of(token, PIN))).toBe(CKR.SESSION_COUNT)
    expect(users.map(({ rpc }) => rpc.ended)).toEqual([false, false])
    await users[0]?.rpc.call('Logout', (args) => args.u64(users[0]?.session ?? 0))
    await User.of(token, PIN)
    expect(users.map(({ rpc }) => rpc.ended)).toEqual([true, false])
  })

  test('one connection asks for ten thousand sessions: few before its login, a bound after it', async () => {
    using token = makeToken()
    const user = await User.of(token)
    const ask = (): Promise<number[]> =>
      Promise.all(Array.from({ length: 5000 }, () => rvOf(user.openSession())))
    const before = await ask()
    expect(before.filter((rv) => rv === 0)).toHaveLength(MAX_STRANGER_SESSIONS - 1)
    await user.login(PIN)
    const after = await ask()
    expect(after.filter((rv) => rv === 0)).toHaveLength(MAX_CLIENT_SESSIONS - MAX_STRANGER_SESSIONS)
    expect(new Set([...before, ...after])).toEqual(new Set([0, CKR.SESSION_COUNT]))
    expect(token.sessions).toBe(128)
    await User.of(token, PIN)
    const info = await user.rpc.call('GetTokenInfo', (args) => args.u64(1))
    info.bytes(32 + 32 + 16 + 16 + 4 * 4 + 8)
    expect(info.u64()).toBe(128)
  })

  test('nor does one connection without a PIN take those of a relay, of its clients or of its enclave', async () => {
    using token = makeToken()
    const enclave = { connect: () => streamTo(token), pin: PIN }
    using relay = createTokenRelay({ label: 'outer', pin: PIN, enclaves: [enclave] })
    for (const door of [token, relay]) {
      const stranger = await User.of(door)
      const ask = Array.from({ length: 1100 }, () => rvOf(stranger.openSession()))
      expect((await Promise.all(ask)).filter((rv) => rv === 0)).toHaveLength(15)
      expect(stranger.rpc.ended).toBe(false)
    }
    await relay.refresh()
    const worker = await User.of(relay, PIN)
    await worker.signInit(plain(CKM.SHA256_RSA_PKCS), await worker.key(1))
    expect(await worker.sign(message)).toHaveLength(256)
  })

  test('connections', async () => {
    using token = makeToken({ maxConnections: 2 })
    await User.of(token)
    await User.of(token)
    await expect(User.of(token)).rejects.toThrow(/clos|end/)
    expect(token.connections).toBe(2)
  })

  test('a session of another connection is none', async () => {
    using token = makeToken()
    const [one, other] = [await User.of(token, PIN), await User.of(token)]
    other.session = one.session
    expect(await rvOf(other.find())).toBe(CKR.SESSION_HANDLE_INVALID)
    expect(await rvOf(other.login(PIN))).toBe(CKR.SESSION_HANDLE_INVALID)
  })

  test('a client that never reads is not listened to, and is let go', async () => {
    const store = new TokenStore(
      { label: '', manufacturer: '', model: '', serialNumber: '' },
      new Pin(PIN),
    )
    const door = new TokenDoor(store, 1, { handshake: 1000, transfer: 300 })
    const stream = await socketTo(door)
    const rpc = new RpcClient(stream)
    await rpc.initialize()
    stream.pause()
    let sent = 0
    while (door.connections > 0 && sent < 50_000) {
      if (stream.writableNeedDrain) await new Promise((resolve) => setTimeout(resolve, 20))
      void rpc.call('GetInfo').catch(() => {})
      sent++
    }
    stream.destroy()
    expect(sent).toBeLessThan(50_000)
    await expect.poll(() => door.connections).toBe(0)
  })

  test.each([
    ['says nothing', ''],
    ['says its version alone', '02'],
    ['stops in a frame', '0200000010000000000000'],
  ])(
    'a client that %s is let go',
    async (_name, hex) => {
      const store = new TokenStore(
        { label: '', manufacturer: '', model: '', serialNumber: '' },
        new Pin(PIN),
      )
      const door = new TokenDoor(store, 1, { handshake: 100, transfer: 100 })
      const stream = await socketTo(door)
      stream.resume().on('error', () => {})
      stream.write(Buffer.from(hex, 'hex'))
      await new Promise((resolve) => stream.once('close', resolve))
      await expect.poll(() => door.connections).toBe(0)
    },
    5000,
  )

  test.each([
    ['a frame of more than 64 KiB', '02000000100000000000010000'],
    ['options of more than 64 KiB', '0200000010ffffffff00000000'],
    ['a frame without a code', '02000000000000000000000008'],
  ])(
    '%s ends the connection',
    async (_name, hex) => {
      using token = makeToken()
      const stream = await socketTo(token)
      stream.resume().on('error', () => {})
      stream.write(Buffer.from(hex, 'hex'))
      await new Promise((resolve) => stream.once('close', resolve))
      await expect.poll(() => token.connections).toBe(0)
    },
    5000,
  )
})
