import { connect, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAcmCertificate, type AcmCertificate } from '../../src/index.ts'
import {
  certificateId,
  createToken,
  createTokenRelay,
  followCertificate,
  tokenUri,
} from '../../src/token.ts'
import { HOST, makeBundle, openScene, ownSource, store, type Scene } from '../scene.ts'
import { CKA, CKR } from '../../src/token/cryptoki.ts'
import { absent, Workplace } from './program.ts'
import { rvOf, User } from './user.ts'
import { handshake, Nginx, type ServedKey } from './web-server.ts'

const PIN = '123456'
let scene: Scene
beforeAll(async () => {
  scene = await openScene()
})
afterAll(() => scene[Symbol.asyncDispose]())

function load(): Promise<AcmCertificate> {
  return createAcmCertificate({ source: ownSource(scene), hostNames: [HOST], startTimeoutMs: 0 })
}

test('a certificate that renews: its new key beside the old one, for as long as said', async () => {
  store(scene, await makeBundle(scene, { version: 10 }))
  await using certificate = await load()
  using token = createToken({ label: 'acmtok', pin: PIN, keys: [] })
  await followCertificate(token, certificate, { keepOldMs: 150 })
  const first = certificateId(certificate.certificatePem)
  expect(token.ids).toEqual([first])
  store(scene, await makeBundle(scene, { version: 11 }))
  await certificate.refresh()
  const second = certificateId(certificate.certificatePem)
  expect(token.ids).toEqual([first, second])
  await expect.poll(() => token.ids, { timeout: 2000 }).toEqual([second])
  const wrong = followCertificate(token, certificate, { keepOldMs: -1 })
  await expect(wrong).rejects.toThrow(RangeError)
})

test('the key before is retired: a client may end it, and it does not come back', async () => {
  store(scene, await makeBundle(scene, { version: 12 }))
  await using certificate = await load()
  using token = createToken({ label: 'acmtok', pin: PIN, keys: [] })
  await followCertificate(token, certificate, { keepOldMs: 400 })
  const first = certificateId(certificate.certificatePem)
  const user = await User.of(token, PIN)
  const [key] = await user.find({ [CKA.CLASS]: 3 })
  const destroy = (): Promise<unknown> =>
    user.rpc.call('DestroyObject', (args) => args.u64(user.session).u64(key as number))
  expect(await rvOf(destroy())).toBe(CKR.ACTION_PROHIBITED)
  store(scene, await makeBundle(scene, { version: 13 }))
  await certificate.refresh()
  const second = certificateId(certificate.certificatePem)
  expect(token.ids).toEqual([first, second])
  expect(await rvOf(destroy())).toBe(CKR.OK)
  expect(token.ids).toEqual([second])
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(token.ids).toEqual([second])
})

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((resolve) => server.listen(path, resolve))

describe.skipIf(absent('nginx'))(`with NGINX (${absent('nginx') ?? 'present'})`, () => {
  test('from KMS and S3 through token and relay to a handshake, renewed under NGINX', async () => {
    const workplace = new Workplace()
    store(scene, await makeBundle(scene, { version: 20, type: 'rsa' }))
    await using certificate = await load()
    using token = createToken({ label: 'inner', pin: 'of the enclave', keys: [] })
    await followCertificate(token, certificate)
    const enclave = createServer()
    token.listen(enclave)
    await listening(enclave, workplace.path('enclave.sock'))
    using relay = createTokenRelay({
      ...{ label: 'acmtok', pin: PIN },
      enclaves: [{ connect: () => connect(workplace.path('enclave.sock')), pin: 'of the enclave' }],
    })
    await relay.refresh()
    const parent = createServer()
    relay.listen(parent)
    await listening(parent, workplace.socket)
    const served = (): ServedKey => {
      const id = certificateId(certificate.certificatePem)
      const uri = tokenUri({ label: 'acmtok', id, object: 'acm-key', pin: PIN })
      return { uri, certificate: workplace.write('c.pem', certificate.certificatePem) }
    }
    const serial = async (port: number): Promise<string> => {
      const socket = await handshake(port, { ca: scene.acm.issuerRoot, servername: HOST })
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      return serialNumber
    }
    try {
      const nginx = await Nginx.start(workplace, served())
      expect(await serial(nginx.port)).toBe(certificate.state.serialNumber)
      store(scene, await makeBundle(scene, { version: 21 }))
      await certificate.refresh()
      await relay.refresh()
      nginx.reload(served())
      await expect
        .poll(() => serial(nginx.port), { timeout: 5000 })
        .toBe(certificate.state.serialNumber)
      expect(nginx.log).not.toMatch(/\[(error|crit|alert|emerg)\]/)
    } finally {
      await workplace.close()
      parent.close()
      enclave.close()
    }
  })
})
