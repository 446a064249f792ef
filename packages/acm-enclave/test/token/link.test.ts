import { Duplex, duplexPair, PassThrough, Transform, Writable } from 'node:stream'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createToken, createTokenRelay, type AcmToken } from '../../src/token.ts'
import { CKA, CKK, CKM, CKO, CKR } from '../../src/token/cryptoki.ts'
import { EnclaveLink } from '../../src/token/enclave-link.ts'
import { Pin } from '../../src/token/pin.ts'
import { ERROR_CALL, ERROR_SIGNATURE, rpcCall } from '../../src/token/rpc-call.ts'
import { RpcClient } from '../../src/token/rpc-client.ts'
import { beginFrame, endFrame, RpcFrameReader } from '../../src/token/rpc-frame.ts'
import { TokenDoor } from '../../src/token/token-door.ts'
import { TokenStore } from '../../src/token/token-store.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { rvOf, streamTo, User } from './user.ts'

const PIN = '123456'
let ec: MadeKey
beforeAll(() => {
  ec = new MadeAuthority().issue('ec', 1)
})
const labels = { label: 'inner', manufacturer: '', model: '', serialNumber: '' }

const tokens: AcmToken[] = []
afterEach(() => {
  for (const token of tokens.splice(0)) token.close()
})
const tokenOf = (keys: readonly MadeKey[]): AcmToken => {
  const token = createToken({ label: 'inner', pin: PIN, keys })
  tokens.push(token)
  return token
}
/** Each has three objects without a path, and five with its path of two. */
const many = (count: number, path: readonly string[]): MadeKey[] =>
  Array.from({ length: count }, (_, index) => {
    return { ...ec, path: [...path], id: Uint8Array.of(path.length, index >> 8, index) }
  })
const relayTo = (connect: () => Duplex) =>
  createTokenRelay({ label: 'outer', pin: PIN, enclaves: [{ connect, pin: PIN }] })

async function countObjects(user: User): Promise<number> {
  await user.rpc.call('FindObjectsInit', (args) => args.u64(user.session).u32(0))
  const found = await user.rpc.call('FindObjects', (args) => args.u64(user.session).u32(4096))
  found.u8()
  return found.u32()
}

describe('what an enclave has', () => {
  test('as many objects as are taken, and one more: refused, and what was shown stays', async () => {
    const token = tokenOf([...many(338, []), ...many(2, ec.path)])
    const user = await User.of(token, PIN)
    expect(await countObjects(user)).toBe(1024)
    using relay = relayTo(() => streamTo(token))
    await relay.refresh()
    expect(relay.ids).toHaveLength(340)
    token.addKey({ ...ec, id: Uint8Array.of(9, 9, 9) })
    await expect(relay.refresh()).rejects.toMatchObject({ code: 'ERR_ACM_TOKEN_OBJECTS' })
    expect(relay.ids).toHaveLength(340)
    using late = relayTo(() => streamTo(token))
    await expect(late.refresh()).rejects.toMatchObject({ code: 'ERR_ACM_TOKEN_OBJECTS' })
  })

  test('secrets that it tells do not go further', async () => {
    const store = new TokenStore(labels, new Pin(PIN))
    const told = [CKA.PRIVATE_EXPONENT, CKA.PRIME_1, CKA.PRIME_2, CKA.EXPONENT_1]
    const secrets = [...told, CKA.EXPONENT_2, CKA.COEFFICIENT]
    const bytes = new Uint8Array(16).fill(0x5e)
    // Key types by which this token, which would not tell them, does not know them for secrets; in the answer they are others.
    const key = (type: number, names: readonly number[]) => ({
      attributes: new Map<number, number | Uint8Array>([
        ...[[CKA.CLASS, CKO.PRIVATE_KEY] as const, [CKA.PRIVATE, 1] as const],
        ...[[CKA.ID, Uint8Array.of(type)] as const, [CKA.KEY_TYPE, 77 + type] as const],
        ...names.map((name) => [name, bytes] as const),
      ]),
    })
    store.add([key(CKK.RSA, secrets), key(CKK.EC, [CKA.VALUE])])
    const door = new TokenDoor(store, 4)
    const stream = streamTo(door)
    const lying = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        let text = chunk.toString('hex')
        for (const type of [CKK.RSA, CKK.EC]) {
          text = text.replaceAll(
            `01000000080000000000000${(77 + type).toString(16).padStart(3, '0')}`,
            `01000000080000000000000${type.toString(16).padStart(3, '0')}`,
          )
        }
        done(null, Buffer.from(text, 'hex'))
      },
    })
    stream.pipe(lying)
    const both = Duplex.from({ readable: lying, writable: stream })
    const link = await EnclaveLink.open(both, PIN, () => {})
    const objects = await link.objects()
    expect(objects.map(({ attributes }) => attributes.get(CKA.KEY_TYPE))).toEqual([CKK.RSA, CKK.EC])
    for (const { attributes } of objects) {
      for (const name of [...secrets, CKA.VALUE]) expect(attributes.has(name)).toBe(false)
      expect([...attributes.values()]).not.toContainEqual(bytes)
    }
    link.close()
    door.close()
  })
})

