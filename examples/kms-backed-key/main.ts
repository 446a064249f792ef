// A service whose key outlives it: the private key is in KMS and never leaves it, and KMS agrees secrets with it for this
// image alone. Clients seal questions to the public key, today or next month; whichever enclave of the image is up answers.
//
// KMS is called from in here, over TLS that ends in here. A parent that calls KMS itself could make up every answer of it.
//
// The one argument is the configuration, as JSON. It is part of the image, and so measured.
import { createEnclaveKmsClient, createVsockCredentials } from '@enclavejs/kms-enclave'
import { verifyKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { openNsm } from '@enclavejs/nsm'
import { connect, createServer, MessageError, serveMessages } from '@enclavejs/vsock'
import { ASK, ATTEST, PURPOSE } from './purpose.ts'
import { KEY_LENGTH, open, seal } from './sealed.ts'

interface Configuration {
  /** A key of ECC_NIST_P256 for KEY_AGREEMENT, whose locked policy names this image. */
  readonly keyArn: string
  readonly enclaveRole: string
  readonly administrator: string
  /** 3 on Nitro, 2 on other hypervisors. */
  readonly parentCid?: number
  /** PEM certificates in the place of Amazon's; for a simulator. */
  readonly roots?: readonly string[]
}

const configuration = JSON.parse(process.argv[2] ?? '{}') as Configuration
const { keyArn, enclaveRole, administrator, parentCid = 3, roots } = configuration
const nsm = openNsm()
const kms = createEnclaveKmsClient({
  keyArn,
  ...(roots === undefined ? {} : { roots }),
  connect: (_host, _port, { signal }) =>
    connect({ cid: parentCid, port: 8000, ...(signal && { signal }) }),
  credentials: createVsockCredentials({
    connect: ({ signal }) => connect({ cid: parentCid, port: 8002, signal }),
  }),
})

/** Serves under no key that others could use too, now or later: the policy must be locked, and name this image alone. */
async function verifiedKey(): Promise<Uint8Array> {
  const own = await Promise.all([0, 1, 2].map((index) => nsm.describePcr(index)))
  const [pcr0, pcr1, pcr2] = own.map(({ data }) => data) as [Uint8Array, Uint8Array, Uint8Array]
  const { Policy: policy } = await kms.getKeyPolicy()
  const { KeyMetadata: key } = await kms.describeKey()
  const grants = await kms.listGrants()
  verifyKeyPolicy({
    ...{ policy, key, grants },
    expected: {
      keyArn,
      images: { pcrs: { 0: pcr0, 1: pcr1, 2: pcr2 } },
      enclaveRoles: [enclaveRole],
      administrators: [administrator],
      locked: true,
    },
  })
  const { PublicKey, KeySpec, KeyUsage } = await kms.getPublicKey()
  if (KeySpec !== 'ECC_NIST_P256' || KeyUsage !== 'KEY_AGREEMENT') {
    throw new Error(`${keyArn} is ${KeySpec} for ${KeyUsage}`)
  }
  return PublicKey
}

const serviceKey = await verifiedKey()

function attest(nonce: Uint8Array): Promise<Uint8Array> {
  if (nonce.length < 16 || nonce.length > 64) throw new MessageError('BAD_NONCE')
  const userData = new TextEncoder().encode(PURPOSE)
  return nsm.attestation({ nonce, publicKey: serviceKey, userData })
}

async function ask(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  const clientKey = body.subarray(0, KEY_LENGTH)
  if (clientKey.length < KEY_LENGTH) throw new MessageError('NO_KEY')
  const { SharedSecret: secret } = await kms.deriveSharedSecret(
    { PublicKey: clientKey },
    { signal },
  )
  const agreement = { serviceKey, clientKey, secret }
  try {
    const question = open(agreement, 'question', body.subarray(KEY_LENGTH))
    return seal(agreement, 'answer', answer(question))
  } catch (cause) {
    throw new MessageError('NOT_SEALED_FOR_ME', undefined, { cause })
  } finally {
    secret.fill(0)
  }
}

/** What the service is for: the mean of numbers that nobody else sees. */
function answer(question: Uint8Array): Uint8Array {
  const values = JSON.parse(new TextDecoder().decode(question)) as unknown
  const numbers = Array.isArray(values) ? values.filter(Number.isFinite).map(Number) : []
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length
  return new TextEncoder().encode(JSON.stringify({ count: numbers.length, mean }))
}

const server = createServer()
const messages = serveMessages(
  server,
  (message, { signal }) => {
    const body = message.subarray(1)
    if (message[0] === ATTEST) return attest(body)
    if (message[0] === ASK) return ask(body, signal)
    throw new MessageError('UNKNOWN_MESSAGE')
  },
  {
    ...{ maxMessageLength: 65_536, maxConnections: 100, maxInFlight: 8 },
    ...{ readTimeout: 5000, handlerTimeout: 15_000, writeTimeout: 5000, idleTimeout: 30_000 },
  },
)
server.listen({ port: 5000 }, () => console.log('kms-backed-key listens on vsock port 5000'))
process.once('SIGTERM', () => void messages.close({ deadline: 5000 }).then(() => kms.close()))
