// TLS that ends in an enclave, end to end: enclave and parent's proxy as processes of their own, a public port, and clients that are
// not ours.
import { execFile, fork, spawn, type ChildProcess } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startSimulatedAws, type SimulatedAws } from '@enclavejs/simulator/aws'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = mkdtempSync(join(tmpdir(), 'enclavejs-acm-'))
const HOST = 'www.example.com'
const CHROMIUM = '/usr/bin/chromium'
let aws: SimulatedAws
let parent: ChildProcess
let port: number
let ca: string

beforeAll(async () => {
  aws = await startSimulatedAws({ directory: join(folder, 'simulator') })
  aws.acm.createBucket('my-certificates')
  ca = join(folder, 'issuer.pem')
  writeFileSync(ca, aws.acm.issuerRoot)
  port = await freePort()
  const config = join(folder, 'proxy.yaml')
  writeFileSync(
    config,
    `inbound:\n  - listen: { port: ${port}, host: 127.0.0.1 }\n    to: { cid: 16, port: 8443 }\n    proxyProtocol: true\n`,
  )
  parent = spawn(
    process.execPath,
    [
      ...['--conditions=@enclavejs/source', '--import', '@enclavejs/simulator/register/parent'],
      ...[join(root, 'packages/cli/src/bin.ts'), 'proxy', '--config', config],
    ],
    { cwd: root, env: { ...process.env, ...aws.environment }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  await listening(port)
})
afterAll(async () => {
  parent.kill('SIGKILL')
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

/** Starts the enclave's program, answers its requests for certificates, and waits until it serves. */
async function startEnclave(keyAlgorithm: string): Promise<ChildProcess & { serials: string[] }> {
  const child = fork(join(root, 'test/acm/enclave.ts'), {
    cwd: root,
    execArgv: ['--conditions=@enclavejs/source', '--import', '@enclavejs/simulator/register'],
    env: { ...process.env, ...aws.environment, KEY_ALGORITHM: keyAlgorithm },
  }) as ChildProcess & { serials: string[] }
  child.serials = []
  child.on('message', (message: { request?: string; serving?: string }) => {
    if (message.serving !== undefined) child.serials.push(message.serving)
    if (message.request === undefined) return
    void aws.acm.answerRequest(message.request).then((issued) => child.send(issued))
  })
  await expect.poll(() => child.serials.length, { timeout: 40_000 }).toBe(1)
  return child
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve(`${stdout}${stderr}${error === null ? '' : `failed: ${String(error.code)}`}`)
    })
    child.stdin?.end()
  })
}

const curl = (...more: string[]): Promise<string> =>
  run('curl', [
    ...['--silent', '--show-error', '--noproxy', '*', '--cacert', ca, ...more],
    ...['--resolve', `${HOST}:${port}:127.0.0.1`, `https://${HOST}:${port}/`],
  ])

const openssl = (...more: string[]): Promise<string> =>
  run('openssl', [
    ...['s_client', '-connect', `127.0.0.1:${port}`, '-servername', HOST, '-CAfile', ca],
    ...['-verify_return_error', '-verify_hostname', HOST, ...more],
  ])

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
    const enclave = await startEnclave('EC_secp384r1')
    try {
      expect(await chromium()).toContain('hello 127.0.0.1')
    } finally {
      enclave.kill('SIGKILL')
      await once(enclave, 'exit')
    }
  })

  it.each(['EC_prime256v1', 'RSA_2048'])(
    'is spoken with curl and OpenSSL, 1.2 and 1.3, %s, and renewed',
    async (keyAlgorithm) => {
      const enclave = await startEnclave(keyAlgorithm)
      try {
        for (const version of ['1.2', '1.3']) {
          expect(await curl(`--tlsv${version}`, '--tls-max', version)).toBe('hello 127.0.0.1\n')
          const said = await openssl(`-tls${version.replace('.', '_')}`)
          expect(said).toContain('Verification: OK')
          expect(said).toContain(`TLSv${version}`)
        }
        const untrusting = await run('curl', [
          ...[
            '--silent',
            '--show-error',
            '--noproxy',
            '*',
            '--resolve',
            `${HOST}:${port}:127.0.0.1`,
          ],
          `https://${HOST}:${port}/`,
        ])
        expect(untrusting).toContain('failed: 60')
        const [first] = enclave.serials
        enclave.send({ renew: keyAlgorithm })
        await expect.poll(() => enclave.serials.length, { timeout: 40_000 }).toBe(2)
        expect(enclave.serials[1]).not.toBe(first)
        const shown = await run('sh', [
          '-c',
          `openssl s_client -connect 127.0.0.1:${port} -servername ${HOST} </dev/null 2>/dev/null | openssl x509 -noout -serial`,
        ])
        expect(shown.trim()).toBe(`serial=${enclave.serials[1] ?? ''}`)
        const bundle = Buffer.from(
          aws.acm.getObject('my-certificates', 'www.json') ?? [],
        ).toString()
        expect(bundle).not.toContain('PRIVATE KEY')
      } finally {
        enclave.kill('SIGKILL')
        await once(enclave, 'exit')
      }
    },
  )
})
