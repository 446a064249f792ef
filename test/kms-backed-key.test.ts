// kms-backed-key, both ends on the simulator: this process is the parent with its proxy, and the client behind it.
import { createServer } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVerifier, type Verifier } from '@enclavejs/attestation'
import { serveCredentials } from '@enclavejs/kms-enclave'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { openCertificateAuthority, type CertificateAuthority } from '@enclavejs/simulator'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedKms,
} from '@enclavejs/simulator/kms'
import { listenVsock, MessageClient, connect } from '@enclavejs/vsock'
import { startProxy, type VsockProxy } from '@enclavejs/vsock/proxy'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServiceClient } from '../examples/kms-backed-key/client.ts'
import { ASK, ATTEST, PURPOSE } from '../examples/kms-backed-key/purpose.ts'
import { genuineDocument } from './examples/genuine-document.ts'
import { flipped, ParentRelay, type Mischief } from './examples/parent-relay.ts'
import { ExampleProgram } from './examples/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'enclavejs-backed-key-'))
const pcrs = { 0: 'b0'.repeat(48), 1: 'b1'.repeat(48), 2: 'b2'.repeat(48) }
const reference = { label: 'example', pcrs }
const [CID, NEXT_CID, OTHER_CID] = [26, 27, 28]
const account = createSimulatedAccount()
const credentials = account.issueCredentials({ role: 'enclave' })
const administrator = `arn:aws:iam::${account.accountId}:root`

let authority: CertificateAuthority
let verifier: Verifier
let kms: SimulatedKms
let proxy: VsockProxy
let keyArn: string
const server = serveCredentials(createServer(), () => Promise.resolve(credentials))

const policyOf = (locked: boolean): string =>
  createKeyPolicy({
    account: account.accountId,
    images: reference,
    enclaveRoles: [credentials.principalArn],
    administrators: [administrator],
    keyUsage: 'KEY_AGREEMENT',
    locked,
  }).json

function boot(cid: number, pcr2: string = pcrs[2]): Promise<ExampleProgram> {
  const enclaveRole = credentials.principalArn
  const configuration = { keyArn, enclaveRole, administrator, roots: [kms.ca] }
  return ExampleProgram.start('kms-backed-key/main.ts', [JSON.stringify(configuration)], {
    ENCLAVEJS_SIMULATOR_CID: String(cid),
    ENCLAVEJS_SIMULATOR_PCRS: `0=${pcrs[0]},1=${pcrs[1]},2=${pcr2}`,
  })
}

const direct =
  (cid: number) =>
  ({ signal }: { signal: AbortSignal }) =>
    connect({ cid, port: 5000, signal })

