import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EnclaveClient } from './client.ts'
import { CID, CONTEXT, envelopeOf, OTHER_CID, SECRET, type Genuine } from './genuine.ts'
import { buildImage, type Image } from './image.ts'
import type { Report } from './report.ts'
import { WebClient } from './web-client.ts'
import { BUCKET, HOST_NAME, type RunningParent, type World } from './world.ts'

const OPEN_POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'kms:*', Resource: '*' }],
})

/** What the parent can try: each attempt is made, and must fail for its own reason. */
export async function runAttacks(world: World, report: Report, genuine: Genuine): Promise<void> {
  await attackWithAnotherImage(world, report, genuine)
  await attackWithCredentials(world, report, genuine)
  await genuine.parent.program[Symbol.asyncDispose]()
  await attackOnTheWire(world, report, genuine)
}

async function attackWithAnotherImage(
  world: World,
  report: Report,
  { files, configuration, image, parent, ciphertext }: Genuine,
): Promise<void> {
  const { trustAnchor } = world.authority
  const port = Number(parent.ports['other'])
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
  await using client = new EnclaveClient(port, image.reference, trustAnchor)
  await report.refused(
    'attack-image',
    'It leads the Node client to that image',
    'ERR_ATTESTATION_PCR',
    () => client.ask('hello'),
  )
  await using accomplice = new EnclaveClient(port, other.reference, trustAnchor)
  await report.refused(
    'attack-image-kms',
    'That image asks KMS for the secret, with genuine documents',
    'AccessDeniedException',
    () => accomplice.secret(ciphertext),
  )
}

async function attackWithCredentials(
  world: World,
  report: Report,
  { parent, image, ciphertext, alice, oldBundle }: Genuine,
): Promise<void> {
  using thief = world.callerOfRole()
  await report.refused(
    'attack-credentials',
    'It asks KMS itself, with the credentials of its role',
    'AccessDeniedException',
    () => thief.decrypt(ciphertext, CONTEXT),
  )
  await report.refused(
    'attack-policy',
    'With the administrator’s credentials, it replaces the policy of the key',
    'AccessDeniedException',
    () => world.operator.putKeyPolicy({ json: OPEN_POLICY, bypassPolicyLockoutSafetyCheck: true }),
  )
  const { trustAnchor } = world.authority
  await using client = new EnclaveClient(
    ...([Number(parent.ports['node']), image.reference, trustAnchor] as const),
  )
  await report.refused(
    'attack-rollback',
    'It puts the web server’s old certificate back into the bucket',
    'ERR_ACM_ROLLBACK',
    () => {
      world.acm.putObject(BUCKET, `${HOST_NAME}.json`, oldBundle)
      return client.ask('refresh')
    },
  )
  await report.refused(
    'attack-envelope',
    'It puts Bob’s envelope in the place of Alice’s, and Alice wants a signature',
    'ERR_KMS_ENVELOPE_CONTEXT',
    () => {
      world.acm.putObject(BUCKET, 'alice.envelope', envelopeOf(world, 'bob'))
      return client.signs('alice', envelopeOf(world, 'alice'), alice)
    },
  )
}

/** A hostile parent stands between clients and enclave, and between enclave and KMS. */
async function attackOnTheWire(world: World, report: Report, genuine: Genuine): Promise<void> {
  const { image, ciphertext, browser } = genuine
  const log = join(world.folder, 'carried')
  writeFileSync(log, '')
  const start = (...more: readonly string[]): Promise<RunningParent> =>
    world.startParent('./hostile-parent.ts', String(CID), HOST_NAME, log, ...more)
  const { program, ports } = await report.step(
    'hostile',
    'Then on the wire: another parent takes its place, and is in the middle of everything.',
    async () => {
      const value = await start()
      const says = `process ${value.program.pid} carries for clients, enclave and KMS`
      return { says, value, data: { pid: value.program.pid } }
    },
  )
  const asNode = async <T>(
    port: number | undefined,
    run: (client: EnclaveClient) => Promise<T>,
  ): Promise<T> => {
    const { trustAnchor } = world.authority
    await using client = new EnclaveClient(Number(port), image.reference, trustAnchor)
    return await run(client)
  }
  const readsSecret = (client: EnclaveClient): Promise<Buffer> => client.secret(ciphertext)

  await report.held(
    'attack-listen',
    'It reads along while both clients get the secret',
    async () => {
      const read = [
        await asNode(ports['node'], readsSecret),
        await browser.secret(Number(ports['browser']), ciphertext),
      ]
      if (!read.every((one) => SECRET.equals(one))) throw new Error('another secret')
      const carried = readFileSync(log)
      if (carried.includes(SECRET) || carried.includes(SECRET.toString('base64'))) {
        throw new Error('the secret is in the bytes that the parent carried')
      }
      const { length } = carried
      return { says: `${length} bytes carried, the secret not among them`, bytes: length }
    },
  )
  await report.refused(
    'attack-middle',
    'It ends the Node client’s TLS itself, and passes on the enclave’s fresh document',
    'ERR_ATTESTED_TLS_KEY',
    () => asNode(ports['middle'], readsSecret),
  )
  await report.refused(
    'attack-replay',
    'It ends it again, and shows a document that the enclave gave before',
    'ERR_ATTESTATION_NONCE',
    () => asNode(ports['replay'], readsSecret),
  )
  await report.refused(
    'attack-forge',
    'It ends it again, and signs a document itself, under a root of the same name',
    'ERR_ATTESTATION_TRUST_ANCHOR',
    () => asNode(ports['forge'], readsSecret),
  )
  const asBrowser = (port: number | undefined) => browser.secret(Number(port), ciphertext)
  await report.refused(
    'attack-browser-key',
    'It puts its own HPKE key into the enclave’s document for the browser',
    'ERR_ATTESTATION_SIGNATURE',
    () => asBrowser(ports['key']),
  )
  await report.refused(
    'attack-browser-answer',
    'It changes one bit of the enclave’s sealed answer to the browser',
    'ERR_ATTESTED_TLS_SEALED_RESPONSE',
    () => asBrowser(ports['answer']),
  )
  await report.refused(
    'attack-browser-twice',
    'It sends the browser’s sealed request to the enclave twice, and passes on the second answer',
    'ERR_ATTESTED_TLS_SEALED_REFUSED',
    () => asBrowser(ports['twice']),
    'ERR_ATTESTED_TLS_SEALED_REPLAY',
  )
  await report.refused(
    'attack-web',
    'It answers on the web itself, with a certificate for the name from a CA of its own',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    async () => {
      using visitor = new WebClient(Number(ports['web']), HOST_NAME, world.acm.issuerRoot)
      return await visitor.get()
    },
  )
  await report.refused(
    'attack-kms',
    'It leads the enclave to a KMS of its own, with a certificate for the name',
    'ERR_KMS_TLS',
    async () => {
      await program[Symbol.asyncDispose]()
      return asNode((await start('false-kms')).ports['node'], readsSecret)
    },
  )
}
