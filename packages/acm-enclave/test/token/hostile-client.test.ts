import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { createToken, type AcmToken } from '../../src/token.ts'
import { CKA, CKM, CKR } from '../../src/token/cryptoki.ts'
import { RPC_CALLS, rpcCall } from '../../src/token/rpc-call.ts'
import { MAX_FRAME, RpcFrameReader } from '../../src/token/rpc-frame.ts'
import { RpcClient } from '../../src/token/rpc-client.ts'
import { RpcReader } from '../../src/token/rpc-reader.ts'
import { RpcWriter } from '../../src/token/rpc-writer.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { FrameSource } from './replay.ts'
import { rvOf, streamTo, User } from './user.ts'

const PIN = '123456'
const ECDSA = { type: CKM.ECDSA, pss: undefined }
let ec: MadeKey
let rsa: MadeKey

beforeAll(() => {
  const authority = new MadeAuthority()
  rsa = authority.issue('rsa', 1)
  ec = authority.issue('ec', 2)
})

const makeToken = (more: { maxSessions?: number } = {}): AcmToken =>
  createToken({ label: 'acmtok', pin: PIN, keys: [rsa, ec], ...more })

function frame(body: Uint8Array): Buffer {
  return Buffer.from(new RpcWriter().u32(16).u32(0).u32(body.length).raw(body).finish())
}

/** The calls of p11-kit that this token has not, by number: what they would do, it never does. */
const NEVER: Readonly<Record<string, readonly [id: number, signature: string]>> = {
  ...{ InitToken: [9, 'uayz'], InitPIN: [14, 'uay'], SetPIN: [15, 'uayay'] },
  ...{ CreateObject: [20, 'uaA'], CopyObject: [21, 'uuaA'], SetAttributeValue: [25, 'uuaA'] },
  ...{ EncryptInit: [29, 'uMu'], DecryptInit: [33, 'uMu'], Decrypt: [34, 'uayfy'] },
  ...{ DecryptUpdate: [35, 'uayfy'], DecryptFinal: [36, 'ufy'], SignRecoverInit: [46, 'uMu'] },
  ...{ SignRecover: [47, 'uayfy'], VerifyRecover: [53, 'uayfy'], DecryptDigest: [55, 'uayfy'] },
  ...{ DecryptVerify: [57, 'uayfy'], WrapKey: [60, 'uMuufy'], UnwrapKey: [61, 'uMuayaA'] },
  ...{ DeriveKey: [62, 'uMuaA'], MessageDecryptInit: [73, 'uMu'], DeriveKey2: [89, 'uMuaA'] },
}

describe('what the token has no call for', () => {
  async function ask(stream: Duplex, source: FrameSource, body: Uint8Array): Promise<number> {
    stream.write(frame(body))
    const answer = new RpcReader((await source.frame()).body)
    const call = answer.u32()
    answer.byteArray()
    return call === 0 ? answer.u64() : 0
  }

  test.each(Object.entries(NEVER))('%s', async (_name, [id, signature]) => {
    expect(RPC_CALLS.has(id)).toBe(false)
    using token = makeToken()
    const stream = streamTo(token)
    const source = new FrameSource(stream)
    stream.write(Uint8Array.of(2))
    await source.byte()
    const text = (value: string): Uint8Array => new TextEncoder().encode(value)
    const begin = (call: number, types: string): RpcWriter =>
      new RpcWriter().u32(call).byteArray(text(types))
    const magic = text('PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1')
    const initialize = begin(rpcCall('Initialize').id, 'ayyay').present(magic).u8(0).absent(0)
    expect(await ask(stream, source, initialize.finish())).toBe(0)
    const body = begin(id, signature).u64(1).u32(CKM.RSA_X_509).u64(2).finish()
    expect(await ask(stream, source, body)).toBe(CKR.FUNCTION_NOT_SUPPORTED)
    stream.destroy()
  })

  test('raw RSA in each call that signs, and in the list of mechanisms', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const key = await user.key(1)
    const init = user.signInit({ type: CKM.RSA_X_509, pss: undefined }, key)
    expect(await rvOf(init)).toBe(CKR.MECHANISM_INVALID)
    const block = new Uint8Array(256).fill(1)
    expect(await rvOf(user.sign(block))).toBe(CKR.OPERATION_NOT_INITIALIZED)
    expect(await rvOf(user.signUpdate(block))).toBe(CKR.OPERATION_NOT_INITIALIZED)
    const list = await user.rpc.call('GetMechanismList', (args) => args.u64(1).u32(100))
    list.u8()
    const types = Array.from({ length: list.u32() }, () => list.u64())
    expect(types).toHaveLength(9)
    expect(types).not.toContain(CKM.RSA_X_509)
  })
})

