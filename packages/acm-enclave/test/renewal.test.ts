import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { connect as connectUnix } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { startProxy, type DestinationOptions } from '@enclavejs/vsock/proxy'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createAcmCertificate,
  sniCallback,
  type AcmCertificate,
  type AcmCertificateEvent,
  type AcmCertificateOptions,
  type BundleObjectOptions,
} from '../src/index.ts'
import {
  ask,
  dialTls,
  failure,
  HOST,
  hours,
  KEY,
  listen,
  makeBundle,
  openScene,
  ownSource,
  store,
  webServer,
  type Scene,
} from './scene.ts'

const QUICK = { requestTimeout: 800, deadline: 4000, maxAttempts: 1 }
const CHANNEL = 'enclavejs:acm:certificate'

let scene: Scene
let version = 0
const open: { close(): unknown }[] = []
const events: AcmCertificateEvent[] = []
const listener = (event: unknown): void => void events.push(event as AcmCertificateEvent)

beforeAll(async () => {
  scene = await openScene()
})
afterAll(() => scene[Symbol.asyncDispose]())
beforeEach(() => {
  events.length = 0
  subscribe(CHANNEL, listener)
})
afterEach(async () => {
  unsubscribe(CHANNEL, listener)
  scene.acm.clearFaults()
  scene.kms.clearFaults()
  scene.offset = 0
  scene.credentials = scene.account.issueCredentials({ role: 'enclave' })
  for (const one of open.splice(0)) await one.close()
})

async function load(
  options: Partial<AcmCertificateOptions> = {},
  source: Partial<BundleObjectOptions> = {},
): Promise<AcmCertificate> {
  const certificate = await createAcmCertificate({
    source: ownSource(scene, { ...QUICK, ...source }),
    hostNames: [HOST],
    startTimeoutMs: 0,
    ...options,
  })
  open.push(certificate)
  return certificate
}

async function publish(recipe: Parameters<typeof makeBundle>[1] = {}): Promise<void> {
  version++
  store(scene, await makeBundle(scene, { version, ...recipe }))
}

async function serve(certificate: AcmCertificate): Promise<number> {
  const server = webServer()
  await certificate.attach(server)
  open.push(server)
  return listen(server)
}

describe('a renewal', () => {
  it('drops none of 200 clients, and every connection after it sees the new certificate', async () => {
    await publish()
    const certificate = await load()
    const port = await serve(certificate)
    const clients = await Promise.all(Array.from({ length: 200 }, () => dialTls(scene, port)))
    open.push({ close: () => clients.forEach((one) => one.destroy()) })
    const serials = new Set([certificate.state.serialNumber])

    let arriving = true
    const newcomers: TLSSocket[] = []
    const failures: unknown[] = []
    const traffic = Promise.all([
      (async () => {
        while (arriving) {
          const socket = await dialTls(scene, port)
          newcomers.push(socket)
          expect(await ask(socket, '/new')).toContain('200 OK')
        }
      })(),
      (async () => {
        for (let turn = 0; arriving; turn++) {
          const client = clients[turn % clients.length] as TLSSocket
          expect(await ask(client, `/turn/${turn}`)).toContain('200 OK')
        }
      })(),
    ]).catch((error: unknown) => failures.push(error))

    for (let turn = 0; turn < 4; turn++) {
      await publish()
      await certificate.refresh()
      const { serialNumber } = certificate.state
      expect(serials.has(serialNumber)).toBe(false)
      serials.add(serialNumber)
      const after = await Promise.all(Array.from({ length: 5 }, () => dialTls(scene, port)))
      for (const socket of after) {
        expect(socket.getPeerCertificate().serialNumber).toBe(serialNumber)
        socket.destroy()
      }
    }
    arriving = false
    await traffic
    expect(failures).toEqual([])
    expect(newcomers.length).toBeGreaterThan(4)
    const all = await Promise.all(clients.map((client, index) => ask(client, `/last/${index}`)))
    expect(all.filter((text) => text.includes('200 OK'))).toHaveLength(200)
    for (const socket of newcomers) socket.destroy()
  })

  it('is not hidden by a session that is resumed', async () => {
    await publish()
    const certificate = await load()
    const port = await serve(certificate)
    const first = await dialTls(scene, port)
    const session = await new Promise<Buffer>((resolve) => first.once('session', resolve))
    first.destroy()
    const { connect } = await import('node:tls')
    const again = (): Promise<TLSSocket> =>
      new Promise((resolve, reject) => {
        const options = {
          host: '127.0.0.1',
          port,
          servername: HOST,
          ca: scene.acm.issuerRoot,
          session,
        }
        const socket = connect(options, () => resolve(socket)).once('error', reject)
      })
    const resumed = await again()
    expect(resumed.isSessionReused()).toBe(true)
    resumed.destroy()
    await publish()
    await certificate.refresh()
    const after = await again()
    expect(after.isSessionReused()).toBe(false)
    expect(after.getPeerCertificate().serialNumber).toBe(certificate.state.serialNumber)
    after.destroy()
  })

  it('comes by itself when it is time', async () => {
    await publish()
    const certificate = await load({ pollMs: 1000 })
    const before = certificate.state.serialNumber
    await publish()
    await expect.poll(() => certificate.state.serialNumber, { timeout: 5000 }).not.toBe(before)
    expect(events.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['loaded', 'renewed']) as string[],
    )
  })

  it('of a member alone is one too', async () => {
    await publish()
    const certificate = await load()
    const bundle = JSON.parse(
      new TextDecoder().decode(scene.acm.getObject('own-bucket', KEY)),
    ) as Record<string, string>
    bundle['encryptionMethod'] = 'other'
    store(scene, new TextEncoder().encode(JSON.stringify(bundle)))
    await certificate.refresh()
    expect(events.at(-1)?.kind).toBe('renewed')
  })
})

