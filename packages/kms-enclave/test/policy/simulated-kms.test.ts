// Created policies at a KMS that decides by its own reading of them: the simulator's, over HTTPS, with real documents.
import { Agent } from 'node:https'
import type { Duplex } from 'node:stream'
import { connect as tlsConnect } from 'node:tls'
import { callbackify } from 'node:util'
import {
  CreateGrantCommand,
  CreateKeyCommand,
  DecryptCommand,
  KMSClient,
  PutKeyPolicyCommand,
  ReEncryptCommand,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
import type { SimulatedAccount, SimulatedKms } from '@enclavejs/simulator/kms'
import { createKmsClient, type GetEvidence, type KmsClient } from '@enclavejs/kms-enclave'
import {
  createKeyPolicy,
  explain,
  verifyKeyPolicy,
  type CreateKeyPolicyOptions,
} from '@enclavejs/kms-enclave/policy'
import {
  ENCLAVE,
  expectedOf,
  image,
  KEEPER,
  OPTIONS,
  pcr,
  ROOT,
  type LoosePolicy,
} from './fixture.ts'

let account: SimulatedAccount
let kms: SimulatedKms
let evidenceOf: (pcrs: object) => GetEvidence
const open: { close(): unknown }[] = []

beforeAll(async () => {
  const authority = await createCertificateAuthority()
  account = createSimulatedAccount()
  const attestationRoots = [authority.trustAnchor]
  kms = await createSimulatedKms({ accounts: [account], attestationRoots })
  evidenceOf =
    (pcrs) =>
    async ({ publicKey }) =>
      issueAttestationDocument(
        {
          moduleId: authority.moduleId,
          timestamp: authority.now().getTime(),
          pcrs: new Map(
            Object.entries(pcrs).map(([index, hex]) => [
              Number(index),
              new Uint8Array(Buffer.from(hex as string, 'hex')),
            ]),
          ),
          publicKey,
        },
        authority.issueLeaf(),
      )
})
afterAll(async () => {
  for (const one of open) await one.close()
  await kms.close()
})

/** An enclave whose documents have these PCRs, with the credentials of a role. */
function enclave(keyArn: string, pcrs: object, role = 'enclave'): KmsClient {
  const client = createKmsClient({
    keyArn,
    connect: kms.connect.bind(kms),
    credentials: account.issueCredentials({ role }),
    getEvidence: evidenceOf(pcrs),
    roots: [kms.ca],
  })
  open.push(client)
  return client
}

/** AWS's own client: calls without a document. */
function outside(role: string): KMSClient {
  const servername = `kms.${kms.region}.amazonaws.com`
  const agent = new Agent({ keepAlive: true, ca: kms.ca, servername })
  agent.createConnection = (_options, done) => {
    const open = async (): Promise<Duplex> =>
      tlsConnect({ socket: await kms.connect(servername, 443, {}), servername, ca: kms.ca })
    callbackify(open)((error, socket) => done?.(error, socket))
    return undefined as unknown as Duplex
  }
  const client = new KMSClient({
    region: kms.region,
    credentials: account.issueCredentials({ role }),
    maxAttempts: 1,
    requestHandler: { httpsAgent: agent, requestTimeout: 20_000 },
  })
  open.push({ close: () => client.destroy() })
  return client
}

const EncryptionContext = { purpose: 'test' }
const Plaintext = new TextEncoder().encode('a secret')
const [ONE, TWO] = [image(1).pcrs, image(2).pcrs]

async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'done'
  } catch (error) {
    const { kmsCode, name } = error as { kmsCode?: string; name: string }
    return kmsCode ?? name
  }
}

/** Who gets the plaintext of a blob under a key. */
async function decrypting(arn: string, pcrs: object, role = 'enclave'): Promise<string> {
  const { CiphertextBlob } = await enclave(arn, {}).encrypt({ Plaintext, EncryptionContext })
  return outcome(enclave(arn, pcrs, role).decrypt({ CiphertextBlob, EncryptionContext }))
}

async function keyWith(options: CreateKeyPolicyOptions, ...more: object[]): Promise<string> {
  const policy = JSON.parse(createKeyPolicy(options).json) as LoosePolicy
  policy.Statement.push(...(more as LoosePolicy['Statement']))
  return (await kms.createKey({ policy: JSON.stringify(policy) })).arn
}

const DEFAULT = { Effect: 'Allow', Principal: { AWS: ROOT }, Action: 'kms:*', Resource: '*' }