describe('an enclave that takes connections and says nothing', () => {
  afterEach(() => vi.useRealTimers())

  test('refresh ends within its five seconds', async () => {
    vi.useFakeTimers()
    const opened: Duplex[] = []
    using relay = relayTo(() => {
      const [near, far] = duplexPair()
      far.resume()
      opened.push(near)
      return near
    })
    let code: string | undefined
    const refreshed = relay.refresh().catch((error: { code: string }) => (code = error.code))
    await vi.advanceTimersByTimeAsync(4999)
    expect([code, opened[0]?.destroyed]).toEqual([undefined, false])
    await vi.advanceTimersByTimeAsync(1)
    await refreshed
    expect([code, opened[0]?.destroyed]).toEqual(['ERR_ACM_TOKEN_ENCLAVE', true])
    expect(opened).toHaveLength(1)
  })

  test('so it does where no connection comes', async () => {
    vi.useFakeTimers()
    let signal: AbortSignal | undefined
    const connect = (options: { readonly signal: AbortSignal }): Promise<Duplex> => {
      signal = options.signal
      return new Promise((_resolve, reject) =>
        options.signal.addEventListener('abort', () => reject(new Error('aborted'))),
      )
    }
    using relay = createTokenRelay({ label: 'o', pin: PIN, enclaves: [{ connect, pin: PIN }] })
    const refreshed = relay.refresh().catch((error: { code: string }) => error.code)
    await vi.advanceTimersByTimeAsync(4999)
    expect(signal?.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await refreshed).toBe('ERR_ACM_TOKEN_ENCLAVE')
  })

  test('so it does where connect does not heed its signal, and the next one is tried', async () => {
    const token = tokenOf([ec])
    vi.useFakeTimers()
    const [near] = duplexPair()
    let [settle, calls]: [(stream: Duplex) => void, number] = [() => {}, 0]
    const connect = (): Promise<Duplex> | Duplex => {
      if (calls++ > 0) return streamTo(token)
      return new Promise((resolve) => (settle = resolve))
    }
    using relay = createTokenRelay({ label: 'o', pin: PIN, enclaves: [{ connect, pin: PIN }] })
    const refreshed = relay.refresh().catch((error: { code: string }) => error.code)
    await vi.advanceTimersByTimeAsync(5000)
    expect(await refreshed).toBe('ERR_ACM_TOKEN_ENCLAVE')
    settle(near)
    await vi.advanceTimersByTimeAsync(1000)
    expect(near.destroyed).toBe(true)
    await relay.refresh()
    expect(relay.ids).toEqual([ec.id])
  })

  test('once it has spoken: what it has is waited for three seconds, and what it had stays', async () => {
    const token = tokenOf([ec])
    let stream: Duplex | undefined
    using relay = relayTo(() => (stream = streamTo(token)))
    await relay.refresh()
    vi.useFakeTimers()
    const near = stream as Duplex
    near.write = () => true
    let code: string | undefined
    const refreshed = relay.refresh().catch((error: { code: string }) => (code = error.code))
    await vi.advanceTimersByTimeAsync(2999)
    expect(code).toBe(undefined)
    await vi.advanceTimersByTimeAsync(1)
    await refreshed
    expect([code, near.destroyed]).toEqual(['ERR_ACM_TOKEN_ENCLAVE', true])
    expect(relay.ids).toEqual([ec.id])
  })
})

