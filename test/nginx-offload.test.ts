// examples/nginx-offload on the simulator: the enclave, `enclavejs acm agent` and a stock NGINX as processes of their own. The
// key goes from simulated S3 and KMS into the enclave, and never to the parent.
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startSimulatedAws, type SimulatedAws } from '@enclavejs/simulator/aws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  BUCKET,
  HOST,
  KEY,
  makeBundle,
  type BundleRecipe,
  type Scene,
} from '../packages/acm-enclave/test/scene.ts'
import { absent, Workplace } from '../packages/acm-enclave/test/token/program.ts'
import { handshake } from '../packages/acm-enclave/test/token/web-server.ts'
import { OffloadNginx, socketFolder, unable } from './examples/offload-nginx.ts'
import { browserless, openPage } from './examples/trusting-browser.ts'
import { ExampleProgram } from './examples/program.ts'
import { TokenAgent } from './examples/token-agent.ts'
import { repository } from './temporary-tree.ts'

/** `CKA_ID` of a certificate's key. */
const idOf = (certificate: Uint8Array): string =>
  createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex').slice(0, 16)
const PIN = 'a pin of the image'
const why = absent('nginx') ?? unable()

describe.skipIf(why)(`nginx-offload (${why ?? 'present'})`, () => {
  const workplace = new Workplace()
  let aws: SimulatedAws
  /** Two behind one token. */
  let enclaves: ExampleProgram[]
  let agent: TokenAgent
  let files: string
  let nginx: OffloadNginx

  const publish = async (recipe: BundleRecipe): Promise<void> => {
    const bundle = await makeBundle(aws as unknown as Scene, recipe)
    aws.acm.putObject(BUCKET, KEY, bundle)
  }
  const startEnclave = (cid: number): Promise<ExampleProgram> => {
    const { environment, keyArn, account } = aws
    const roots = ['ENCLAVEJS_SIMULATED_KMS_CA', 'ENCLAVEJS_SIMULATED_ACM_CA'].map((name) =>
      readFileSync(environment[name] ?? '', 'utf8'),
    )
    const configuration = {
      ...{ hostNames: [HOST], bucket: BUCKET, key: KEY, keyArn, roots, pin: PIN, pollMs: 1000 },
      expectedBucketOwner: account.accountId,
    }
    return ExampleProgram.start('nginx-offload/main.ts', [JSON.stringify(configuration)], {
      ...environment,
      ENCLAVEJS_SIMULATOR_CID: String(cid),
    })
  }

  beforeAll(async () => {
    aws = await startSimulatedAws({ directory: workplace.path('simulator') })
    aws.acm.createBucket(BUCKET)
    await publish({ version: 1 })
    enclaves = await Promise.all([startEnclave(16), startEnclave(17)])
    files = socketFolder(workplace)
    agent = await TokenAgent.start(
      [
        ...['--enclave', '16', '--enclave', '17', '--pin-file', workplace.write('pin', PIN)],
        ...['--socket', join(files, 'token.sock'), '--socket-mode', '660'],
        ...['--module-file', join(files, 'modules/enclavejs.module')],
        ...['--certificate', join(files, 'certificate.pem')],
        ...['--nginx-stanza', join(files, 'stanza.conf'), '--interval', '1', '--drop-after', '1'],
        ...['--reload', `kill -HUP $(cat ${workplace.path('nginx.pid')})`],
      ],
      aws.environment,
    )
    nginx = await OffloadNginx.start(workplace, files)
  }, 60_000)
  afterAll(async () => {
    const status = await agent.stop()
    await workplace.close()
    const statuses = await Promise.all(enclaves.map((enclave) => enclave.stop()))
    expect([status, ...statuses].filter((one) => one !== 0)).toEqual([])
    await aws.close()
  })

  const serial = async (port: number): Promise<string> => {
    const socket = await handshake(port, { ca: aws.acm.issuerRoot, servername: HOST })
    const { serialNumber } = socket.getPeerCertificate()
    socket.destroy()
    return serialNumber
  }

  const noBrowser = browserless()
  test.skipIf(noBrowser)(
    `Chromium takes it, with the CA and not without (${noBrowser ?? 'present'})`,
    async () => {
      const page = await openPage(workplace.path('home'), HOST, nginx.port, aws.acm.issuerRoot)
      expect(page).toEqual({ text: 'its key is in the enclave\n', protocol: 'TLS 1.3' })
      const untrusting = openPage(workplace.path('stranger'), HOST, nginx.port)
      await expect(untrusting).rejects.toThrow('net::ERR_CERT_AUTHORITY_INVALID')
    },
    60_000,
  )

  test('takes the renewed key, drops the old one, and outlives its enclaves', async () => {
    const first = await serial(nginx.port)
    for (const { line } of enclaves) expect(line).toContain(first)
    expect(readFileSync(join(files, 'stanza.conf'), 'utf8')).toMatch(
      /^ssl_certificate_key "engine:pkcs11:pkcs11:model=acm-token;manufacturer=enclavejs;token=acm-token;id=(%[0-9a-f]{2}){8};object=acm-key;type=private\?pin-value=a%20pin%20of%20the%20image";\nssl_certificate "/,
    )

    const certificate = readFileSync(join(files, 'certificate.pem'))
    await publish({ version: 2, type: 'rsa' })
    await expect.poll(() => serial(nginx.port), { timeout: 10_000 }).not.toBe(first)
    await expect
      .poll(() => agent.log, { timeout: 10_000 })
      .toContain(`the key ${idOf(certificate)} is removed`)
    const second = await serial(nginx.port)

    const [one, other] = enclaves as [ExampleProgram, ExampleProgram]
    await one.stop()
    for (let round = 0; round < 5; round++) expect(await serial(nginx.port)).toBe(second)
    await other.stop()
    const [again] = await Promise.all([
      startEnclave(16),
      expect.poll(() => serial(nginx.port).catch(() => 'none'), { timeout: 40_000 }).toBe(second),
    ])
    enclaves = [again]
    for (let round = 0; round < 5; round++) expect(await serial(nginx.port)).toBe(second)
    // In a namespace of a user who is not root there are no groups to set.
    expect(nginx.log).not.toMatch(/\[(alert|emerg)\](?!.*initgroups)/)
  }, 60_000)
})

test('is pinned like hello-enclave, and its container has what its image has', () => {
  const read = (example: string, file: string): string =>
    readFileSync(join(repository, 'examples', example, file), 'utf8')
  const lock = 'enclave.lock.json'
  expect(read('nginx-offload', lock)).toBe(read('hello-enclave', lock))
  const { files } = JSON.parse(read('nginx-offload', 'package.json')) as { files: string[] }
  expect(read('nginx-offload', 'Dockerfile')).toContain(`COPY package.json ${files.join(' ')} ./`)
})
