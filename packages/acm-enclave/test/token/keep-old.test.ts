import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { AcmCertificate } from '../../src/index.ts'
import {
  certificateId,
  createToken,
  createTokenRelay,
  followCertificate,
  type AcmToken,
  type AcmTokenRelay,
} from '../../src/token.ts'
import { CKM, CKR } from '../../src/token/cryptoki.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { rvOf, streamTo, User } from './user.ts'

const PIN = '123456'
const ECDSA = { type: CKM.ECDSA, pss: undefined }
const KEEP_MS = 300
let first: MadeKey
let second: MadeKey
let token: AcmToken
/** As a certificate does at its renewal. */
let serve: (made: MadeKey) => void

const idOf = (made: MadeKey): Uint8Array => certificateId(made.certificate)
const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

beforeAll(() => {
  const authority = new MadeAuthority()
  first = authority.issue('ec', 1)
  second = authority.issue('ec', 2)
})
beforeEach(async () => {
  token = createToken({ label: 'inner', pin: PIN, keys: [] })
  const certificate = {
    attach: (server: { setSecureContext(material: { cert: string; key: Buffer }): void }) => {
      serve = (made) => {
        const key = made.privateKey.export({ type: 'pkcs8', format: 'pem' })
        const cert = [made.certificate, ...made.path].join('')
        server.setSecureContext({ cert, key: Buffer.from(key) })
      }
      serve(first)
      return Promise.resolve()
    },
  }
  await followCertificate(token, certificate as unknown as AcmCertificate, { keepOldMs: KEEP_MS })
})
afterEach(() => token.close())

async function signer(door: AcmToken | AcmTokenRelay): Promise<() => Promise<number>> {
  const user = await User.of(door, PIN)
  const [key = 0] = await user.find({ 0: 3 })
  const sign = async (): Promise<number> => {
    const rv = await rvOf(user.signInit(ECDSA, key))
    return rv === 0 ? rvOf(user.sign(new Uint8Array(32))) : rv
  }
  expect(await sign()).toBe(CKR.OK)
  ends.push(() => user.rpc.close())
  return sign
}
const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

test('a worker that is connected to the token keeps the old key, and takes it along', async () => {
  const sign = await signer(token)
  serve(second)
  await sleep(KEEP_MS + 200)
  expect(token.ids).toEqual([idOf(first), idOf(second)])
  expect(await sign()).toBe(CKR.OK)
  expect(token.isInUse(idOf(first))).toBe(true)
  ends.splice(0).forEach((end) => end())
  await expect.poll(() => token.ids, { timeout: 4000 }).toEqual([idOf(second)])
})

test('a relay keeps it for its workers, with or without a signature after the renewal, until it says so', async () => {
  const enclave = { connect: () => streamTo(token), pin: PIN }
  serve(second)
  using relay = createTokenRelay({ label: 'outer', pin: PIN, enclaves: [enclave] })
  await relay.refresh()
  await sleep(KEEP_MS + 1200)
  expect(token.ids).toEqual([idOf(first), idOf(second)])
  const sign = await signer(relay)
  await sleep(1200)
  expect(await sign()).toBe(CKR.OK)
  expect(relay.retired).toEqual([{ id: idOf(first), inUse: true }])
  ends.splice(0).forEach((end) => end())
  await expect.poll(() => relay.retired).toEqual([{ id: idOf(first), inUse: false }])
  await relay.removeRetired(idOf(first))
  expect(token.ids).toEqual([idOf(second)])
})

test('where nobody can tell it goes when it was said, and not with a client that used another', async () => {
  serve(second)
  const other = await User.of(token, PIN)
  const [, key = 0] = await other.find({ 0: 3 })
  await other.signInit(ECDSA, key)
  const begun = performance.now()
  await expect.poll(() => token.ids, { interval: 5 }).toEqual([idOf(second)])
  expect(performance.now() - begun).toBeGreaterThan(KEEP_MS - 50)
  other.rpc.close()
})

test('there and back again: each retirement has its own time, and what clients hold goes on', async () => {
  const sign = await signer(token)
  serve(second)
  await sleep(100)
  serve(first)
  expect(await sign()).toBe(CKR.OK)
  const [user, handles] = [await User.of(token, PIN), [first, second].map(idOf)]
  const found = await user.find({ 0: 3 })
  const destroy = (object = 0): Promise<unknown> =>
    user.rpc.call('DestroyObject', (args) => args.u64(user.session).u64(object))
  expect(await rvOf(destroy(found[0]))).toBe(CKR.ACTION_PROHIBITED)
  ends.splice(0).forEach((end) => end())
  user.rpc.close()
  await sleep(150)
  serve(second)
  const begun = performance.now()
  expect(token.ids).toEqual(handles)
  await expect.poll(() => token.ids, { interval: 5, timeout: 4000 }).toEqual([idOf(second)])
  expect(performance.now() - begun).toBeGreaterThan(KEEP_MS - 50)
})