test.each([
  ['a mechanism of another key', CKR.KEY_TYPE_INCONSISTENT],
  ['a login that is over', CKR.USER_NOT_LOGGED_IN],
  ['a failure of its own', CKR.GENERAL_ERROR],
])('what an enclave refuses is passed on at once, and asked once: %s', async (_name, rv) => {
  const token = tokenOf([ec])
  let asked = 0
  const refusing = (): Duplex => {
    const near = streamTo(token)
    const back = new PassThrough()
    near.pipe(back)
    const forward = new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (!chunk.includes('uMu')) return void near.write(chunk, done)
        // C_SignInit and C_Sign in one write: both are answered with the refusal.
        asked++
        const reader = new RpcFrameReader()
        reader.push(chunk)
        for (let frame = reader.shift(); frame !== undefined; frame = reader.shift()) {
          const refusal = beginFrame(frame.code, '', ERROR_CALL, ERROR_SIGNATURE).u64(rv)
          back.write(endFrame(refusal))
        }
        done()
      },
    })
    return Duplex.from({ readable: back, writable: forward })
  }
  using relay = createTokenRelay({
    ...{ label: 'outer', pin: PIN, signTimeout: 10_000 },
    enclaves: [{ connect: refusing, pin: PIN }],
  })
  await relay.refresh()
  const user = await User.of(relay, PIN)
  await user.signInit({ type: CKM.ECDSA, pss: undefined }, await user.key(1))
  const begun = performance.now()
  expect(await rvOf(user.sign(new Uint8Array(32)))).toBe(rv)
  expect(performance.now() - begun).toBeLessThan(1000)
  expect(asked).toBe(1)
})

describe("the door's deadlines", () => {
  afterEach(() => vi.useRealTimers())
  const TIMES = { handshake: 1000, transfer: 300 }
  const open = (times?: typeof TIMES) => {
    vi.useFakeTimers()
    const door = new TokenDoor(new TokenStore(labels, new Pin(PIN)), 4, times)
    const stream = streamTo(door)
    stream.resume().on('error', () => {})
    return { door, stream }
  }

  test.each([
    ['as they are by default: the handshake', undefined, 10_000, ''],
    ['the handshake, for who says nothing', TIMES, 1000, ''],
    ['the handshake, for who says its version alone', TIMES, 1000, '02'],
    ['the handshake, for a frame that stops', TIMES, 1000, '02000000100000'],
  ])('%s', async (_name, times, deadline, hex) => {
    const { door, stream } = open(times)
    stream.write(Buffer.from(hex, 'hex'))
    await vi.advanceTimersByTimeAsync(deadline - 1)
    expect([door.connections, stream.destroyed]).toEqual([1, false])
    await vi.advanceTimersByTimeAsync(1)
    expect([door.connections, stream.destroyed]).toEqual([0, true])
  })

  test('after C_Initialize none, but for a frame that has begun, however it drips', async () => {
    const { door, stream } = open(TIMES)
    await new RpcClient(stream).initialize()
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(door.connections).toBe(1)
    stream.write(Buffer.of(0))
    await vi.advanceTimersByTimeAsync(200)
    stream.write(Buffer.of(0))
    await vi.advanceTimersByTimeAsync(99)
    expect(door.connections).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(door.connections).toBe(0)
  })

  test('a frame that came whole in time is answered, and the next has its own', async () => {
    const { door, stream } = open(TIMES)
    const rpc = new RpcClient(stream)
    await rpc.initialize()
    const frame = endFrame(beginFrame(5000, '', rpcCall('GetInfo').id, ''))
    for (let round = 0; round < 3; round++) {
      stream.write(frame.slice(0, 5))
      await vi.advanceTimersByTimeAsync(250)
      const answers: Uint8Array[] = []
      stream.removeAllListeners('data').on('data', (chunk: Uint8Array) => answers.push(chunk))
      stream.write(frame.slice(5))
      await vi.advanceTimersByTimeAsync(200)
      expect(answers).toHaveLength(1)
    }
    expect(door.connections).toBe(1)
    door.close()
  })
})