describe('an outage', () => {
  const cases: [string, string, () => void][] = [
    [
      'of S3',
      'ERR_ACM_STORE',
      () => scene.acm.fault({ kind: 'unavailable', operation: 'GetObject', times: Infinity }),
    ],
    [
      'of S3, silent',
      'ERR_ACM_STORE',
      () => scene.acm.fault({ kind: 'stall', part: 'head', times: Infinity }),
    ],
    ['of S3, abrupt', 'ERR_ACM_STORE', () => scene.acm.fault({ kind: 'refuse', times: Infinity })],
    [
      'of KMS',
      'ERR_ACM_KMS',
      () => scene.kms.fault({ kind: 'internal', operation: 'Decrypt', times: Infinity }),
    ],
    [
      'of KMS, silent',
      'ERR_ACM_KMS',
      () => scene.kms.fault({ kind: 'stall', part: 'head', times: Infinity }),
    ],
  ]
  it.each(cases)('%s: service goes on, state and events say so', async (_name, code, fault) => {
    await publish()
    const certificate = await load()
    const port = await serve(certificate)
    const before = certificate.state.serialNumber
    await publish()
    fault()
    expect(await failure(certificate.refresh())).toBe(code)
    expect(await failure(certificate.refresh())).toBe(code)
    expect(certificate.state).toMatchObject({
      status: 'serving',
      serialNumber: before,
      failures: 2,
      lastFailure: { code },
    })
    expect(events.at(-1)).toMatchObject({ kind: 'failed', code, failures: 2 })
    const socket = await dialTls(scene, port)
    expect(await ask(socket, '/on')).toContain('200 OK')
    socket.destroy()
    scene.acm.clearFaults()
    scene.kms.clearFaults()
    await certificate.refresh()
    expect(certificate.state).toMatchObject({ failures: 0, lastFailure: undefined })
    expect(certificate.state.serialNumber).not.toBe(before)
  })

  it('of the credentials: service goes on', async () => {
    await publish()
    const credentials = (): Promise<typeof scene.credentials> =>
      out ? Promise.reject(new Error('out')) : Promise.resolve(scene.credentials)
    let out = false
    // The clock is what makes credentials expire.
    const certificate = await load({}, { credentials, now: () => scene.now() })
    await publish()
    out = true
    scene.account.revoke(scene.credentials.accessKeyId)
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_CREDENTIALS')
    expect(certificate.state).toMatchObject({ status: 'serving', failures: 1 })
    out = false
    scene.credentials = scene.account.issueCredentials({ role: 'enclave' })
    await certificate.refresh()
    expect(certificate.state).toMatchObject({ failures: 0, version })
  })

  it('of the proxy: service goes on', async () => {
    await publish()
    const folder = mkdtempSync(join(tmpdir(), 'acm-'))
    const path = join(folder, 'vm')
    const [kms, s3] = [scene.kms.address(), scene.acm.address()] as DestinationOptions[]
    const outbound = [
      { listen: { path, port: 8000 }, to: kms as DestinationOptions },
      { listen: { path, port: 8003 }, to: s3 as DestinationOptions },
    ]
    const connect = Object.assign(
      async (host: string) => {
        const socket = connectUnix(`${path}_${host.startsWith('kms.') ? 8000 : 8003}`)
        await once(socket, 'connect')
        return socket
      },
      { roots: scene.connect.roots ?? [] },
    )
    let proxy = await startProxy({ outbound })
    open.push({ close: () => proxy.close({ deadline: 0 }) })
    const source = ownSource(scene, { ...QUICK, connect, credentials: scene.credentials })
    const certificate = await load({ source })
    const port = await serve(certificate)
    await proxy.close({ deadline: 0 })
    await publish()
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_STORE')
    expect(certificate.state).toMatchObject({ status: 'serving', failures: 1 })
    const socket = await dialTls(scene, port)
    expect(await ask(socket, '/on')).toContain('200 OK')
    socket.destroy()
    proxy = await startProxy({ outbound })
    await certificate.refresh()
    expect(certificate.state).toMatchObject({ failures: 0, version })
    rmSync(folder, { recursive: true })
  })

  it('at the start is waited for', async () => {
    await publish()
    scene.acm.fault({ kind: 'unavailable', times: 2 })
    const certificate = await load({ startTimeoutMs: 10_000 })
    expect(certificate.state.status).toBe('serving')
  })

  it('at the start is an error in the end', async () => {
    await publish()
    scene.acm.fault({ kind: 'unavailable', times: Infinity })
    const began = performance.now()
    expect(await failure(load({ startTimeoutMs: 1500 }))).toBe('ERR_ACM_STORE')
    expect(performance.now() - began).toBeLessThan(5000)
  })
})