describe('sessions and handles', () => {
  test('ten thousand sessions over a hundred connections: bounded, and all given back', async () => {
    using token = makeToken()
    const users = await Promise.all(Array.from({ length: 100 }, () => User.of(token)))
    const rvs = await Promise.all(
      users.flatMap((user) => Array.from({ length: 100 }, () => rvOf(user.openSession()))),
    )
    expect(rvs.filter((rv) => rv === 0)).toHaveLength(1024 - 100)
    expect(new Set(rvs)).toEqual(new Set([0, CKR.SESSION_COUNT]))
    expect(token.sessions).toBe(1024)
    for (const user of users) user.rpc.close()
    await expect.poll(() => token.sessions).toBe(0)
    await expect.poll(() => token.connections).toBe(0)
  })

  test('no handle comes twice, of a session or of an object', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const seen = new Set(await user.find())
    seen.add(user.session)
    const before = seen.size
    for (let round = 0; round < 500; round++) {
      const session = await user.openSession()
      await user.rpc.call('CloseSession', (args) => args.u64(session))
      seen.add(session)
      if (round % 50 !== 0) continue
      token.removeKey(ec.id)
      token.addKey(ec)
      seen.add(await user.key(2))
    }
    expect(seen.size).toBe(before + 500 + 10)
  })

  test('the login ends with the last session, and what was begun in it', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const key = await user.key(2)
    await user.signInit(ECDSA, key)
    const first = user.session
    await user.rpc.call('CloseAllSessions', (args) => args.u64(1))
    user.session = await user.openSession()
    expect(await rvOf(user.sign(new Uint8Array(32)))).toBe(CKR.OPERATION_NOT_INITIALIZED)
    expect(await rvOf(user.signInit(ECDSA, key))).toBe(CKR.USER_NOT_LOGGED_IN)
    user.session = first
    expect(await rvOf(user.signInit(ECDSA, key))).toBe(CKR.SESSION_HANDLE_INVALID)
  })

  test('C_Finalize ends the login too', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const key = await user.key(2)
    await user.rpc.call('Finalize')
    expect(await rvOf(user.signInit(ECDSA, key))).toBe(CKR.CRYPTOKI_NOT_INITIALIZED)
    await user.rpc.initialize()
    user.session = await user.openSession()
    expect(await rvOf(user.signInit(ECDSA, key))).toBe(CKR.USER_NOT_LOGGED_IN)
  })
})

describe('memory', () => {
  test('one attribute asked for many times over is not told', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const [certificate = 0] = await user.find({ [CKA.CLASS]: 1, [CKA.ID]: Uint8Array.of(1) })
    const ask = (count: number): Promise<unknown> =>
      user.rpc.call('GetAttributeValue', (args) => {
        args.u64(user.session).u64(certificate).u32(count)
        for (let index = 0; index < count; index++) args.u32(CKA.VALUE).u32(16_384)
      })
    const { length } = (await user.attribute(certificate, CKA.VALUE)).value as Uint8Array
    expect(await rvOf(ask(Math.floor(60_000 / (length + 13))))).toBe(0)
    expect(await rvOf(ask(128))).toBe(CKR.GENERAL_ERROR)
    expect((await user.attribute(certificate, CKA.VALUE)).rv).toBe(0)
  })

  test('a frame that comes byte by byte is not held in as many pieces', () => {
    const bytes = frame(new Uint8Array(MAX_FRAME - 12).fill(7))
    const reader = new RpcFrameReader()
    const chunks = Array.from(bytes, (byte) => Uint8Array.of(byte))
    for (const [index, chunk] of chunks.entries()) {
      reader.push(chunk)
      if (index < bytes.length - 1) expect(reader.shift()).toBe(undefined)
    }
    // What it still holds of them changes with them.
    for (const chunk of chunks) chunk.fill(0xee)
    const body = reader.shift()?.body ?? new Uint8Array(0)
    expect(body).toHaveLength(MAX_FRAME - 12)
    expect(body.filter((byte) => byte !== 7).length).toBeLessThan(40)
  })
})

describe('answers', () => {
  test('to calls that came together go back in one write, and in order', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const key = await user.key(2)
    const stream = streamTo(token)
    const chunks: Buffer[] = []
    const other = new User(new RpcClient(stream))
    await other.rpc.initialize()
    other.session = await other.openSession()
    await other.login(PIN)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    const order: string[] = []
    await Promise.all(
      other.rpc.together(() => [
        other.signInit(ECDSA, key).then(() => order.push('init')),
        other.sign(new Uint8Array(32)).then(() => order.push('sign')),
      ]),
    )
    expect(order).toEqual(['init', 'sign'])
    expect(chunks).toHaveLength(1)
    // The signature does not wait for what comes behind it.
    chunks.length = 0
    await Promise.all(
      other.rpc.together(() => [
        ...[other.signInit(ECDSA, key), other.sign(new Uint8Array(32))],
        ...[other.signInit(ECDSA, key), other.sign(new Uint8Array(32))],
      ]),
    )
    expect(chunks).toHaveLength(2)
  })

  test('to what came before a frame that cannot be read are given, and then the connection ends', async () => {
    using token = makeToken()
    const stream = streamTo(token)
    const source = new FrameSource(stream)
    stream.write(Uint8Array.of(2))
    await source.byte()
    const good = frame(new RpcWriter().u32(rpcCall('GetInfo').id).u32(0).finish())
    stream.write(Buffer.concat([good, Buffer.alloc(12)]))
    const { body } = await source.frame()
    expect(new RpcReader(body.subarray(9)).u64()).toBe(CKR.CRYPTOKI_NOT_INITIALIZED)
    await sleep(20)
    expect(token.connections).toBe(0)
  })
})
