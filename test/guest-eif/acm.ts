// Nothing simulated but AWS and the CA: examples/acm-web-server as an image on the nitro-enclave machine, behind `enclavejs proxy`
// on the host, which carries TLS to the simulator's KMS and S3, and clients to the enclave. The key of its certificate is made in
// the enclave and comes back to this image alone, by documents that the machine signs.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { computeRolePcr } from '@enclavejs/attestation'
import { referenceValues } from '@enclavejs/eif'
import { describeFile } from '@enclavejs/eif/node'
import { serveCredentials } from '@enclavejs/kms-enclave'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { createSimulatedAcm } from '@enclavejs/simulator/acm'
import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
import { listenVsock } from '@enclavejs/vsock'
import { Clients } from '../acm/clients.ts'
import { Issuer } from '../acm/issuer.ts'
import { Visitor } from '../acm/visitor.ts'
import { root } from '../guest/machine.ts'
import type { Results } from '../guest/results.ts'
import type { EnclaveConsole, Launch } from './enclave.ts'

const CLI = ['--conditions=@enclavejs/source', join(root, 'packages/cli/src/bin.ts')]
const CMDLINE = 'reboot=t panic=1 pci=off console=ttyS0 random.trust_cpu=on enclave.heartbeat_cid=2'
const HOST = 'www.example.com'
const BUCKET = 'my-certificates'
const LIMIT = 120_000

