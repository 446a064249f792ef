import { createHash, verify } from 'node:crypto'
import { connect, createServer, type Server } from 'node:net'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  apacheStanza,
  createToken,
  createTokenRelay,
  moduleFile,
  nginxStanza,
  tokenUri,
  type AcmToken,
  type AcmTokenRelay,
} from '../../src/token.ts'
import { CKA, CKM, CKR } from '../../src/token/cryptoki.ts'
import { pssMechanism } from '../../src/token/mechanism.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { absent, Workplace } from './program.ts'
import { rvOf, streamTo, User } from './user.ts'
import { handshake, Nginx } from './web-server.ts'

const PIN = '123456'
const ENCLAVE_PIN = 'pin of the enclave'
const message = new TextEncoder().encode('the transcript of a handshake')
const digest = new Uint8Array(createHash('sha256').update(message).digest())
const ECDSA = { type: CKM.ECDSA, pss: undefined }
let authority: MadeAuthority
let rsa: MadeKey
let ec: MadeKey
let token: AcmToken
let reachable: boolean
let streams = 0
const address = { connect: () => open(), pin: ENCLAVE_PIN }

function open() {
  if (!reachable) throw new Error('the enclave is away')
  streams++
  return streamTo(token)
}

const makeToken = (keys: MadeKey[]): AcmToken =>
  createToken({ label: 'inner', pin: ENCLAVE_PIN, keys })
const makeRelay = (signTimeout = 5000): AcmTokenRelay =>
  createTokenRelay({ label: 'acmtok', pin: PIN, enclaves: [address], signTimeout })

beforeAll(() => {
  authority = new MadeAuthority()
  rsa = authority.issue('rsa', 1)
  ec = authority.issue('ec', 2)
})
beforeEach(() => {
  token = makeToken([rsa, ec])
  reachable = true
  streams = 0
})
afterEach(() => token.close())

async function signs(user: User, key: number, made: MadeKey): Promise<boolean> {
  const kind = made.publicKey.asymmetricKeyType
  await user.signInit(kind === 'rsa' ? pssMechanism('sha256') : ECDSA, key)
  const signature = (await user.sign(digest)) as Uint8Array
  const options = kind === 'rsa' ? { padding: 6 } : { dsaEncoding: 'ieee-p1363' as const }
  return verify('sha256', message, { key: made.publicKey, ...options }, signature)
}

