// IMDSv2 straight from the enclave: the parent only carries, as its proxy does for KMS.
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSimulatedImds, type ImdsFault, type SimulatedImds } from '@enclavejs/simulator/imds'
import { startProxy, type VsockProxy } from '@enclavejs/vsock/proxy'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createKmsClient, fromImds, type Connect } from '../src/index.ts'
import { failure, openScene, type Scene } from './simulated-kms.ts'

const PORT = 8004
const folder = mkdtempSync(join(tmpdir(), 'kms-imds-'))
const path = join(folder, 'host')
/** What an enclave has: a port of the parent, whatever host is asked for. The machine's vsock arrives at this Unix socket. */
const through: Connect = async () => connect(`${path}_${PORT}`)

let scene: Scene
let imds: SimulatedImds
let proxy: VsockProxy

beforeAll(async () => {
  scene = await openScene()
  imds = await createSimulatedImds({ account: scene.account, role: 'parent-role' })
  const { hostname: host, port } = new URL(imds.url)
  proxy = await startProxy({
    outbound: [{ listen: { path, port: PORT }, to: { host, port: Number(port) } }],
  })
})
afterAll(async () => {
  await proxy.close()
  await imds.close()
  await scene.kms.close()
  rmSync(folder, { recursive: true, force: true })
})

it('gives the role of the parent, and KMS takes it', async () => {
  const credentials = fromImds({ connect: through })
  const given = await credentials()
  expect(given).toMatchObject({ accessKeyId: expect.stringMatching(/^ASIA/) as string })
  expect(imds.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'PUT /latest/api/token',
    'GET /latest/meta-data/iam/security-credentials/',
    'GET /latest/meta-data/iam/security-credentials/parent-role',
  ])
  const { kms, getEvidence } = scene
  const { arn: keyArn } = await kms.createKey()
  await using client = createKmsClient({
    ...{ keyArn, credentials, getEvidence, roots: [kms.ca] },
    connect: kms.connect.bind(kms),
  })
  expect((await client.describeKey()).KeyMetadata.Arn).toBe(keyArn)
})

it.each<ImdsFault>([
  { kind: 'status', status: 404 },
  { kind: 'refuse' },
  { kind: 'expired', path: '/latest/meta-data/' },
])('gives none where IMDS does not: %j', async (fault) => {
  imds.fault({ ...fault, times: 3 })
  expect(await failure(fromImds({ connect: through })())).toBe('ERR_KMS_CREDENTIALS')
  imds.clearFaults()
})