describe('at the simulated KMS', () => {
  it('both images decrypt; a mixed set, a foreign image, debug mode and another role do not', async () => {
    const arn = await keyWith(OPTIONS)
    expect(await decrypting(arn, ONE)).toBe('done')
    expect(await decrypting(arn, TWO)).toBe('done')
    const zero = { 0: '0'.repeat(96), 1: '0'.repeat(96), 2: '0'.repeat(96) }
    const wrong = [{ ...ONE, 1: TWO[1] }, { ...ONE, 2: pcr(999) }, zero, { 0: ONE[0] }]
    for (const pcrs of wrong) expect(await decrypting(arn, pcrs)).toBe('AccessDeniedException')
    expect(await decrypting(arn, ONE, 'keeper')).toBe('AccessDeniedException')
  })

  it('nobody gets it without a document, nor by a way around', async () => {
    const arn = await keyWith(OPTIONS)
    const other = (await kms.createKey()).arn
    const { CiphertextBlob } = await enclave(arn, {}).encrypt({ Plaintext, EncryptionContext })
    for (const role of ['enclave', 'keeper']) {
      const client = outside(role)
      const attempts = [
        new DecryptCommand({ CiphertextBlob, EncryptionContext }),
        new ReEncryptCommand({
          CiphertextBlob,
          SourceEncryptionContext: EncryptionContext,
          DestinationKeyId: other,
        }),
        new CreateGrantCommand({
          KeyId: arn,
          GranteePrincipal: KEEPER,
          Operations: ['Decrypt'],
        }),
        new PutKeyPolicyCommand({
          KeyId: arn,
          Policy: JSON.stringify({ Version: '2012-10-17', Statement: [DEFAULT] }),
          BypassPolicyLockoutSafetyCheck: true,
        }),
      ]
      for (const attempt of attempts) {
        expect(await outcome(client.send(attempt as never))).toBe('AccessDeniedException')
      }
    }
  })

  it('each Deny stops what the default statement would let through', async () => {
    const single = { ...OPTIONS, images: image(1, [0, 1, 2, 8]) }
    const right = single.images.pcrs as Record<number, string>
    const arn = await keyWith(single, DEFAULT)
    expect(await decrypting(arn, right, 'keeper')).toBe('done')
    for (const index of [0, 1, 2, 8]) {
      const wrong = { ...right, [index]: pcr(999) }
      expect(await decrypting(arn, wrong, 'keeper')).toBe('AccessDeniedException')
      const policy = JSON.parse(createKeyPolicy(single).json) as LoosePolicy
      const kept = policy.Statement.filter(({ Sid }) => Sid !== `DenyOtherPcr${index}`)
      const Statement = [...kept, DEFAULT]
      const without = await kms.createKey({ policy: JSON.stringify({ ...policy, Statement }) })
      expect(await decrypting(without.arn, wrong, 'keeper')).toBe('done')
    }
  })

  it('CreateKey takes a locked policy with the bypass only, and the other kind from who may replace it', async () => {
    const create = (options: CreateKeyPolicyOptions, bypass: boolean) =>
      outcome(
        outside('keeper').send(
          new CreateKeyCommand({
            Policy: createKeyPolicy(options).json,
            BypassPolicyLockoutSafetyCheck: bypass,
          }),
        ),
      )
    expect(createKeyPolicy(OPTIONS).bypassPolicyLockoutSafetyCheck).toBe(true)
    expect(await create(OPTIONS, true)).toBe('done')
    expect(await create(OPTIONS, false)).toBe('MalformedPolicyDocumentException')
    expect(await create({ ...OPTIONS, locked: false }, false)).toBe('done')
  })

  it('verifyKeyPolicy takes what the client reads, and explain says why a call was denied', async () => {
    const keyArn = await keyWith(OPTIONS)
    const client = enclave(keyArn, ONE)
    const currentDate = new Date()
    const { Policy: policy } = await client.getKeyPolicy()
    const { KeyMetadata: key } = await client.describeKey()
    const grants = await client.listGrants()
    const expected = { ...expectedOf(OPTIONS), keyArn }
    const verified = verifyKeyPolicy({ policy, key, grants, expected, currentDate })
    expect(verified).toMatchObject({ keyArn, at: currentDate, locked: true, grants: 0 })
    const pcrs = { ...ONE, 2: TWO[2] } as Record<number, string>
    expect(await decrypting(keyArn, pcrs)).toBe('AccessDeniedException')
    const why = explain({
      policy,
      pcrs,
      roleArn: ENCLAVE,
      keyArn,
      region: kms.region,
      action: 'Decrypt',
    })
    expect(why.verdict).toBe('denied')
    expect(why.mismatches).toEqual([
      {
        kind: 'pcr',
        statement: 'AllowImage1',
        effect: 'Allow',
        pcr: 2,
        expected: [ONE[2]],
        actual: TWO[2],
      },
    ])
  })

  it('a grant that was made before the policy is seen, and denied all the same', async () => {
    const { arn } = await kms.createKey()
    const Operations = ['Decrypt'] as const
    await outside('keeper').send(
      new CreateGrantCommand({ KeyId: arn, GranteePrincipal: KEEPER, Operations: [...Operations] }),
    )
    await kms.setKeyPolicy(arn, createKeyPolicy(OPTIONS).json)
    const client = enclave(arn, ONE)
    const { Policy: policy } = await client.getKeyPolicy()
    const { KeyMetadata: key } = await client.describeKey()
    const grants = await client.listGrants()
    const expected = { ...expectedOf(OPTIONS), keyArn: arn }
    expect(() => verifyKeyPolicy({ policy, key, grants, expected })).toThrow(
      expect.objectContaining({ code: 'ERR_KMS_POLICY_GRANT' }) as Error,
    )
    const { CiphertextBlob } = await client.encrypt({ Plaintext, EncryptionContext })
    const attempt = new DecryptCommand({ CiphertextBlob, EncryptionContext })
    expect(await outcome(outside('keeper').send(attempt))).toBe('AccessDeniedException')
  })
})