describe('the end', () => {
  it('is warned of, and then nothing is served', async () => {
    await publish({ notAfter: new Date(Date.now() + hours(20 * 24)) })
    const now = (): Date => scene.now()
    const certificate = await load({ now })
    const port = await serve(certificate)
    await certificate.refresh()
    expect(events.some(({ kind }) => kind === 'expiring')).toBe(false)
    scene.offset = hours(10 * 24)
    await certificate.refresh()
    await certificate.refresh()
    expect(events.filter(({ kind }) => kind === 'expiring')).toHaveLength(1)
    scene.offset = hours(21 * 24)
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_EXPIRED')
    expect(certificate.state.status).toBe('expired')
    expect(() => certificate.secureContext()).toThrow(
      expect.objectContaining({ code: 'ERR_ACM_NO_CERTIFICATE' }),
    )
    expect(events.some(({ kind }) => kind === 'expired')).toBe(true)
    await expect(dialTls(scene, port)).rejects.toMatchObject({
      code: expect.stringMatching(/ALERT_HANDSHAKE_FAILURE|ECONNRESET/) as string,
    })
    await publish({ notAfter: new Date(Date.now() + hours(60 * 24)) })
    await certificate.refresh()
    expect(certificate.state.status).toBe('serving')
    const socket = await dialTls(scene, port)
    expect(await ask(socket, '/back')).toContain('200 OK')
    socket.destroy()
  })

  it('comes by itself, without a poll', async () => {
    await publish({ notAfter: new Date(Date.now() + 2000) })
    const certificate = await load()
    const port = await serve(certificate)
    await expect
      .poll(() => events.some(({ kind }) => kind === 'expired'), { timeout: 6000 })
      .toBe(true)
    await expect(dialTls(scene, port)).rejects.toBeDefined()
  })

  it('comes sooner where polls have failed for too long', async () => {
    await publish()
    const certificate = await load({ failClosedAfterMs: hours(48), now: () => scene.now() })
    scene.acm.fault({ kind: 'unavailable', times: Infinity })
    scene.offset = hours(47)
    await failure(certificate.refresh())
    expect(certificate.state.status).toBe('serving')
    scene.offset = hours(48)
    await failure(certificate.refresh())
    expect(certificate.state.status).toBe('stale')
    expect(() => certificate.secureContext()).toThrow(/no poll has succeeded since/)
    scene.acm.clearFaults()
    await certificate.refresh()
    expect(certificate.state.status).toBe('serving')
  })

  it('of a permission is noticed by decrypting again', async () => {
    await publish()
    const certificate = await load({ now: () => scene.now() })
    const { Decrypt: before = 0 } = scene.kms.counters.operations
    scene.offset = hours(13)
    await certificate.refresh()
    expect(scene.kms.counters.operations['Decrypt']).toBe(before + 1)
    scene.offset = hours(26)
    scene.kms.fault({ kind: 'error', type: 'AccessDeniedException' })
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_DENIED')
    expect(certificate.state.status).toBe('serving')
  })
})

