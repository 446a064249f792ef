// What runs in the enclave of the demo, and is what its image holds. It answers messages on vsock port 5000: it attests its key,
// opens a secret that KMS gives to this image alone, and keeps signing keys in envelopes that the parent stores.
//
// The argument is the configuration, as JSON. It is part of the image, and so measured: the parent cannot change it.
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { AcmError } from '@enclavejs/acm-enclave'
import {
  createEnclaveKmsClient,
  KmsError,
  KmsServiceError,
  openEnvelope,
  sealedEnvelope,
  verifyKeyPolicyOf,
} from '@enclavejs/kms-enclave'
import { openNsm } from '@enclavejs/nsm'
import { connect, createServer, MessageError, serveMessages } from '@enclavejs/vsock'
import { PURPOSE, seal } from './sealed.ts'
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

type Fields = Readonly<Record<string, unknown>>

const configuration = JSON.parse(process.argv[2] ?? '{}') as Configuration
const { keyArn, roots, role, administrator } = configuration
const kms = createEnclaveKmsClient({ keyArn, roots, connectTimeout: 2000, deadline: 10_000 })
const { privateKey, publicKey } = generateKeyPairSync('x25519')
const enclaveKey = publicKey.export({ type: 'spki', format: 'der' })
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

const answers: Readonly<Record<string, (fields: Fields) => Promise<object>>> = {
  async attest(fields) {
    const nonce = bytes(fields, 'nonce')
    const userData = new TextEncoder().encode(PURPOSE)
    return { document: base64(await nsm.attestation({ nonce, publicKey: enclaveKey, userData })) }
  },

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

  /** Opens the operator's secret and gives it to the client, who alone can read it. */
  async secret(fields) {
    const clientKey = bytes(fields, 'clientKey')
    const { Plaintext } = await kms.decrypt({
      CiphertextBlob: bytes(fields, 'ciphertext'),
      EncryptionContext: { purpose: 'secret' },
    })
    const sealed = seal({ privateKey, publicKey: clientKey, enclaveKey, clientKey }, Plaintext)
    Plaintext.fill(0)
    return { sealed: base64(sealed) }
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

const server = createServer()
serveMessages(server, async (message) => {
  const fields = JSON.parse(new TextDecoder().decode(message)) as Fields
  const answer = Object.hasOwn(answers, String(fields['ask'])) && answers[String(fields['ask'])]
  if (!answer) throw new MessageError('UNKNOWN_QUESTION')
  return new TextEncoder().encode(JSON.stringify(await answer(fields).catch(refusal)))
})
server.listen({ port: 5000 }, () => console.log('listening on vsock port 5000'))

/** What a client is told of an error: its codes, and KMS's words for people. */
function refusal(error: unknown): object {
  if (!(error instanceof KmsError || error instanceof AcmError)) throw error
  const { code, message } = error
  const kmsCode = error instanceof KmsServiceError ? error.kmsCode : undefined
  return { refused: { code, kmsCode, message } }
}

function contextOf(fields: Fields): Record<string, string> {
  const user = fields['user']
  if (typeof user !== 'string' || !/^[a-z]{1,32}$/.test(user)) throw new MessageError('BAD_USER')
  return { purpose: 'signing key', user }
}

function bytes(fields: Fields, name: string): Uint8Array {
  const text = fields[name]
  if (typeof text !== 'string' || text.length > 65_536) throw new MessageError('BAD_REQUEST')
  return new Uint8Array(Buffer.from(text, 'base64'))
}

function base64(data: Uint8Array): string {
  return Buffer.from(data).toString('base64')
}
