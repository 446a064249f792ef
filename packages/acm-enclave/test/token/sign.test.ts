import { constants, createHash, generateKeyPair, randomBytes, verify } from 'node:crypto'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { CertificateIssuer } from '../../../simulator/src/acm/issuer.ts'
import { createToken, type AcmToken } from '../../src/token.ts'
import { CKA, CKM, CKR } from '../../src/token/cryptoki.ts'
import { writeDigestInfo } from '../../src/token/digest-info.ts'
import { pssMechanism } from '../../src/token/mechanism.ts'
import type { HashName } from '../../src/token/signing-key.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { rvOf, User } from './user.ts'

const PIN = '123456'
const HASHES = ['sha256', 'sha384', 'sha512'] as const
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
const pssOptions = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: -1 }

describe('signs what TLS signs', () => {
  test.each(HASHES)('RSA_PKCS over a DigestInfo of %s', async (hash) => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    await user.signInit(plain(CKM.RSA_PKCS), await user.key(1))
    const info = writeDigestInfo({ hash, digest: digestOf(hash) })
    const signature = await user.sign(info)
    expect(verify(hash, message, rsa.publicKey, signature as Uint8Array)).toBe(true)
  })

  test.each(HASHES)('RSA_PKCS_PSS over a digest of %s', async (hash) => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    await user.signInit(pssMechanism(hash), await user.key(1))
    const signature = (await user.sign(digestOf(hash))) as Uint8Array
    expect(verify(hash, message, { key: rsa.publicKey, ...pssOptions }, signature)).toBe(true)
  })

  test.each([
    ['sha256', CKM.SHA256_RSA_PKCS, CKM.SHA256_RSA_PKCS_PSS],
    ['sha384', CKM.SHA384_RSA_PKCS, CKM.SHA384_RSA_PKCS_PSS],
    ['sha512', CKM.SHA512_RSA_PKCS, CKM.SHA512_RSA_PKCS_PSS],
  ] as const)('%s_RSA_PKCS and its PSS, in one part and in several', async (hash, pkcs1, pss) => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const key = await user.key(1)
    const mechanisms = [plain(pkcs1), { type: pss, pss: pssMechanism(hash).pss }]
    for (const mechanism of mechanisms) {
      const options = { key: rsa.publicKey, ...(mechanism.pss && pssOptions) }
      await user.signInit(mechanism, key)
      const one = (await user.sign(message)) as Uint8Array
      expect(verify(hash, message, options, one)).toBe(true)
      await user.signInit(mechanism, key)
      await user.signUpdate(message.subarray(0, 7))
      await user.signUpdate(message.subarray(7))
      const several = (await user.signFinal()) as Uint8Array
      expect(verify(hash, message, options, several)).toBe(true)
    }
  })

  test.each([
    ['ec', 64],
    ['ec-384', 96],
    ['ec-521', 132],
  ] as const)('ECDSA with %s over each digest: r and s in %d bytes', async (kind, length) => {
    const key = authority.issue(kind, 7)
    using token = createToken({ label: 'acmtok', pin: PIN, keys: [key] })
    const user = await User.of(token, PIN)
    const handle = await user.key(7)
    for (const hash of HASHES) {
      await user.signInit(plain(CKM.ECDSA), handle)
      const signature = (await user.sign(digestOf(hash))) as Uint8Array
      expect(signature.length).toBe(length)
      const options = { key: key.publicKey, dsaEncoding: 'ieee-p1363' as const }
      expect(verify(hash, message, options, signature)).toBe(true)
    }
  })

  test('r and s keep their length when one begins with zeros', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const handle = await user.key(2)
    let short = 0
    for (let round = 0; round < 1500; round++) {
      const digest = new Uint8Array(randomBytes(32))
      const [, signature] = await user.rpc.together(() =>
        Promise.all([user.signInit(plain(CKM.ECDSA), handle), user.sign(digest)]),
      )
      expect(signature?.length).toBe(64)
      if (signature?.[0] === 0 || signature?.[32] === 0) short++
    }
    expect(short).toBeGreaterThan(0)
  })

  test('the length is asked for first, and the operation stays', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    await user.signInit(plain(CKM.SHA256_RSA_PKCS), await user.key(1))
    for (const room of [0, 255]) {
      const answer = await user.rpc.call('Sign', (args) => {
        args.u64(user.session).present(message).u32(room)
      })
      expect([answer.u8(), answer.u32()]).toEqual([0, 256])
    }
    expect((await user.sign(message))?.length).toBe(256)
    expect(await rvOf(user.sign(message))).toBe(CKR.OPERATION_NOT_INITIALIZED)
  })
})