describe('a certificate', () => {
  it('that is closed gives nothing and takes nothing', async () => {
    await publish()
    const certificate = await load()
    await certificate.close()
    await certificate.close()
    expect(certificate.state.status).toBe('closed')
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_CLOSED')
    expect(await failure(certificate.attach(webServer()))).toBe('ERR_ACM_CLOSED')
    expect(() => certificate.secureContext()).toThrow(
      expect.objectContaining({ code: 'ERR_ACM_CLOSED' }),
    )
  })

  it('can be one of several, by the name that is asked for', async () => {
    await publish()
    const www = await load()
    const key = 'api/bundle.json'
    const arn = `arn:aws:s3:::own-bucket/${key}`
    const bundle = await makeBundle(scene, { names: ['*.example.org'], contextArn: arn })
    scene.acm.putObject('own-bucket', key, bundle)
    const api = await load({
      source: ownSource(scene, { ...QUICK, key }),
      hostNames: ['*.example.org'],
    })
    const server = createServer({ SNICallback: sniCallback([www, api]) }, (_request, response) =>
      response.end('hello /'),
    )
    open.push(server)
    await www.attach(server)
    const port = await listen(server)
    for (const [name, expected] of [
      [HOST, www],
      ['a.example.org', api],
    ] as const) {
      const socket = await dialTls(scene, port, name)
      expect(socket.getPeerCertificate().serialNumber).toBe(expected.state.serialNumber)
      socket.destroy()
    }
    await expect(dialTls(scene, port, 'a.b.example.org')).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })

  it('gives its key to nobody', async () => {
    await publish()
    const certificate = await load()
    const server = webServer()
    await certificate.attach(server)
    const seen = JSON.stringify([certificate, certificate.state, certificate.certificatePem])
    expect(seen).not.toContain('PRIVATE')
    const { key } = server as unknown as { key: Uint8Array }
    expect(key.every((byte) => byte === 0)).toBe(true)
  })

  it.each<[string, Partial<AcmCertificateOptions>, string]>([
    ['no names', { hostNames: [] }, 'hostNames'],
    ['a name that is none', { hostNames: ['a b'] }, 'hostNames'],
    ['an anchor that is none', { trustAnchors: ['text'] }, 'trustAnchors'],
    ['no anchors', { trustAnchors: [] }, 'trustAnchors'],
    ['a poll each millisecond', { pollMs: 1 }, 'pollMs'],
    ['version 0', { leastVersion: 0 }, 'leastVersion'],
    ['an unknown option', { poll: 1 } as object, 'poll'],
    ['a key beside the certificate', { tls: { key: 'x' } as object }, 'key'],
  ])('is not made with %s', async (_name, options, named) => {
    await expect(load(options)).rejects.toThrow(named)
  })
})