beforeAll(async () => {
  process.env['ENCLAVEJS_SIMULATOR_DIR'] = folder
  await import('@enclavejs/simulator/register/parent')
  authority = await openCertificateAuthority(folder)
  verifier = createVerifier({ referenceValues: reference, trustAnchors: [authority.trustAnchor] })
  kms = await createSimulatedKms({
    accounts: [account],
    attestationRoots: [authority.trustAnchor],
  })
  keyArn = (await kms.createKey({ keySpec: 'ECC_NIST_P256', keyUsage: 'KEY_AGREEMENT' })).arn
  await kms.setKeyPolicy(keyArn, policyOf(true))
  const allowedCids = [CID, NEXT_CID, OTHER_CID]
  const { port } = kms.address() as { port: number }
  proxy = await startProxy({
    outbound: [{ listen: { port: 8000, allowedCids }, to: { host: '127.0.0.1', port } }],
  })
  listenVsock(server, { port: 8002, allowedCids })
})
afterAll(async () => {
  server.close()
  await proxy.close()
  await kms.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('kms-backed-key', () => {
  it('answers under a key that outlives the enclave that attested it, and the parent reads nothing', async () => {
    const carried: Uint8Array[] = []
    const eavesdrop: Mischief = async (message, ask) => {
      const answer = await ask(message)
      carried.push(message, answer)
      return answer
    }
    let key: Uint8Array
    {
      await using program = await boot(CID)
      await using parent = await ParentRelay.start(CID, eavesdrop)
      await using client = new ServiceClient(parent.connect)
      key = await client.attest(verifier)
      expect(await client.ask(key, [40_000, 44_000])).toEqual({ count: 2, mean: 42_000 })
      expect(carried).toHaveLength(4)
      expect(Buffer.concat(carried).includes('40000')).toBe(false)
      expect(await program.stop()).toBe(0)
    }
    await using program = await boot(NEXT_CID)
    await using later = new ServiceClient(direct(NEXT_CID))
    expect(await later.ask(key, [1, 2, 6])).toEqual({ count: 3, mean: 3 })
    expect(await program.stop()).toBe(0)
  })

  it('refuses what is not sealed for it, and the client what does not answer', async () => {
    await using _program = await boot(CID)
    const asked: Uint8Array[] = []
    const through = async (mischief: Mischief): Promise<unknown> => {
      await using parent = await ParentRelay.start(CID, mischief)
      await using client = new ServiceClient(parent.connect)
      const key = await client.attest(verifier)
      return client.ask(key, [1]).catch((error: unknown) => error)
    }
    const forged: Mischief = async (message, ask) => {
      const answer = await ask(message)
      if (message[0] === ASK) asked.push(message)
      return message[0] === ASK ? flipped(answer) : answer
    }
    expect(await through(forged)).toMatchObject({ code: 'ERR_SERVICE_ANSWER' })
    let first: Uint8Array | undefined
    const replayed: Mischief = async (message, ask) => {
      if (message[0] === ASK) first ??= await ask(message)
      return message[0] === ASK ? (first as Uint8Array) : ask(message)
    }
    expect(await through(replayed)).toEqual({ count: 1, mean: 1 })
    expect(await through(replayed)).toMatchObject({ code: 'ERR_SERVICE_ANSWER' })
    await using raw = new MessageClient({ connect: direct(CID) })
    for (const [message, remoteCode] of [
      [[ATTEST, 1, 2], 'BAD_NONCE'],
      [[ASK, 1, 2], 'NO_KEY'],
      [[9], 'UNKNOWN_MESSAGE'],
      [flipped(asked[0] as Uint8Array), 'NOT_SEALED_FOR_ME'],
    ] as const) {
      await expect(raw.request(Uint8Array.from(message))).rejects.toMatchObject({ remoteCode })
    }
  })

  it('a client takes no key of another image, another purpose or another curve', async () => {
    const attested = async (fields: object, image: typeof pcrs = pcrs): Promise<unknown> => {
      const parentsOwn: Mischief = (message) =>
        Promise.resolve(
          genuineDocument(authority, image, {
            ...{ nonce: message.subarray(1), userData: new TextEncoder().encode(PURPOSE) },
            ...fields,
          }),
        )
      await using parent = await ParentRelay.start(CID, parentsOwn)
      await using client = new ServiceClient(parent.connect)
      return client.attest(verifier).catch((error: unknown) => error)
    }
    const publicKey = new Uint8Array(91)
    const userData = new TextEncoder().encode('another purpose')
    expect(await attested({ publicKey, userData })).toMatchObject({
      code: 'ERR_ATTESTATION_USER_DATA',
    })
    expect(await attested({ publicKey }, { ...pcrs, 2: 'ff'.repeat(48) })).toMatchObject({
      code: 'ERR_ATTESTATION_PCR',
    })
    expect(await attested({ publicKey: new Uint8Array(44) })).toMatchObject({
      code: 'ERR_SERVICE_KEY',
    })
  })

  it('does not start under a policy that is not for it alone', async () => {
    const other = boot(OTHER_CID, 'ff'.repeat(48))
    await expect(other).rejects.toThrow('ERR_KMS_POLICY_PCR')
    const open = await kms.createKey({ keySpec: 'ECC_NIST_P256', keyUsage: 'KEY_AGREEMENT' })
    await kms.setKeyPolicy(open.arn, policyOf(false))
    const kept = keyArn
    keyArn = open.arn
    await expect(boot(OTHER_CID)).rejects.toThrow('ERR_KMS_POLICY_NOT_LOCKED')
    keyArn = kept
  })
})
