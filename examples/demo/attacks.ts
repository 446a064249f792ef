import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EnclaveClient } from './client.ts'
import { CID, CONTEXT, OTHER_CID, SECRET, type Genuine } from './genuine.ts'
import { buildImage, type Image } from './image.ts'
import type { Report } from './report.ts'
import { WebClient } from './web-client.ts'
import { BUCKET, HOST_NAME, type World } from './world.ts'

const OPEN_POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'kms:*', Resource: '*' }],
})

/** What the parent can try: each attempt is made, and must fail for its own reason. */
export async function runAttacks(world: World, report: Report, genuine: Genuine): Promise<void> {
  await attackWithAnotherImage(world, report, genuine)
  await attackWithCredentials(world, report, genuine)
  await genuine.parent[Symbol.asyncDispose]()
  await attackOnTheWire(world, report, genuine)
}

async function attackWithAnotherImage(
  world: World,
  report: Report,
  { files, configuration, image, otherPort, ciphertext }: Genuine,
): Promise<void> {
  const { trustAnchor } = world.authority
  const other: Image = await report.step(
    'attacks',
    'The parent attacks. First with an image of its own, in a genuine enclave.',
    async () => {
      const args = [configuration, 'back-door']
      const value = await buildImage(world.folder, 'back-door', files, args)
      await world.boot(OTHER_CID, value)
      const { pcrs } = value.reference
      return { says: `built and started: PCR0 ${pcrs[0].slice(0, 12)}…`, value, data: { pcrs } }
    },
  )
  await using client = new EnclaveClient(otherPort, image.reference, trustAnchor)
  await report.refused('attack-image', 'The client is led to it', 'ERR_ATTESTATION_PCR', () =>
    client.attest(),
  )
  await using accomplice = new EnclaveClient(otherPort, other.reference, trustAnchor)
  await report.refused(
    'attack-image-kms',
    'It asks KMS for the secret, with genuine documents',
    'AccessDeniedException',
    async () => accomplice.secret(ciphertext, await accomplice.attest()),
  )
}

async function attackWithCredentials(
  world: World,
  report: Report,
  { port, image, ciphertext, oldBundle }: Genuine,
): Promise<void> {
  using thief = world.callerOfRole()
  await report.refused(
    'attack-credentials',
    'The parent asks KMS itself, with the credentials of its role',
    'AccessDeniedException',
    () => thief.decrypt(ciphertext, CONTEXT),
  )
  await report.refused(
    'attack-policy',
    'With the administrator’s credentials, it replaces the policy of the key',
    'AccessDeniedException',
    () => world.operator.putKeyPolicy({ json: OPEN_POLICY, bypassPolicyLockoutSafetyCheck: true }),
  )
  await using client = new EnclaveClient(port, image.reference, world.authority.trustAnchor)
  await report.refused(
    'attack-rollback',
    'It puts the certificate of before back into the bucket',
    'ERR_ACM_ROLLBACK',
    () => {
      world.acm.putObject(BUCKET, `${HOST_NAME}.json`, oldBundle)
      return client.ask({ ask: 'refresh' })
    },
  )
}

/** Each with a hostile parent of its own, between client and enclave and between enclave and KMS. */
async function attackOnTheWire(
  world: World,
  report: Report,
  { image, attested, ciphertext, alice, bob }: Genuine,
): Promise<void> {
  const through = async (
    attack: readonly string[],
    run: (client: EnclaveClient, webPort: number) => Promise<unknown>,
  ): Promise<unknown> => {
    const { program, ports } = await world.startParent(
      ...(['./hostile-parent.ts', String(CID), ...attack] as const),
    )
    await using _program = program
    await using client = new EnclaveClient(
      ...([ports[0] ?? 0, image.reference, world.authority.trustAnchor] as const),
    )
    return await run(client, ports[1] ?? 0)
  }
  const file = (name: string, content: Uint8Array | string): string => {
    const path = join(world.folder, name)
    writeFileSync(path, content)
    return path
  }

  const log = file('carried', '')
  await report.held(
    'attack-listen',
    'It reads along while the client is given the secret',
    async () => {
      const opened = await through(['listen', log], (client) => client.secret(ciphertext, attested))
      if (!SECRET.equals(opened as Uint8Array)) throw new Error('another secret')
      const carried = readFileSync(log)
      if (carried.includes(SECRET) || carried.includes(SECRET.toString('base64'))) {
        throw new Error('the secret is in the bytes that the parent carried')
      }
      return {
        says: `${carried.length} bytes carried, the secret not among them`,
        bytes: carried.length,
      }
    },
  )
  await report.refused(
    'attack-replay',
    'It answers with a genuine document of before',
    'ERR_ATTESTATION_NONCE',
    () => through(['replay', file('document', attested.document)], (client) => client.attest()),
  )
  await report.refused(
    'attack-forge',
    'It signs a document itself, under a root of the same name',
    'ERR_ATTESTATION_TRUST_ANCHOR',
    () => through(['forge'], (client) => client.attest()),
  )
  await report.refused(
    'attack-key',
    'It puts its own key into the genuine document',
    'ERR_ATTESTATION_SIGNATURE',
    () => through(['key'], (client) => client.attest()),
  )
  await report.refused(
    'attack-kms',
    'It leads the enclave to a KMS of its own, with a certificate for the name',
    'ERR_KMS_TLS',
    () => through(['kms'], (client) => client.secret(ciphertext, attested)),
  )
  await report.refused(
    'attack-envelope',
    'It gives the enclave Bob’s envelope where Alice is to sign',
    'ERR_KMS_ENVELOPE_CONTEXT',
    () => {
      const envelope = Buffer.from(bob['envelope'] ?? '', 'base64')
      return through(['envelope', file('bob', envelope)], (client) => client.signs('alice', alice))
    },
  )
  await report.refused(
    'attack-web',
    'It answers on the web itself, with a certificate for the name from a CA of its own',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    () =>
      through(['web', HOST_NAME], async (_client, port) => {
        using visitor = new WebClient(port, HOST_NAME, world.acm.issuerRoot)
        return await visitor.get()
      }),
  )
}
