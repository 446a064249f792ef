import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
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

interface Served {
  readonly workplace: Workplace
  /** Of the simulated vsock: the socket of the token is `16_9999`. */
  readonly vsock: string
  /** Ends it with a signal. @returns its exit status */
  readonly stop: () => Promise<number | null>
}

/** `enclavejs acm token` in a process of its own, with a certificate of simulated S3 and KMS. */
async function withToken(flags: readonly string[], use: (served: Served) => Promise<void>) {
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
      ...['--pin-file', workplace.write('pin', PIN)],
      ...flags.map((flag) => (flag === 'SOCKET' ? workplace.path('enclave.sock') : flag)),
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
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const stop = (): Promise<number | null> => {
    child.kill('SIGTERM')
    return ended
  }
  try {
    await expect.poll(() => stderr, { timeout: 15_000 }).toContain('the token serves')
    await use({ workplace, vsock: join(directory, 'vsock'), stop })
  } finally {
    child.kill('SIGKILL')
    await acm.close()
    await kms.close()
    await workplace.close()
  }
}

const relayTo = (open: () => Socket) =>
  createTokenRelay({
    ...{ label: 'acm-token', pin: PIN },
    enclaves: [{ connect: open, pin: PIN }],
  })

test('acm token: from simulated S3 and KMS, attested, to a relay of the parent', async () => {
  await withToken(['--unix', 'SOCKET'], async ({ workplace, stop }) => {
    using relay = relayTo(() => connect(workplace.path('enclave.sock')))
    await relay.refresh()
    expect(relay.keys).toHaveLength(1)
    expect(relay.keys[0]?.label).toBe('acm-key')
    expect(await stop()).toBe(0)
  })
})

test.each([
  ['the parent and the host of a machine alone', [], [2, 3], [16, 17]],
  ['those that were named alone', ['--allow-cid', '17', '--allow-cid', '18'], [17, 18], [2, 3, 16]],
  ['everyone that is let in', ['--any-cid'], [3, 17], []],
] as const)('acm token over vsock takes %s', async (_name, flags, allowed, refused) => {
  await withToken(flags, async ({ vsock }) => {
    // The simulator's first line says who connects.
    const from = (cid: number): Socket => {
      const socket = connect(join(vsock, '16_9999'))
      socket.write(`CONNECT 9999 ${cid} 1025\n`)
      return socket
    }
    for (const cid of allowed) {
      using relay = relayTo(() => from(cid))
      await relay.refresh()
      expect(relay.keys).toHaveLength(1)
    }
    for (const cid of refused) {
      using relay = relayTo(() => from(cid))
      await expect(relay.refresh()).rejects.toMatchObject({ code: 'ERR_ACM_TOKEN_ENCLAVE' })
    }
  })
})
