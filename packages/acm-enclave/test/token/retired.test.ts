import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  createToken,
  createTokenRelay,
  type AcmToken,
  type AcmTokenRelay,
} from '../../src/token.ts'
import { CKA, CKM, CKR } from '../../src/token/cryptoki.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { rvOf, streamTo, User } from './user.ts'

const PIN = '123456'
const ECDSA = { type: CKM.ECDSA, pss: undefined }
const digest = new Uint8Array(32).fill(7)
let old: MadeKey
let renewed: MadeKey
let token: AcmToken

beforeAll(() => {
  const authority = new MadeAuthority()
  old = authority.issue('ec', 1, 'acm-key')
  renewed = authority.issue('ec', 2, 'acm-key')
})
beforeEach(() => {
  token = createToken({ label: 'inner', pin: PIN, keys: [old, renewed] })
})
afterEach(() => token.close())

const destroy = (user: User, object: number): Promise<number> =>
  rvOf(user.rpc.call('DestroyObject', (args) => args.u64(user.session).u64(object)))

describe('a retired key', () => {
  test('signs on, and a client that has logged in may end it', async () => {
    const user = await User.of(token, PIN)
    const key = await user.key(1)
    await user.signInit(ECDSA, key)
    expect(await user.attribute(key, CKA.DESTROYABLE)).toMatchObject({ length: -1 })
    token.retireKey(old.id)
    expect(await user.attribute(key, CKA.DESTROYABLE)).toMatchObject({ value: Uint8Array.of(1) })
    expect(await user.sign(digest)).toHaveLength(64)
    expect(await destroy(user, key)).toBe(CKR.OK)
    expect(token.ids).toEqual([renewed.id])
    expect(await rvOf(user.signInit(ECDSA, key))).toBe(CKR.KEY_HANDLE_INVALID)
    expect(await destroy(user, key)).toBe(CKR.OBJECT_HANDLE_INVALID)
  })

  test('is the one thing that can be ended: not before a login, no other key, no certificate', async () => {
    const user = await User.of(token, PIN)
    const stranger = await User.of(token)
    const [key, other] = [await user.key(1), await user.key(2)]
    expect(await destroy(user, key)).toBe(CKR.ACTION_PROHIBITED)
    token.retireKey(old.id)
    expect(await destroy(stranger, key)).toBe(CKR.OBJECT_HANDLE_INVALID)
    expect(await destroy(user, other)).toBe(CKR.ACTION_PROHIBITED)
    const [shown] = await user.find({ [CKA.CLASS]: 2, [CKA.ID]: old.id })
    expect(await destroy(user, shown as number)).toBe(CKR.ACTION_PROHIBITED)
    expect(token.ids).toEqual([old.id, renewed.id])
    expect(() => token.retireKey(Uint8Array.of(9))).toThrow(
      expect.objectContaining({ code: 'ERR_ACM_TOKEN_ID' }),
    )
  })
})

describe('a relay with a retired key', () => {
  let reachable: boolean
  let relay: AcmTokenRelay
  const enclave = {
    connect: () => {
      if (!reachable) throw new Error('away')
      return streamTo(token)
    },
    pin: PIN,
  }
  const open = async (...others: (typeof enclave)[]): Promise<void> => {
    reachable = true
    relay = createTokenRelay({ label: 'outer', pin: PIN, enclaves: [enclave, ...others] })
    await relay.refresh()
  }
  afterEach(() => relay.close())

  test('knows who has signed with it, until that client is gone', async () => {
    await open()
    const [user, other] = [await User.of(relay, PIN), await User.of(relay, PIN)]
    await user.signInit(ECDSA, await user.key(1))
    await other.signInit(ECDSA, await other.key(2))
    expect(relay.retired).toEqual([])
    token.retireKey(old.id)
    await relay.refresh()
    expect(relay.retired).toEqual([{ id: old.id, inUse: true }])
    user.rpc.close()
    await expect.poll(() => relay.retired).toEqual([{ id: old.id, inUse: false }])
    await relay.removeRetired(old.id)
    expect([token.ids, relay.ids, relay.retired]).toEqual([[renewed.id], [renewed.id], []])
  })

  test('does not let its clients end it', async () => {
    token.retireKey(old.id)
    await open()
    const user = await User.of(relay, PIN)
    const key = await user.key(1)
    expect(await user.attribute(key, CKA.DESTROYABLE)).toMatchObject({ length: -1 })
    expect(await destroy(user, key)).toBe(CKR.ACTION_PROHIBITED)
    expect(token.ids).toHaveLength(2)
  })

  test('refuses a key that is not retired, and says when an enclave is away or needs it still', async () => {
    const slower = createToken({ label: 'inner', pin: PIN, keys: [old] })
    await open({ ...enclave, connect: () => streamTo(slower) })
    await expect(relay.removeRetired(old.id)).rejects.toMatchObject({ code: 'ERR_ACM_TOKEN_ID' })
    token.retireKey(old.id)
    await relay.refresh()
    const removed = relay.removeRetired(old.id)
    await expect(removed).rejects.toMatchObject({ code: 'ERR_ACM_TOKEN_ENCLAVE' })
    expect([token.ids, slower.ids]).toEqual([[renewed.id], [old.id]])
    slower.retireKey(old.id)
    await relay.refresh()
    await relay.removeRetired(old.id)
    expect(slower.ids).toEqual([])
    slower.close()
    relay.close()
    await expect(relay.removeRetired(old.id)).rejects.toMatchObject({
      code: 'ERR_ACM_TOKEN_CLOSED',
    })
  })

  test('an enclave that is away keeps it until it is asked again', async () => {
    token.retireKey(old.id)
    await open()
    const { ids } = token
    reachable = false
    token.close()
    await expect
      .poll(() => relay.removeRetired(old.id).catch((error: { code: string }) => error.code))
      .toBe('ERR_ACM_TOKEN_ENCLAVE')
    expect(relay.ids).toEqual(ids)
  })
})