/** Runs the images with `launch`; `attestationRoot` is what the machine's documents end in. */
export async function runAcm(
  machine: string,
  folder: string,
  attestationRoot: Uint8Array,
  launch: (image: string, options: Partial<Launch>) => Promise<EnclaveConsole>,
  results: Results,
): Promise<void> {
  const account = createSimulatedAccount()
  const serviceAccount = createSimulatedAccount({ accountId: '999999999999' })
  const credentials = account.issueCredentials({ role: 'enclave' })
  const role = credentials.principalArn
  const kms = await createSimulatedKms({
    ...{ accounts: [account, serviceAccount], attestationRoots: [attestationRoot] },
    minVersion: 'TLSv1.3',
  })
  const acm = await createSimulatedAcm({ accounts: [account], kms, serviceAccount })
  acm.createBucket(BUCKET)
  const requests = createServer()
  const issuer = new Issuer(acm, requests)
  const given = serveCredentials(createServer(), () => Promise.resolve(credentials))
  let proxy: ChildProcess | undefined
  try {
    const { arn: keyArn } = await kms.createKey()
    const hosts = [`kms.${kms.region}.amazonaws.com`, `${BUCKET}.s3.${kms.region}.amazonaws.com`]
    const ports = { [`${hosts[0]}:443`]: 8000, [`${hosts[1]}:443`]: 8003 }
    const configuration = {
      ...{ hostNames: [HOST], bucket: BUCKET, key: 'www.json', keyArn, pollMs: 1000 },
      ...{ expectedBucketOwner: account.accountId, issuerPort: 8005, parent: { cid: 2, ports } },
      ...{ trustAnchors: [acm.issuerRoot], roots: [acm.ca, kms.ca] },
    }
    const build = (name: string, more: object): string => {
      const image = join(folder, `${name}.eif`)
      const argument = JSON.stringify({ ...configuration, ...more })
      execFileSync(
        process.execPath,
        [
          ...[...CLI, 'build', join(root, 'examples/acm-web-server'), '--kernel'],
          ...[join(machine, 'guest/bzImage'), '--kernel-config', join(machine, 'guest/config')],
          ...['--cmdline', CMDLINE, '--argument', argument, '--output', image],
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      )
      return image
    }
    const image = build('acm', {})
    const { pcrs } = referenceValues(await describeFile(image), { label: 'acm-web-server' })
    const policy = createKeyPolicy({
      account: account.accountId,
      images: {
        label: 'acm-web-server',
        pcrs: {
          ...Object.fromEntries(
            Object.entries(pcrs).map(([name, value]) => [Number(name.replace('PCR', '')), value]),
          ),
          3: Buffer.from(await computeRolePcr(role)).toString('hex'),
        },
      },
      enclaveRoles: [role],
      encrypters: [role],
      administrators: [`arn:aws:iam::${account.accountId}:root`],
      locked: true,
    })
    await kms.setKeyPolicy(keyArn, policy.json)

    const vsock = join(folder, 'acm')
    mkdirSync(vsock)
    const path = join(vsock, 'host')
    listenVsock(requests, { path, port: 8005 })
    listenVsock(given, { path, port: 8002 })
    const publicPort = await freePort()
    proxy = startProxy(folder, path, publicPort, [
      [8000, kms.address()],
      [8003, acm.address()],
    ])
    const ca = join(folder, 'issuer.pem')
    writeFileSync(ca, acm.issuerRoot)
    const clients = new Clients(HOST, publicPort, ca)

    const ended = new AbortController()
    const running = launch(image, { folder: vsock, role, signal: ended.signal })
    let isRunning = true
    void running.finally(() => (isRunning = false))
    const visit = (): Promise<Visitor> => Visitor.open(HOST, publicPort, acm.issuerRoot)
    let visitor: Visitor | undefined
    await results.check('acm: a key made in the enclave, HTTPS from outside', async () => {
      const began = performance.now()
      while (visitor === undefined) {
        if (!isRunning || performance.now() - began > LIMIT) {
          throw new Error(`it does not serve: ${(await tail(running, ended)).join('\n')}`)
        }
        visitor = await visit().catch(() => wait(200, undefined))
      }
      equal(await visitor.ask(), 'hello 127.0.0.1', 'page')
      const stored = Buffer.from(acm.getObject(BUCKET, 'www.json') ?? []).toString()
      if (!stored.includes('"version":"1"') || stored.includes('PRIVATE')) throw new Error(stored)
      return `${((performance.now() - began) / 1000).toFixed(1)} s`
    })
    if (visitor === undefined) return
    const first = visitor.serialNumber
    for (const version of ['1.2', '1.3']) {
      await results.check(`acm: curl and openssl s_client, TLS ${version}`, async () => {
        const page = await clients.curl([`--tlsv${version}`, '--tls-max', version])
        equal(page, 'hello 127.0.0.1\n', 'curl')
        const said = await clients.openssl(`-tls${version.replace('.', '_')}`)
        if (!said.includes('Verification: OK') || !said.includes(`TLSv${version}`)) {
          throw new Error(said)
        }
      })
    }
    await results.check('acm: renewed while it runs, no connection dropped', async () => {
      equal(issuer.count, 2, 'requests')
      issuer.renew()
      const began = performance.now()
      let serialNumber = first
      while (serialNumber === first) {
        if (performance.now() - began > LIMIT) throw new Error('the certificate is the old one')
        using other = await visit()
        serialNumber = other.serialNumber
        equal(await other.ask(), 'hello 127.0.0.1', 'page of a new connection')
      }
      equal(await clients.serialNumber(), serialNumber, 'certificate')
      equal(await visitor?.ask(), 'hello 127.0.0.1', 'page of the old connection')
      return `${((performance.now() - began) / 1000).toFixed(1)} s`
    })
    visitor[Symbol.dispose]()
    await results.check('acm: each private key came by an attested Decrypt', async () => {
      ended.abort()
      const { lines } = await running
      for (const pattern of [/^published: version 1/, /^serving /, /^renewed version 2 /]) {
        if (!lines.some((line) => pattern.test(line))) throw new Error(lines.slice(-20).join('\n'))
      }
      const seen = kms.requests.filter(({ operation }) => operation === 'Decrypt')
      if (seen.length < 2 || seen.some(({ status }) => status !== 200)) {
        throw new Error(`${seen.length} calls of Decrypt`)
      }
    })
    await results.check('acm: denied to the image with one byte changed', async () => {
      const other = build('acm-other', { pollMs: 1001 })
      const { lines } = await launch(other, { folder: vsock, role })
      if (!lines.some((line) => line.startsWith('ERR_ACM_DENIED: '))) {
        throw new Error(lines.slice(-20).join('\n'))
      }
    })
  } finally {
    proxy?.kill()
    given.close()
    await issuer.close()
    requests.close()
    await acm.close()
    await kms.close()
  }
}

/** The parent's proxy as its operator starts it. */
function startProxy(
  folder: string,
  path: string,
  publicPort: number,
  services: readonly (readonly [port: number, address: object])[],
): ChildProcess {
  const config = join(folder, 'proxy.yaml')
  const outbound = services.map(([port, address]) => ({ listen: { path, port }, to: address }))
  const to = { path, port: 8443 }
  const inbound = [{ listen: { port: publicPort, host: '127.0.0.1' }, to, proxyProtocol: true }]
  writeFileSync(config, JSON.stringify({ outbound, inbound }))
  return spawn(process.execPath, [...CLI, 'proxy', '--config', config], { stdio: 'ignore' })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** What the console ends with. */
async function tail(
  running: Promise<EnclaveConsole>,
  ended: AbortController,
): Promise<readonly string[]> {
  ended.abort()
  return (await running).lines.slice(-20)
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) {
    throw new Error(`${what}: ${String(expected)} expected, ${String(actual)} seen`)
  }
}
