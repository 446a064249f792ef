import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CertificateSource } from '../src/certificate-source.ts'
import { writeCertificationRequest } from '../src/certification-request.ts'
import {
  createAcmCertificate,
  type AcmCertificate,
  type AcmCertificateOptions,
} from '../src/index.ts'
import {
  ask,
  dialTls,
  failure,
  HOST,
  listen,
  makeBundle,
  openScene,
  ownSource,
  store,
  webServer,
  type Scene,
} from './scene.ts'

let scene: Scene
let certificate: AcmCertificate | undefined
beforeAll(async () => {
  scene = await openScene()
})
afterAll(() => scene[Symbol.asyncDispose]())
beforeEach(() => {
  scene.acm.clearFaults()
  scene.kms.clearFaults()
})
afterEach(async () => {
  await certificate?.close()
  certificate = undefined
})

async function load(options: Partial<AcmCertificateOptions> = {}): Promise<AcmCertificate> {
  certificate = await createAcmCertificate({
    source: ownSource(scene, { deadline: 3000, requestTimeout: 1000, maxAttempts: 1 }),
    hostNames: [HOST],
    startTimeoutMs: 0,
    ...options,
  })
  return certificate
}

describe('an own bundle', () => {
  it.each(['ec', 'rsa'] as const)('is served, %s', async (type) => {
    store(scene, await makeBundle(scene, { type }))
    const loaded = await load()
    expect(loaded.state).toMatchObject({ status: 'serving', version: 1, failures: 0 })
    const server = webServer()
    await loaded.attach(server)
    const port = await listen(server)
    const socket = await dialTls(scene, port)
    expect(socket.authorized).toBe(true)
    expect(socket.getPeerCertificate().serialNumber).toBe(loaded.state.serialNumber)
    expect(await ask(socket, '/a')).toContain('hello /a')
    socket.destroy()
    server.close()
  })

  it('renews', async () => {
    store(scene, await makeBundle(scene))
    const loaded = await load()
    const before = loaded.state.serialNumber
    store(scene, await makeBundle(scene, { version: 2 }))
    await loaded.refresh()
    expect(loaded.state.serialNumber).not.toBe(before)
    expect(loaded.state.version).toBe(2)
  })

  it('costs no Decrypt while it is the same', async () => {
    store(scene, await makeBundle(scene))
    const loaded = await load()
    const { Decrypt: before } = scene.kms.counters.operations
    await loaded.refresh()
    await loaded.refresh()
    expect(scene.kms.counters.operations['Decrypt']).toBe(before)
    expect(scene.acm.requests.at(-1)).toMatchObject({ operation: 'GetObject', status: 304 })
  })

  it('fails without the object', async () => {
    const source = ownSource(scene, { key: 'none' })
    expect(await failure(load({ source }))).toBe('ERR_ACM_OBJECT_MISSING')
  })
})

describe('what KMS decrypted', () => {
  const pem = (privateKey: KeyObject): Buffer =>
    Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const own = newKey()
  const der = own.export({ type: 'pkcs8', format: 'der' })

  it.each<[string, Buffer, string]>([
    ['the key in PEM', pem(own), 'nothing'],
    ['the key in DER', der, 'nothing'],
    ['another key', pem(newKey()), 'ERR_ACM_KEY_MISMATCH'],
    [
      'a key that no server has',
      pem(generateKeyPairSync('ed25519').privateKey),
      'ERR_ACM_KEY_KIND',
    ],
    ['two keys', Buffer.concat([pem(own), pem(own)]), 'ERR_ACM_KEY_FORM'],
    ['half a key', der.subarray(0, 60), 'ERR_ACM_KEY_FORM'],
  ])('is overwritten: %s', async (_name, bytes, code) => {
    const request = writeCertificationRequest(own, [HOST])
    const issued = await scene.acm.answerRequest(request)
    const bundle = { ...issued, encryptedPrivateKey: new Uint8Array(1), encryptionMethod: 'x' }
    const held = Uint8Array.from(bytes)
    const source = new CertificateSource({
      description: 'bytes that the test can see',
      fetch: async () => ({ bundle: { ...bundle, version: 1 }, etag: undefined }),
      decrypt: async () => held,
      close: async () => {},
    })
    expect(await failure(load({ source }))).toBe(code)
    expect(held.every((byte) => byte === 0)).toBe(true)
  })
})
