// The enclave: it attests its key over a client's nonce, and echoes what clients seal to that key. The parent carries it all,
// and can read and change nothing of it unnoticed. Every message has a bound and a deadline.
import { generateKeyPairSync } from 'node:crypto'
import { openNsm } from '@enclavejs/nsm'
import { createServer, MessageError, serveMessages } from '@enclavejs/vsock'
import { ATTEST, ECHO, KEY_LENGTH, open, PURPOSE, seal } from './channel.ts'

const PORT = 5000
const nsm = openNsm()
const { privateKey, publicKey } = generateKeyPairSync('x25519')
const enclaveKey = publicKey.export({ type: 'spki', format: 'der' })

function attest(nonce: Uint8Array): Promise<Uint8Array> {
  if (nonce.length < 16 || nonce.length > 64) throw new MessageError('BAD_NONCE')
  const userData = new TextEncoder().encode(PURPOSE)
  return nsm.attestation({ nonce, publicKey: enclaveKey, userData })
}

function echo(body: Uint8Array): Uint8Array {
  const clientKey = body.subarray(0, KEY_LENGTH)
  const ends = { privateKey, enclaveKey, clientKey, side: 'enclave' } as const
  let question: Uint8Array
  try {
    question = open(ends, 'question', body.subarray(KEY_LENGTH))
  } catch (cause) {
    throw new MessageError('NOT_SEALED_FOR_ME', undefined, { cause })
  }
  return seal(ends, 'answer', question)
}

const server = createServer()
const messages = serveMessages(
  server,
  (message) => {
    const body = message.subarray(1)
    if (message[0] === ATTEST) return attest(body)
    if (message[0] === ECHO) return echo(body)
    throw new MessageError('UNKNOWN_MESSAGE')
  },
  {
    ...{ maxMessageLength: 65_536, maxConnections: 100, maxInFlight: 8 },
    ...{ readTimeout: 5000, handlerTimeout: 5000, writeTimeout: 5000, idleTimeout: 30_000 },
  },
)
server.listen({ port: PORT }, () => console.log(`attested-echo listens on vsock port ${PORT}`))
process.once('SIGTERM', () => void messages.close({ deadline: 5000 }))
