import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createTokenRelay } from '@enclavejs/acm-enclave/token'
import { openCertificateAuthority } from '@enclavejs/simulator'
import { createSimulatedAcm } from '@enclavejs/simulator/acm'
import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
import { expect, test } from 'vitest'
import { BUCKET, HOST, KEY, makeBundle, store, type Scene } from '../../acm-enclave/test/scene.ts'
import { Workplace } from '../../acm-enclave/test/token/program.ts'

const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const register = fileURLToPath(new URL('../../simulator/src/register.ts', import.meta.url))
const PIN = 'a pin of the enclave'

test('acm token: from simulated S3 and KMS, attested, to a relay of the parent', async () => {
  const workplace = new Workplace()
  const directory = workplace.path('simulator')
  const authority = await openCertificateAuthority(directory)
  const account = createSimulatedAccount()
  const serviceAccount = createSimulatedAccount({ accountId: '999999999999' })
  const kms = await createSimulatedKms({
    accounts: [account, serviceAccount],
    attestationRoots: [authority.trustAnchor],
  })
  const acm = await createSimulatedAcm({ accounts: [account], kms, serviceAccount })
  acm.createBucket(BUCKET)
  const { arn: keyArn } = await kms.createKey()
  store({ acm } as Scene, await makeBundle({ acm, kms, keyArn } as unknown as Scene))
  const at = (one: typeof kms | typeof acm): string => {
    const address = one.address()
    return 'path' in address ? address.path : `${address.host}:${address.port}`
  }
  const credentials = account.issueCredentials({ role: 'enclave' })
  const child = spawn(
    process.execPath,
    [
      ...['--conditions=@enclavejs/source', '--import', register, bin, 'acm', 'token', '--direct'],
      ...['--connect-to', at(acm), '--connect-to', `kms=${at(kms)}`],
      ...['--root', workplace.write('acm-ca.pem', acm.ca)],
      ...['--root', workplace.write('kms-ca.pem', kms.ca), '--host', HOST, '--bucket', BUCKET],
      ...['--object', KEY, '--owner', account.accountId, '--key', keyArn],
      ...['--pin-file', workplace.write('pin', PIN), '--unix', workplace.path('enclave.sock')],
    ],
    {
      env: {
        ENCLAVEJS_SIMULATOR_DIR: directory,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_SESSION_TOKEN: credentials.sessionToken ?? '',
      },
    },
  )
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise((resolve) => child.once('close', resolve))
  try {
    await expect.poll(() => stderr, { timeout: 15_000 }).toContain('the token serves')
    const enclave = { connect: () => connect(workplace.path('enclave.sock')), pin: PIN }
    using relay = createTokenRelay({ label: 'acm-token', pin: PIN, enclaves: [enclave] })
    await relay.refresh()
    expect(relay.keys).toHaveLength(1)
    expect(relay.keys[0]?.label).toBe('acm-key')
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  } finally {
    child.kill('SIGKILL')
    await acm.close()
    await kms.close()
    await workplace.close()
  }
})
