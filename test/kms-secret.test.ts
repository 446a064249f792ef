// kms-secret on the simulator: the program as an enclave, this process as its parent. As an image, on measured hardware, it
// runs in test/guest-eif/kms.ts.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { serveCredentials } from '@enclavejs/kms-enclave'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { openCertificateAuthority } from '@enclavejs/simulator'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedKms,
} from '@enclavejs/simulator/kms'
import { listenVsock } from '@enclavejs/vsock'
import { startProxy, type VsockProxy } from '@enclavejs/vsock/proxy'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { repository } from './temporary-tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'enclavejs-secret-'))
const pcrs = { 0: 'c0'.repeat(48), 1: 'c1'.repeat(48), 2: 'c2'.repeat(48) }
const CID = 36
const account = createSimulatedAccount()
const credentials = account.issueCredentials({ role: 'enclave' })
const server = serveCredentials(createServer(), () => Promise.resolve(credentials))

let kms: SimulatedKms
let proxy: VsockProxy
let keyArn: string

beforeAll(async () => {
  process.env['ENCLAVEJS_SIMULATOR_DIR'] = folder
  await import('@enclavejs/simulator/register/parent')
  const { trustAnchor } = await openCertificateAuthority(folder)
  kms = await createSimulatedKms({ accounts: [account], attestationRoots: [trustAnchor] })
  keyArn = (await kms.createKey()).arn
  const { json } = createKeyPolicy({
    account: account.accountId,
    images: { label: 'example', pcrs },
    enclaveRoles: [credentials.principalArn],
    administrators: [`arn:aws:iam::${account.accountId}:root`],
    locked: true,
  })
  await kms.setKeyPolicy(keyArn, json)
  const { port } = kms.address() as { port: number }
  proxy = await startProxy({
    outbound: [{ listen: { port: 8000, allowedCids: [CID] }, to: { host: '127.0.0.1', port } }],
  })
  listenVsock(server, { port: 8002, allowedCids: [CID] })
})
afterAll(async () => {
  server.close()
  await proxy.close()
  await kms.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs the example as an image with these PCRs. */
async function run(pcr2: string): Promise<{ status: number; output: string }> {
  const argument = JSON.stringify({ keyArn, roots: [kms.ca] })
  const simulator = import.meta.resolve('@enclavejs/simulator/register')
  const main = join(repository, 'examples/kms-secret/main.ts')
  const flags = ['--conditions=@enclavejs/source', '--import', simulator, main, argument]
  const ran = promisify(execFile)(process.execPath, flags, {
    env: {
      ...process.env,
      ENCLAVEJS_SIMULATOR_CID: String(CID),
      ENCLAVEJS_SIMULATOR_PCRS: `0=${pcrs[0]},1=${pcrs[1]},2=${pcr2}`,
    },
  })
  return ran.then(
    ({ stdout }) => ({ status: 0, output: stdout }),
    (error: { code: number; stdout: string }) => ({ status: error.code, output: error.stdout }),
  )
}

test('kms-secret opens its secret in the image that the policy names', async () => {
  const { status, output } = await run(pcrs[2])
  expect(output).toMatch(/^as booted: opened 28 bytes from an envelope of \d+\n$/)
  expect(status).toBe(0)
})

test('kms-secret is denied in another image, and says which PCR differs', async () => {
  const { status, output } = await run('ff'.repeat(48))
  expect(output).toMatch(/^as booted: AccessDeniedException\n {2}.*PCR2/)
  expect(status).toBe(1)
})
