import { computeRolePcr } from '@enclavejs/attestation'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import type { Browser } from './browser.ts'
import { EnclaveClient, type Answer } from './client.ts'
import { buildImage, findBootFiles, type BootFiles, type Image } from './image.ts'
import type { Report } from './report.ts'
import { WebClient } from './web-client.ts'
import { BUCKET, HOST_NAME, type RunningParent, type World } from './world.ts'

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
  readonly parent: RunningParent
  readonly browser: Browser
  readonly ciphertext: Uint8Array
  /** With what Alice's signatures are verified. */
  readonly alice: string
  /** The certificate's bundle of before its renewal. */
  readonly oldBundle: Uint8Array
}

/** A user's signing key, as the parent keeps it. */
export function envelopeOf({ acm }: World, user: string): Uint8Array {
  return acm.getObject(BUCKET, `${user}.envelope`) ?? new Uint8Array()
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

  const parent = await report.step(
    'start',
    'The parent starts the proxy, the credentials of its role, and the enclave.',
    async () => {
      const value = await world.startParent('./parent.ts', String(CID), String(OTHER_CID))
      const enclave = await world.boot(CID, image)
      const { program, ports } = value
      return {
        says: `parent and enclave are processes ${program.pid} and ${enclave.pid}; 127.0.0.1:${ports['node']} leads to the enclave’s vsock port 5000`,
        value,
        data: { ports, folder, pid: [program.pid, enclave.pid] },
      }
    },
  )

  const { trustAnchor } = world.authority
  const [nodePort, browserPort] = [Number(parent.ports['node']), Number(parent.ports['browser'])]
  await using client = new EnclaveClient(nodePort, image.reference, trustAnchor)
  await report.step(
    'attest-node',
    'A Node client connects: TLS ends in the enclave, whose document names the connection’s key.',
    async () => {
      const { channel } = await client.ask('hello')
      // undici may open a second connection for it, which is attested as well.
      await client.ask('hello')
      const begin = performance.now()
      await client.ask('hello')
      const again = (performance.now() - begin).toFixed(0)
      const [result] = client.attested
      if (result?.referenceLabel !== 'shop-1.4') {
        throw new Error(`another image: ${result?.referenceLabel}`)
      }
      if (channel !== 'tls') throw new Error('TLS ends elsewhere')
      const { moduleId } = result
      return {
        says: `accepted before the first request: image shop-1.4 in ${moduleId}; a further one takes ${again} ms`,
        value: undefined,
        data: { image: 'shop-1.4', moduleId },
      }
    },
  )

  const browser = await report.step(
    'attest-browser',
    'A browser, which cannot see who ends its TLS, seals its requests to a key in a document.',
    async () => {
      const value = await world.openBrowser(image.reference)
      const { image: accepted, answer } = await value.ask(browserPort, 'hello')
      if (accepted !== 'shop-1.4') throw new Error(`another image: ${accepted}`)
      if (answer['channel'] !== 'sealed') throw new Error('the request came in the clear')
      const { pid } = value.program
      return {
        says: `accepted: image ${accepted}; process ${pid} has fetch and WebCrypto, and no module of Node`,
        value,
        data: { image: accepted, pid },
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
    'The enclave decrypts the operator’s secret under the policy, for both clients.',
    async () => {
      const read = [await client.secret(ciphertext), await browser.secret(browserPort, ciphertext)]
      if (!read.every((one) => SECRET.equals(one))) throw new Error('another secret')
      return { says: `both read “${read[0]?.toString()}”`, value: undefined }
    },
  )

  const alice = await report.step(
    'envelope',
    'The enclave makes signing keys for two users, in envelopes that the parent keeps in its bucket.',
    async () => {
      const keys: string[] = []
      for (const user of ['alice', 'bob']) {
        const { envelope = '', verifyingKey = '' } = await client.ask('create', { user })
        acm.putObject(BUCKET, `${user}.envelope`, Buffer.from(envelope, 'base64'))
        if (!(await client.signs(user, envelopeOf(world, user), verifyingKey))) {
          throw new Error(`no signature of ${user}`)
        }
        keys.push(verifyingKey)
      }
      const { length } = envelopeOf(world, 'alice')
      return { says: `opened again to sign; ${length} bytes each`, value: keys[0] ?? '' }
    },
  )

  const webPort = Number(parent.ports['web'])
  using visitor = new WebClient(webPort, HOST_NAME, acm.issuerRoot)
  const publish = async (): Promise<Answer> => {
    const { request = '' } = await client.ask('request')
    return client.ask('publish', { ...(await acm.answerRequest(request)) })
  }
  const firstSerial = await report.step(
    'web',
    'The enclave makes a key for HTTPS, a CA answers its request, and it serves behind the parent’s proxy.',
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
  return { files, configuration, image, parent, browser, ciphertext, alice, oldBundle }
}
