import { computeRolePcr } from '@enclavejs/attestation'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { EnclaveClient, type Answer, type Attested } from './client.ts'
import { buildImage, findBootFiles, type BootFiles, type Image } from './image.ts'
import type { Program } from './program.ts'
import type { Report } from './report.ts'
import { WebClient } from './web-client.ts'
import { BUCKET, HOST_NAME, type World } from './world.ts'

/** The CID of the enclave, and of the one that the parent starts for itself. */
export const CID = 16
export const OTHER_CID = 17
/** The encryption context of the operator's secret. */
export const CONTEXT: Readonly<Record<string, string>> = { purpose: 'secret' }
export const SECRET: Buffer = Buffer.from('correct horse battery staple')

/** What the genuine part leaves for the attacks. */
export interface Genuine {
  readonly files: BootFiles
  /** The arguments of the image. */
  readonly configuration: string
  readonly image: Image
  readonly parent: Program
  /** TCP port of the parent that leads to the enclave. */
  readonly port: number
  /** TCP port of the parent that leads to the enclave at {@link OTHER_CID}. */
  readonly otherPort: number
  readonly attested: Attested
  readonly ciphertext: Uint8Array
  readonly alice: Answer
  readonly bob: Answer
  /** The certificate's bundle of before its renewal. */
  readonly oldBundle: Uint8Array
}

