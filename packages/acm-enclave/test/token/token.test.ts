import { createHash, generateKeyPairSync, verify } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { createToken, type AcmToken, type TokenKey } from '../../src/token.ts'
import { CKA, CKM, CKR } from '../../src/token/cryptoki.ts'
import type { HashName } from '../../src/token/signing-key.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { rvOf, User } from './user.ts'

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
const digestOf = (hash: HashName): Uint8Array =>
  new Uint8Array(createHash(hash).update(message).digest())

describe('objects', () => {
  test('the private key is seen after the login only; the rest always', async () => {
    using token = makeToken()
    const user = await User.of(token)
    expect(await user.find({ [CKA.CLASS]: 3 })).toEqual([])
    expect(await user.find({ [CKA.CLASS]: 2 })).toHaveLength(2)
    expect(await user.find({ [CKA.CLASS]: 1 })).toHaveLength(6)
    await user.login(PIN)
    const handle = await user.key(1)
    const stranger = await User.of(token)
    expect(await rvOf(stranger.attribute(handle, CKA.MODULUS))).toBe(CKR.OBJECT_HANDLE_INVALID)
  })

  test('no private value is ever told', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const secrets = { 1: [0x123, 0x124, 0x125, 0x126, 0x127, 0x128], 2: [CKA.VALUE] }
    for (const [id, types] of Object.entries(secrets)) {
      const key = await user.key(Number(id))
      for (const type of types) {
        const sensitive = { value: undefined, length: -1, rv: CKR.ATTRIBUTE_SENSITIVE }
        for (const length of [0, 4096]) {
          expect(await user.attribute(key, type, length)).toEqual(sensitive)
        }
      }
    }
    const { privateKey } = rsa
    const { d = '' } = privateKey.export({ format: 'jwk' })
    const values: unknown[] = []
    const key = await user.key(1)
    for (let type = 0; type < 0x220; type++) values.push((await user.attribute(key, type)).value)
    const told = values.filter((value) => value instanceof Uint8Array)
    expect(told.length).toBeGreaterThan(4)
    for (const bytes of told) {
      expect(Buffer.from(bytes).indexOf(Buffer.from(d, 'base64url').subarray(0, 16))).toBe(-1)
    }
  })

  test('attributes as asked: the length, too small, unknown', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const key = await user.key(2)
    const { value } = await user.attribute(key, CKA.EC_POINT)
    expect((value as Uint8Array).subarray(0, 3)).toEqual(Uint8Array.of(4, 65, 4))
    expect(await user.attribute(key, CKA.EC_POINT, 0)).toMatchObject({ length: 67, rv: 0 })
    const small = await user.attribute(key, CKA.EC_POINT, 66)
    expect(small).toEqual({ value: undefined, length: -1, rv: CKR.BUFFER_TOO_SMALL })
    const unknown = await user.attribute(key, CKA.MODULUS)
    expect(unknown).toEqual({ value: undefined, length: -1, rv: CKR.ATTRIBUTE_TYPE_INVALID })
    expect((await user.attribute(key, CKA.KEY_GEN_MECHANISM)).value).toBe(-1)
  })

  test('a renewed key has a new id; the old one works until it is removed', async () => {
    using token = createToken({ label: 'acmtok', pin: PIN, keys: [ec] })
    const user = await User.of(token, PIN)
    const old = await user.key(2)
    const renewed = authority.issue('ec', 3)
    token.addKey(renewed)
    const fresh = await user.key(3)
    expect(fresh).not.toBe(old)
    await user.signInit(plain(CKM.ECDSA), old)
    token.removeKey(Uint8Array.of(2))
    expect(await rvOf(user.sign(digestOf('sha256')))).toBe(CKR.KEY_HANDLE_INVALID)
    expect(await rvOf(user.signInit(plain(CKM.ECDSA), old))).toBe(CKR.KEY_HANDLE_INVALID)
    token.addKey(ec)
    expect(await user.key(2)).toBeGreaterThan(fresh)
    await user.signInit(plain(CKM.ECDSA), fresh)
    const options = { key: renewed.publicKey, dsaEncoding: 'ieee-p1363' as const }
    const signature = (await user.sign(digestOf('sha256'))) as Uint8Array
    expect(verify('sha256', message, options, signature)).toBe(true)
  })

  test('a key removed while it signs gives its signatures', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    await user.signInit(plain(CKM.SHA256_RSA_PKCS), await user.key(1))
    const signature = user.sign(message)
    await new Promise((resolve) => setImmediate(resolve))
    token.removeKey(Uint8Array.of(1))
    expect(verify('sha256', message, rsa.publicKey, (await signature) as Uint8Array)).toBe(true)
  })
})

describe('what the caller gives is checked', () => {
  const expectCode = (make: () => unknown, code: string): void => {
    expect(make).toThrow(expect.objectContaining({ code }))
  }

  test('keys', async () => {
    const base = { label: 'acmtok', pin: PIN }
    const other = authority.issue('ec', 9)
    const make = (key: TokenKey) => () => createToken({ ...base, keys: [key] })
    expectCode(make({ ...ec, privateKey: other.privateKey }), 'ERR_ACM_TOKEN_KEY')
    expectCode(make({ ...ec, privateKey: ec.publicKey }), 'ERR_ACM_TOKEN_KEY')
    expectCode(make({ ...ec, certificate: 'none' }), 'ERR_ACM_TOKEN_CERTIFICATE')
    expectCode(make({ ...ec, path: ['none'] }), 'ERR_ACM_TOKEN_CERTIFICATE')
    expectCode(make({ ...ec, privateKey: 'none' }), 'ERR_ACM_KEY_FORM')
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    expectCode(make({ ...ec, privateKey: small }), 'ERR_ACM_TOKEN_KEY')
    expectCode(
      () => createToken({ ...base, keys: [ec, { ...rsa, id: ec.id }] }),
      'ERR_ACM_TOKEN_ID',
    )
    expect(make({ ...ec, id: new Uint8Array(0) })).toThrow(RangeError)
    expect(make({ ...ec, label: '' })).toThrow(RangeError)
  })

  test('texts and numbers', () => {
    const make = (more: object) => () => createToken({ label: 'l', pin: PIN, keys: [], ...more })
    for (const more of [
      { label: '' },
      { label: 'x'.repeat(33) },
      { pin: '123' },
      { maxSessions: 0 },
    ]) {
      expect(make(more)).toThrow(RangeError)
    }
    for (const more of [{ pins: '' }, { pin: 7 }, { keys: {} }])
      expect(make(more)).toThrow(TypeError)
  })

  test('after the end', () => {
    const token = makeToken()
    token.close()
    token.close()
    expectCode(() => token.addKey(ec), 'ERR_ACM_TOKEN_CLOSED')
    expectCode(() => token.listen({ on: () => {}, off: () => {} }), 'ERR_ACM_TOKEN_CLOSED')
    using other = makeToken()
    expectCode(() => other.removeKey(Uint8Array.of(99)), 'ERR_ACM_TOKEN_ID')
  })

  test('PEM and DER of each form', () => {
    const forms = [
      ec.privateKey.export({ type: 'sec1', format: 'pem' }),
      ec.privateKey.export({ type: 'pkcs8', format: 'der' }),
    ]
    for (const privateKey of forms) {
      using token = createToken({ label: 'l', pin: PIN, keys: [{ ...ec, privateKey }] })
      expect(token.ids).toEqual([Uint8Array.of(2)])
    }
  })
})