describe('a relay', () => {
  test('shows what the enclave has, and signs with it', async () => {
    using relay = makeRelay()
    await relay.refresh()
    expect(relay.ids).toEqual([rsa.id, ec.id])
    const user = await User.of(relay, PIN)
    expect(await user.find()).toHaveLength(8)
    const shown = relay.keys.map(({ id, label, certificate }) => ({ id, label, certificate }))
    expect(shown).toContainEqual({
      ...{ id: ec.id, label: 'ec-key' },
      certificate: [ec.certificate, ...ec.path].join(''),
    })
    expect(await signs(user, await user.key(1), rsa)).toBe(true)
    expect(await signs(user, await user.key(2), ec)).toBe(true)
    await user.signInit({ type: CKM.SHA512_RSA_PKCS, pss: undefined }, await user.key(1))
    await user.signUpdate(message)
    const signature = (await user.signFinal()) as Uint8Array
    expect(verify('sha512', message, rsa.publicKey, signature)).toBe(true)
    const secret = await user.attribute(await user.key(1), CKA.PRIVATE_EXPONENT)
    expect(secret.rv).toBe(CKR.ATTRIBUTE_SENSITIVE)
  })

  test('checks the PIN of its clients itself', async () => {
    using relay = makeRelay()
    await relay.refresh()
    const user = await User.of(relay)
    expect(await rvOf(user.login(ENCLAVE_PIN))).toBe(CKR.PIN_INCORRECT)
    expect(await rvOf(user.login(PIN))).toBe(0)
  })

  test('its clients survive a restart of the enclave: handles stay, signatures wait', async () => {
    using relay = makeRelay()
    await relay.refresh()
    const user = await User.of(relay, PIN)
    const key = await user.key(2)
    expect(await signs(user, key, ec)).toBe(true)
    reachable = false
    token.close()
    const waiting = signs(user, key, ec)
    const other = await User.of(relay, PIN)
    expect(await other.find({ [CKA.CLASS]: 3 })).toHaveLength(2)
    await new Promise((resolve) => setTimeout(resolve, 300))
    token = makeToken([rsa, ec])
    reachable = true
    expect(await waiting).toBe(true)
    expect(await user.key(2)).toBe(key)
  })

  test('an enclave that stays away: the signature fails in time, and the next works', async () => {
    using relay = makeRelay(300)
    await relay.refresh()
    const user = await User.of(relay, PIN)
    const key = await user.key(2)
    reachable = false
    token.close()
    expect(await rvOf(signs(user, key, ec))).toBe(CKR.DEVICE_ERROR)
    token = makeToken([ec])
    reachable = true
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await signs(user, key, ec)).toBe(true)
  })

  test('a renewed key comes with refresh; the removed one goes', async () => {
    using relay = makeRelay()
    await relay.refresh()
    const user = await User.of(relay, PIN)
    const old = await user.key(2)
    const renewed = authority.issue('ec', 3)
    token.addKey(renewed)
    await relay.refresh()
    expect(await signs(user, await user.key(3), renewed)).toBe(true)
    expect(await signs(user, old, ec)).toBe(true)
    token.removeKey(ec.id)
    await relay.refresh()
    expect(relay.ids).toEqual([rsa.id, renewed.id])
    expect(await rvOf(user.signInit(ECDSA, old))).toBe(CKR.KEY_HANDLE_INVALID)
  })

  test('many at once share a few connections', async () => {
    using relay = makeRelay()
    await relay.refresh()
    const users = await Promise.all(Array.from({ length: 50 }, () => User.of(relay, PIN)))
    const results = await Promise.all(
      users.map(async (user) => signs(user, await user.key(1), rsa)),
    )
    expect(results).toEqual(Array.from({ length: 50 }, () => true))
    expect(streams).toBeLessThanOrEqual(8)
    expect(streams).toBeGreaterThan(1)
  })

  test('two relays at once', async () => {
    using one = makeRelay()
    using other = makeRelay()
    await Promise.all([one.refresh(), other.refresh()])
    const users = await Promise.all([User.of(one, PIN), User.of(other, PIN)])
    const results = users.map(async (user) => {
      const key = await user.key(1)
      for (let round = 0; round < 20; round++) if (!(await signs(user, key, rsa))) return false
      return true
    })
    expect(await Promise.all(results)).toEqual([true, true])
  })

  test('an enclave that says nothing: the connection is let go, and the next is tried', async () => {
    let silent = true
    const enclave = {
      pin: ENCLAVE_PIN,
      connect: () => {
        const stream = streamTo(token)
        const { write } = stream
        const own = write.bind(stream)
        // What is signed never arrives, as long as it is silent.
        stream.write = ((chunk: Uint8Array) => {
          const isSign = Buffer.from(chunk).includes('uMu') || Buffer.from(chunk).includes('uayfy')
          return silent && isSign ? true : own(chunk)
        }) as typeof write
        return stream
      },
    }
    using relay = createTokenRelay({ label: 'acmtok', pin: PIN, enclaves: [enclave] })
    await relay.refresh()
    const user = await User.of(relay, PIN)
    const signing = signs(user, await user.key(2), ec)
    await new Promise((resolve) => setTimeout(resolve, 500))
    silent = false
    expect(await signing).toBe(true)
  })

  test('one of two enclaves is enough', async () => {
    const other = makeToken([ec])
    let down = false
    const second = {
      pin: ENCLAVE_PIN,
      connect: () => {
        if (down) throw new Error('away')
        return streamTo(other)
      },
    }
    using relay = createTokenRelay({ label: 'acmtok', pin: PIN, enclaves: [address, second] })
    await relay.refresh()
    expect(relay.ids).toHaveLength(2)
    const user = await User.of(relay, PIN)
    const key = await user.key(2)
    for (let round = 0; round < 4; round++) expect(await signs(user, key, ec)).toBe(true)
    down = true
    other.close()
    for (let round = 0; round < 4; round++) expect(await signs(user, key, ec)).toBe(true)
  })

  test('refuses: a wrong PIN of the enclave, no enclave, after the end', async () => {
    const wrong = createTokenRelay({
      ...{ label: 'acmtok', pin: PIN },
      enclaves: [{ ...address, pin: 'wrong' }],
    })
    await expect(wrong.refresh()).rejects.toMatchObject({ code: 'ERR_ACM_TOKEN_PIN' })
    await expect(wrong.refresh()).rejects.toMatchObject({ code: 'ERR_ACM_TOKEN_PIN' })
    expect(streams).toBe(1)
    wrong.close()
    reachable = false
    using none = makeRelay()
    await expect(none.refresh()).rejects.toMatchObject({ code: 'ERR_ACM_TOKEN_ENCLAVE' })
    none.close()
    await expect(none.refresh()).rejects.toMatchObject({ code: 'ERR_ACM_TOKEN_CLOSED' })
    const base = { label: 'acmtok', pin: PIN }
    expect(() => createTokenRelay({ ...base, enclaves: [] })).toThrow(RangeError)
    expect(() => createTokenRelay({ ...base, enclaves: [address], signTimeout: -1 })).toThrow(
      RangeError,
    )
  })
})