/** From an image to its secret, step by step. */
export async function runGenuine(
  world: World,
  report: Report,
  kernel: string | undefined,
): Promise<Genuine> {
  const { folder, keyArn, kms, acm, role, administrator, operator } = world
  const configuration = JSON.stringify({
    ...{ keyArn, roots: [kms.ca, acm.ca], role, administrator },
    ...{ bucket: BUCKET, account: world.account.accountId, hostName: HOST_NAME },
  })
  const files = findBootFiles(folder, kernel)
  const image = await report.step(
    'build',
    'The operator builds an enclave image of examples/demo/enclave, Node and its packages.',
    async () => {
      const value = await buildImage(folder, 'shop-1.4', files, [configuration])
      const { size, packages } = value
      const megabytes = (size / 1e6).toFixed(0)
      return {
        says: `shop-1.4.eif, ${megabytes} MB with ${packages} packages; ${files.says}`,
        value,
        data: { size, packages },
      }
    },
  )

  await report.step(
    'policy',
    'The measurements become the policy of a KMS key, which nobody can replace any more.',
    async () => {
      const { pcrs } = image.reference
      const policy = createKeyPolicy({
        account: world.account.accountId,
        images: {
          label: image.label,
          pcrs: { 0: pcrs[0], 1: pcrs[1], 2: pcrs[2], 3: await computeRolePcr(role) },
        },
        enclaveRoles: [role],
        administrators: [administrator],
        encrypters: [administrator],
        locked: true,
      })
      await operator.putKeyPolicy(policy)
      return {
        says: `PCR0 ${pcrs[0].slice(0, 12)}…, PCR1, PCR2 and the parent’s role; put by the AWS SDK`,
        value: undefined,
        data: { keyArn, pcrs, statements: policy.policy.Statement.length },
      }
    },
  )
  const ciphertext = await operator.encrypt(SECRET, CONTEXT)

  const { parent, port, otherPort, webPort } = await report.step(
    'start',
    'The parent starts the proxy, the credentials of its role, and the enclave.',
    async () => {
      const { program, ports } = await world.startParent(
        ...(['./parent.ts', String(CID), String(OTHER_CID)] as const),
      )
      const enclave = await world.boot(CID, image)
      const [first = 0, second = 0, web = 0] = ports
      return {
        says: `parent and enclave are processes ${program.pid} and ${enclave.pid}; 127.0.0.1:${first} leads to the enclave’s vsock port 5000`,
        value: { parent: program, port: first, otherPort: second, webPort: web },
        data: { port: first, folder, pid: [program.pid, enclave.pid] },
      }
    },
  )

  await using client = new EnclaveClient(port, image.reference, world.authority.trustAnchor)
  const attested = await report.step(
    'attest',
    'A client asks the enclave for a document over its nonce, and verifies it.',
    async () => {
      const value = await client.attest()
      const begin = performance.now()
      await client.attest()
      const again = (performance.now() - begin).toFixed(0)
      const { referenceLabel, moduleId } = value.result
      if (referenceLabel !== 'shop-1.4') throw new Error(`another image: ${referenceLabel}`)
      return {
        says: `accepted: image ${referenceLabel} in ${moduleId}, and its key is known; ${again} ms the second time`,
        value,
        data: { image: referenceLabel, moduleId, bytes: value.document.length },
      }
    },
  )

  await report.step(
    'key-policy',
    'The enclave asks KMS who can use the key, over TLS that ends in the enclave.',
    async () => {
      const { access, locked } = await client.keyPolicy()
      const holders = new Set(access.flatMap(({ images }) => images))
      if (!locked || [...holders].join() !== 'this image') throw new Error('others can use it')
      const actions = access.map(({ action }) => action).join(', ')
      return {
        says: `locked, and ${actions} for this image alone`,
        value: undefined,
        data: { access },
      }
    },
  )

  await report.step(
    'secret',
    'The enclave decrypts the operator’s secret under the policy, and seals it for the client.',
    async () => {
      const opened = await client.secret(ciphertext, attested)
      if (!SECRET.equals(opened)) throw new Error('another secret')
      return { says: `the client reads “${Buffer.from(opened).toString()}”`, value: undefined }
    },
  )

  const envelopes = await report.step(
    'envelope',
    'It makes signing keys for two users, in envelopes that the parent stores.',
    async () => {
      const alice = await client.ask({ ask: 'create', user: 'alice' })
      const bob = await client.ask({ ask: 'create', user: 'bob' })
      for (const [user, envelope] of Object.entries({ alice, bob })) {
        if (!(await client.signs(user, envelope))) throw new Error(`no signature of ${user}`)
      }
      const { length } = Buffer.from(alice['envelope'] ?? '', 'base64')
      return { says: `opened again to sign; ${length} bytes each`, value: { alice, bob } }
    },
  )

  using visitor = new WebClient(webPort, HOST_NAME, acm.issuerRoot)
  const publish = async (): Promise<Answer> => {
    const { request = '' } = await client.ask({ ask: 'request' })
    return client.ask({ ask: 'publish', ...(await acm.answerRequest(request)) })
  }
  const firstSerial = await report.step(
    'web',
    'It makes a key for HTTPS, a CA answers its request, and it serves behind the parent’s proxy.',
    async () => {
      const { serialNumber = '' } = await publish()
      const page = await visitor.get()
      if (page.serialNumber !== serialNumber) throw new Error('another certificate')
      return {
        says: `https://${HOST_NAME} says “${page.body}”; certificate ${serialNumber.slice(0, 8)}…, its key under the same policy in S3`,
        value: serialNumber,
        data: { serialNumber },
      }
    },
  )

  const oldBundle = acm.getObject(BUCKET, `${HOST_NAME}.json`) ?? new Uint8Array()
  await report.step('renewal', 'The certificate is renewed, with a new key.', async () => {
    const { serialNumber = '' } = await publish()
    const kept = await visitor.get()
    using other = new WebClient(webPort, HOST_NAME, acm.issuerRoot)
    const page = await other.get()
    if (!kept.reused || kept.serialNumber !== firstSerial) throw new Error('a connection broke')
    if (page.serialNumber !== serialNumber || serialNumber === firstSerial) {
      throw new Error('the certificate is the old one')
    }
    return {
      says: `new connections see ${serialNumber.slice(0, 8)}…, and the open one went on`,
      value: undefined,
      data: { serialNumber },
    }
  })
  const attackable = { ...envelopes, oldBundle }
  return {
    files,
    configuration,
    image,
    parent,
    port,
    otherPort,
    attested,
    ciphertext,
    ...attackable,
  }
}
