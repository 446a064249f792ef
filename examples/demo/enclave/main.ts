// What runs in the enclave of the demo, and is what its image holds. It opens a secret that KMS gives to this image alone, and keeps
// signing keys in envelopes that the parent stores. Node clients come by TLS that ends here (vsock port 5000), browsers with
// requests that are sealed to a key of this process (port 5001).
//
// The argument is the configuration, as JSON. It is part of the image, and so measured: the parent cannot change it.
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { channelOf, serveAttested } from '@enclavejs/attested-tls/server'
import {
  createEnclaveKmsClient,
  openEnvelope,
  sealedEnvelope,
  verifyKeyPolicyOf,
} from '@enclavejs/kms-enclave'
import { openNsm } from '@enclavejs/nsm'
import { connect, createServer } from '@enclavejs/vsock'
import { answering, base64, bytes, QuestionError, type Answer, type Fields } from './answer.ts'
import { Web } from './web.ts'

interface Configuration {
  readonly keyArn: string
  /** PEM certificates in the place of Amazon's: the KMS is simulated. */
  readonly roots: readonly string[]
  readonly role: string
  readonly administrator: string
  /** Where its certificate lies, and the account that owns it. */
  readonly bucket: string
  readonly account: string
  readonly hostName: string
}

const configuration = JSON.parse(process.argv[2] ?? '{}') as Configuration
const { keyArn, roots, role, administrator } = configuration
const kms = createEnclaveKmsClient({ keyArn, roots, connectTimeout: 2000, deadline: 10_000 })
const nsm = openNsm()
const web = new Web(configuration.hostName, {
  bucket: configuration.bucket,
  key: `${configuration.hostName}.json`,
  expectedBucketOwner: configuration.account,
  ...{ keyArn, roots },
  // The parent has a port for each host.
  connect: (host, _port, { signal }) =>
    connect({ port: host.startsWith('kms.') ? 8000 : 8003, ...(signal && { signal }) }),
})

const answers: Readonly<Record<string, Answer>> = {
  /** How the question came. */
  hello: async (_fields, request) => ({ channel: channelOf(request) }),

  /** Who gets plaintext from the key, as KMS says to this enclave over its own TLS. */
  async policy() {
    const own = await Promise.all([0, 1, 2, 3].map((index) => nsm.describePcr(index)))
    const { access, locked, grants } = await verifyKeyPolicyOf(kms, {
      images: {
        label: 'this image',
        pcrs: Object.fromEntries(own.map(({ data }, index) => [index, data])),
      },
      enclaveRoles: [role],
      administrators: [administrator],
      encrypters: [administrator],
      locked: true,
    })
    return { access, locked, grants }
  },

  /** Opens the operator's secret for a client; the channel that it came by carries the answer. */
  async secret(fields) {
    const { Plaintext } = await kms.decrypt({
      CiphertextBlob: bytes(fields, 'ciphertext'),
      EncryptionContext: { purpose: 'secret' },
    })
    const secret = base64(Plaintext)
    Plaintext.fill(0)
    return { secret }
  },

  /** A signing key for a user, in an envelope that only this image opens. */
  async create(fields) {
    const pair = generateKeyPairSync('ed25519')
    const plaintext = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
    const envelope = await sealedEnvelope({
      generateDataKey: (input) => kms.generateDataKey(input),
      context: contextOf(fields),
      plaintext,
    })
    plaintext.fill(0)
    const verifyingKey = pair.publicKey.export({ type: 'spki', format: 'der' })
    return { envelope: base64(envelope), verifyingKey: base64(verifyingKey) }
  },

  async sign(fields) {
    const opened = await openEnvelope({
      decrypt: (input) => kms.decrypt(input),
      context: contextOf(fields),
      envelope: bytes(fields, 'envelope'),
    })
    const key = createPrivateKey({ key: Buffer.from(opened), format: 'der', type: 'pkcs8' })
    opened.fill(0)
    return { signature: base64(sign(null, bytes(fields, 'message'), key)) }
  },

  /** Makes a key for the web server, and asks for a certificate. */
  request: async () => ({ request: await web.request() }),

  /** Stores and serves what the CA answered. */
  publish: (fields) =>
    web.publish({
      certificate: String(fields['certificate']),
      certificateChain: String(fields['certificateChain']),
    }),

  refresh: () => web.refresh(),
}

const handler = answering(answers)
for (const [port, transport] of [
  [5000, 'tls'],
  [5001, 'sealed'],
] as const) {
  const listener = createServer()
  await serveAttested({ listener, handler, transport })
  await once(listener.listen({ port }), 'listening')
}
console.log('listening on vsock ports 5000 and 5001')

function contextOf(fields: Fields): Record<string, string> {
  const user = fields['user']
  if (typeof user !== 'string' || !/^[a-z]{1,32}$/.test(user)) throw new QuestionError('no user')
  return { purpose: 'signing key', user }
}