describe('refuses to sign', () => {
  test.each([
    ['raw RSA', plain(CKM.RSA_X_509), CKR.MECHANISM_INVALID],
    ['SHA-1', plain(6), CKR.MECHANISM_INVALID],
    ['OAEP', plain(9), CKR.MECHANISM_INVALID],
    ['ECDSA with a hash of its own', plain(0x1044), CKR.MECHANISM_INVALID],
    ['an EC mechanism with an RSA key', plain(CKM.ECDSA), CKR.KEY_TYPE_INCONSISTENT],
    ['PSS without parameters', plain(CKM.RSA_PKCS_PSS), CKR.MECHANISM_PARAM_INVALID],
    [
      'PSS with MGF1 over another hash',
      { type: CKM.RSA_PKCS_PSS, pss: { hash: CKM.SHA256, mgf: 3, saltLength: 32 } },
      CKR.MECHANISM_PARAM_INVALID,
    ],
    [
      'PSS with another salt',
      { type: CKM.RSA_PKCS_PSS, pss: { hash: CKM.SHA256, mgf: 2, saltLength: 0 } },
      CKR.MECHANISM_PARAM_INVALID,
    ],
    [
      'PSS with SHA-1',
      { type: CKM.RSA_PKCS_PSS, pss: { hash: 0x220, mgf: 1, saltLength: 20 } },
      CKR.MECHANISM_PARAM_INVALID,
    ],
    [
      'a PSS mechanism with the parameters of another hash',
      { type: CKM.SHA384_RSA_PKCS_PSS, pss: { hash: CKM.SHA256, mgf: 2, saltLength: 32 } },
      CKR.MECHANISM_PARAM_INVALID,
    ],
  ])('%s', async (_name, mechanism, rv) => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    expect(await rvOf(user.signInit(mechanism, await user.key(1)))).toBe(rv)
  })

  const info = (): Uint8Array => writeDigestInfo({ hash: 'sha256', digest: digestOf('sha256') })
  const changed = (offset: number, value: number): Uint8Array => {
    const bytes = info()
    bytes[offset] = value
    return bytes
  }
  test.each([
    ['a bare digest', () => digestOf('sha256')],
    ['nothing', () => new Uint8Array(0)],
    ['a whole block, as for decrypting', () => new Uint8Array(256).fill(7)],
    ['a DigestInfo of another length', () => changed(1, 48)],
    ['a DigestInfo of another hash', () => changed(14, 4)],
    ['a DigestInfo whose parameters are no NULL', () => changed(15, 4)],
    ['a digest of another length inside', () => changed(18, 31)],
    ['a byte less', () => info().subarray(0, 50)],
    ['a byte more', () => Uint8Array.of(...info(), 0)],
    ['MD5 and SHA-1 of TLS 1.1', () => new Uint8Array(36).fill(1)],
    [
      'SHA-1 in a DigestInfo',
      () => new Uint8Array(Buffer.from(`3021300906052b0e03021a05000414${'11'.repeat(20)}`, 'hex')),
    ],
  ])('RSA_PKCS over %s', async (_name, make) => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    await user.signInit(plain(CKM.RSA_PKCS), await user.key(1))
    expect(await rvOf(user.sign(make()))).toBe(CKR.DATA_INVALID)
    expect(await rvOf(user.sign(info()))).toBe(CKR.OPERATION_NOT_INITIALIZED)
  })

  test('a digest that is none', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    await user.signInit(plain(CKM.ECDSA), await user.key(2))
    expect(await rvOf(user.sign(new Uint8Array(20)))).toBe(CKR.DATA_LEN_RANGE)
    await user.signInit(pssMechanism('sha256'), await user.key(1))
    expect(await rvOf(user.sign(digestOf('sha384')))).toBe(CKR.DATA_LEN_RANGE)
  })

  test('a digest in parts', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    await user.signInit(plain(CKM.ECDSA), await user.key(2))
    expect(await rvOf(user.signUpdate(message))).toBe(CKR.FUNCTION_NOT_SUPPORTED)
  })

  test('without a login, and after its end', async () => {
    using token = makeToken()
    const inside = await User.of(token, PIN)
    const handle = await inside.key(2)
    const outside = await User.of(token)
    const init = (user: User): Promise<number> => rvOf(user.signInit(plain(CKM.ECDSA), handle))
    expect(await init(outside)).toBe(CKR.USER_NOT_LOGGED_IN)
    await inside.signInit(plain(CKM.ECDSA), handle)
    await inside.rpc.call('Logout', (args) => args.u64(inside.session))
    expect(await rvOf(inside.sign(digestOf('sha256')))).toBe(CKR.OPERATION_NOT_INITIALIZED)
    expect(await init(inside)).toBe(CKR.USER_NOT_LOGGED_IN)
  })

  test('with a public key, a certificate, or a handle of nothing', async () => {
    using token = makeToken()
    const user = await User.of(token, PIN)
    const [publicKey = 0] = await user.find({ [CKA.CLASS]: 2, [CKA.ID]: Uint8Array.of(2) })
    const [certificate = 0] = await user.find({ [CKA.CLASS]: 1, [CKA.ID]: Uint8Array.of(2) })
    for (const handle of [publicKey, certificate]) {
      const rv = await rvOf(user.signInit(plain(CKM.ECDSA), handle))
      expect(rv).toBe(CKR.KEY_FUNCTION_NOT_PERMITTED)
    }
    expect(await rvOf(user.signInit(plain(CKM.ECDSA), 1))).toBe(CKR.KEY_HANDLE_INVALID)
  })
})

test('off the event loop: turns go on while twenty RSA-4096 signatures are made', async () => {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 4096 })
  const issuer = new CertificateIssuer(() => new Date())
  const { certificate } = issuer.issue(['localhost'], publicKey)
  const big = { id: Uint8Array.of(9), label: 'big', privateKey, certificate }
  using token = createToken({ label: 'acmtok', pin: PIN, keys: [big] })
  const users = await Promise.all(Array.from({ length: 20 }, () => User.of(token, PIN)))
  await Promise.all(
    users.map(async (user) => user.signInit(plain(CKM.SHA256_RSA_PKCS), await user.key(9))),
  )
  let [turns, running] = [0, true]
  const turn = (): void => {
    turns++
    if (running) setImmediate(turn)
  }
  const signatures = users.map((user) => user.sign(message))
  turn()
  for (const signature of await Promise.all(signatures)) {
    expect(verify('sha256', message, publicKey, signature as Uint8Array)).toBe(true)
  }
  running = false
  // Made on the loop, each would take a turn or two.
  expect(turns).toBeGreaterThan(200)
})