test('writes the URI, the module file and the stanzas of existing set-ups', () => {
  const uri = tokenUri({
    ...{ model: 'p11ne-token', manufacturer: 'Amazon', label: 'my token' },
    ...{ id: Uint8Array.of(1), object: 'acm-key', pin: 'a;b' },
  })
  expect(uri).toBe(
    'pkcs11:model=p11ne-token;manufacturer=Amazon;token=my%20token;id=%01;object=acm-key;type=private?pin-value=a%3bb',
  )
  expect(moduleFile('/run/a b/p11.sock', 'p11ne')).toBe(
    'remote:unix:path=/run/a%20b/p11.sock\nmodule:p11ne\n',
  )
  expect(() => moduleFile('p11.sock', 'p11ne')).toThrow(RangeError)
  expect(nginxStanza('pkcs11:token=t', '/c.pem')).toBe(
    'ssl_certificate_key "engine:pkcs11:pkcs11:token=t";\nssl_certificate "/c.pem";\n',
  )
  const before =
    'SSLEngine on\nSSLCertificateKeyFile a\n# SSLCertificateFile b\nSSLCertificateFile b\n'
  expect(apacheStanza(before, 'pkcs11:token=t', '/c.pem')).toBe(
    'SSLEngine on\nSSLCertificateKeyFile "pkcs11:token=t"\n# SSLCertificateFile b\nSSLCertificateFile "/c.pem"\n',
  )
})

describe.skipIf(absent('nginx'))(`NGINX behind a relay (${absent('nginx') ?? 'present'})`, () => {
  test.each(['rsa', 'ec'] as const)(
    '%s: the enclave restarts under load, NGINX is not touched',
    async (kind) => {
      const workplace = new Workplace()
      const made = kind === 'rsa' ? rsa : ec
      const enclave: { server: Server } = { server: createServer() }
      const path = workplace.path('enclave.sock')
      const boot = async (): Promise<void> => {
        token = makeToken([made])
        enclave.server = createServer()
        token.listen(enclave.server)
        await new Promise<void>((resolve) => enclave.server.listen(path, resolve))
      }
      await boot()
      const relay = createTokenRelay({
        ...{ label: 'acmtok', pin: PIN },
        enclaves: [{ connect: () => connect(path), pin: ENCLAVE_PIN }],
      })
      await relay.refresh()
      const server = createServer()
      relay.listen(server)
      await new Promise<void>((resolve) => server.listen(workplace.socket, resolve))
      const uri = tokenUri({ label: 'acmtok', id: made.id, object: made.label, pin: PIN })
      const certificate = workplace.write('c.pem', [made.certificate, ...made.path].join(''))
      try {
        const nginx = await Nginx.start(workplace, { uri, certificate }, 2)
        let done = 0
        let running = true
        const clients = Array.from({ length: 4 }, async () => {
          while (running) {
            const socket = await handshake(nginx.port, { ca: authority.root })
            socket.destroy()
            done++
          }
        })
        await expect.poll(() => done, { timeout: 5000 }).toBeGreaterThan(20)
        enclave.server.close()
        token.close()
        await new Promise((resolve) => setTimeout(resolve, 500))
        await boot()
        const then = done
        await expect.poll(() => done, { timeout: 5000 }).toBeGreaterThan(then + 20)
        running = false
        await Promise.all(clients)
        expect(nginx.log).not.toMatch(/\[(error|crit|alert|emerg)\]/)
      } finally {
        await workplace.close()
        relay.close()
        server.close()
        enclave.server.close()
      }
    },
  )
})
