// TLS that ends in an enclave, end to end: examples/acm-web-server and the parent's proxy as processes of their own, a public port,
// and clients that are not ours.
import { spawn, type ChildProcess } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSimulatedAws, type SimulatedAws } from '@enclavejs/simulator/aws'
import { createServer as createVsockServer } from '@enclavejs/vsock'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Clients, run } from './acm/clients.ts'
import { Issuer } from './acm/issuer.ts'
import { Visitor } from './acm/visitor.ts'
import { WebServer } from './acm/web-server.ts'
import { repository } from './temporary-tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'enclavejs-acm-'))
const HOST = 'www.example.com'
const BUCKET = 'my-certificates'
const CHROMIUM = '/usr/bin/chromium'
let aws: SimulatedAws
let issuer: Issuer
let parent: ChildProcess
let port: number
let clients: Clients

beforeAll(async () => {
  const directory = join(folder, 'simulator')
  aws = await startSimulatedAws({ directory })
  aws.acm.createBucket(BUCKET)
  process.env['ENCLAVEJS_SIMULATOR_DIR'] = directory
  await import('@enclavejs/simulator/register/parent')
  const requests = createVsockServer()
  issuer = new Issuer(aws.acm, requests)
  requests.listen({ port: 8005 })
  port = await freePort()
  const ca = join(folder, 'issuer.pem')
  writeFileSync(ca, aws.acm.issuerRoot)
  clients = new Clients(HOST, port, ca)
  const config = join(folder, 'proxy.yaml')
  writeFileSync(
    config,
    `inbound:\n  - listen: { port: ${port}, host: 127.0.0.1 }\n    to: { cid: 16, port: 8443 }\n    proxyProtocol: true\n`,
  )
  parent = spawn(
    process.execPath,
    [
      ...['--conditions=@enclavejs/source', '--import', '@enclavejs/simulator/register/parent'],
      ...[join(repository, 'packages/cli/src/bin.ts'), 'proxy', '--config', config],
    ],
    {
      ...{ cwd: repository, env: { ...process.env, ...aws.environment } },
      stdio: 'ignore',
    },
  )
  await listening(port)
})
afterAll(async () => {
  parent.kill('SIGKILL')
  await issuer.close()
  await aws.close()
  rmSync(folder, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: free } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return free
}

async function listening(at: number): Promise<void> {
  const answers = (): Promise<boolean> =>
    new Promise((resolve) => {
      const probe = connect(at, '127.0.0.1', () => resolve(true))
      probe.on('error', () => resolve(false)).on('connect', () => probe.destroy())
    })
  await vi.waitUntil(answers, { timeout: 20_000, interval: 200 })
}

/** Starts the example, and waits until it serves. */
async function start(keyAlgorithm: string, more: object = {}): Promise<WebServer> {
  issuer.reset()
  const configuration = {
    ...{ hostNames: [HOST], bucket: BUCKET, key: `${keyAlgorithm}.json`, keyAlgorithm },
    ...{ expectedBucketOwner: aws.account.accountId, keyArn: aws.keyArn, issuerPort: 8005 },
    ...{ trustAnchors: [aws.acm.issuerRoot], roots: [aws.acm.ca, aws.kms.ca], ...more },
  }
  const server = new WebServer(configuration, aws.environment)
  await expect.poll(() => server.lines.at(-1), { timeout: 40_000 }).toMatch(/^(?:serving|ERR_)/)
  return server
}

/** The page as Chromium has it, which takes the test's root for good and nothing else. */
function chromium(): Promise<string> {
  const { publicKey } = new X509Certificate(aws.acm.issuerRoot)
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const digest = createHash('sha256').update(spki).digest('base64')
  return run(CHROMIUM, [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    ...['--disable-background-networking', '--disable-component-update', '--no-proxy-server'],
    `--user-data-dir=${join(folder, 'chromium')}`,
    `--ignore-certificate-errors-spki-list=${digest}`,
    `--host-resolver-rules=MAP ${HOST} 127.0.0.1`,
    ...['--dump-dom', `https://${HOST}:${port}/`],
  ])
}

describe('TLS that ends in an enclave', () => {
  it('is spoken with Chromium', async (context) => {
    if (!existsSync(CHROMIUM)) {
      return context.skip(`no ${CHROMIUM}: run \`apt-get install chromium\``)
    }
    await using server = await start('EC_secp384r1')
    expect(await chromium()).toContain('hello 127.0.0.1')
    expect(await server.stop()).toBe(0)
  })

  it.each(['EC_prime256v1', 'RSA_2048'])(
    'is spoken with curl and OpenSSL, 1.2 and 1.3, %s, and renewed',
    async (keyAlgorithm) => {
      await using server = await start(keyAlgorithm)
      for (const version of ['1.2', '1.3']) {
        const page = await clients.curl([`--tlsv${version}`, '--tls-max', version])
        expect(page).toBe('hello 127.0.0.1\n')
        const said = await clients.openssl(`-tls${version.replace('.', '_')}`)
        expect(said).toContain('Verification: OK')
        expect(said).toContain(`TLSv${version}`)
        expect(said).toContain(keyAlgorithm === 'RSA_2048' ? 'rsaEncryption' : 'id-ecPublicKey')
      }
      expect(await clients.curl([], false)).toContain('failed: 60')
      const first = server.told(/^serving (\w+)$/)
      expect(await clients.serialNumber()).toBe(first)
      issuer.renew()
      const renewed = (): string | undefined => server.told(/^renewed version 2 (\w+)$/)
      await expect.poll(renewed, { timeout: 20_000 }).toBeDefined()
      expect(renewed()).not.toBe(first)
      expect(await clients.serialNumber()).toBe(renewed())
      const bundle = aws.acm.getObject(BUCKET, `${keyAlgorithm}.json`) ?? []
      expect(Buffer.from(bundle).toString()).not.toContain('PRIVATE KEY')
      expect(await server.stop()).toBe(0)
    },
  )

  it('drops none of 200 clients at a renewal, and whoever comes after it sees the new certificate', async () => {
    await using server = await start('EC_prime256v1', { key: 'many.json' })
    const visit = (): Promise<Visitor> => Visitor.open(HOST, port, aws.acm.issuerRoot)
    const visitors = await Promise.all(Array.from({ length: 200 }, visit))
    const first = server.told(/^serving (\w+)$/)
    const renewed = (): string | undefined => server.told(/^renewed version 2 (\w+)$/)
    let seen = 0
    for (let turn = 0; renewed() === undefined; turn++) {
      if (turn === 5) issuer.renew()
      using newcomer = await visit()
      expect(await newcomer.ask()).toBe('hello 127.0.0.1')
      expect(await visitors[turn % visitors.length]?.ask()).toBe('hello 127.0.0.1')
      if (newcomer.serialNumber === first) seen++
    }
    expect(seen).toBeGreaterThan(4)
    for (const one of await Promise.all(Array.from({ length: 20 }, visit))) {
      expect(one.serialNumber).toBe(renewed())
      one[Symbol.dispose]()
    }
    const pages = await Promise.all(visitors.map((one) => one.ask()))
    expect(pages.filter((page) => page === 'hello 127.0.0.1')).toHaveLength(200)
    expect(new Set(visitors.map((one) => one.serialNumber))).toEqual(new Set([first]))
    for (const one of visitors) one[Symbol.dispose]()
    expect(await server.stop()).toBe(0)
  })

  it('is not begun with a certificate of a CA that the image does not name', async () => {
    const { ca } = aws.acm
    await using server = await start('EC_prime256v1', { key: 'other.json', trustAnchors: [ca] })
    expect(server.lines.at(-1)).toMatch(/^ERR_ACM_PATH: /)
  })
})

describe('examples/acm-web-server', () => {
  it('is pinned like hello-enclave', () => {
    const read = (path: string): string => readFileSync(join(repository, 'examples', path), 'utf8')
    expect(read('acm-web-server/enclave.lock.json')).toBe(read('hello-enclave/enclave.lock.json'))
    expect(read('acm-web-server/Dockerfile')).toContain('COPY package.json main.ts ./')
  })
})
