// The enclave: it makes an ECDSA key that never leaves it, attests it, and signs messages with it. When the enclave ends the key
// is gone; one that must outlive it is sealed under KMS, as in examples/kms-secret.
//
// Anyone who reaches the port gets signatures, the parent too. Who may have what signed is for the program to decide, by
// something that the parent cannot make up: here it is the form of the message alone.
import { generateKeyPairSync, sign } from 'node:crypto'
import { openNsm } from '@enclavejs/nsm'
import { createServer, MessageError, serveMessages } from '@enclavejs/vsock'
import { ATTEST, PURPOSE, SIGN, signedBytes } from './purpose.ts'

const PORT = 5000
const nsm = openNsm()
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const spki = publicKey.export({ type: 'spki', format: 'der' })

function attest(nonce: Uint8Array): Promise<Uint8Array> {
  if (nonce.length < 16 || nonce.length > 64) throw new MessageError('BAD_NONCE')
  const userData = new TextEncoder().encode(PURPOSE)
  return nsm.attestation({ nonce, publicKey: spki, userData })
}

/** Orders, as JSON, are what this signer signs. */
function signOrder(message: Uint8Array): Uint8Array {
  const { order, amount, ...rest } = parse(message)
  const isOrder = typeof order === 'string' && /^[\w-]{1,64}$/.test(order)
  if (!isOrder || !Number.isSafeInteger(amount) || Number(amount) < 1) {
    throw new MessageError('NO_ORDER')
  }
  if (Object.keys(rest).length > 0) throw new MessageError('UNKNOWN_FIELD')
  return sign('sha256', signedBytes(message), { key: privateKey, dsaEncoding: 'ieee-p1363' })
}

function parse(message: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(message)
    const value = JSON.parse(text) as Record<string, unknown>
    // One text for each value: no member twice, no other spelling.
    if (JSON.stringify(value) === text && text.startsWith('{')) return value
  } catch (cause) {
    throw new MessageError('NO_JSON', undefined, { cause })
  }
  throw new MessageError('NO_JSON')
}

const server = createServer()
const messages = serveMessages(
  server,
  (message) => {
    const body = message.subarray(1)
    if (message[0] === ATTEST) return attest(body)
    if (message[0] === SIGN) return signOrder(body)
    throw new MessageError('UNKNOWN_MESSAGE')
  },
  {
    // A document is a response too, and has up to 16 KiB.
    ...{ maxMessageLength: 16_384, maxConnections: 100, maxInFlight: 8 },
    ...{ readTimeout: 5000, handlerTimeout: 5000, writeTimeout: 5000, idleTimeout: 30_000 },
  },
)
server.listen({ port: PORT }, () => console.log(`signer listens on vsock port ${PORT}`))
process.once('SIGTERM', () => void messages.close({ deadline: 5000 }))
