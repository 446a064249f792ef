// The parent instance in the hands of an attacker: it carries the messages between client and enclave and changes what it
// likes, and leads the enclave to a KMS of its own. It prints its TCP ports when it is ready: for messages, and for
// the web.
//
//   node --import @enclavejs/simulator/register/parent hostile-parent.ts KMS_PORT S3_PORT CID ATTACK [FILE]
import { generateKeyPairSync } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net'
import { decodeAttestationDocument } from '@enclavejs/attestation'
import { CREDENTIALS_PORT, ordinaryCredentials, serveCredentials } from '@enclavejs/kms-enclave'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
import { connect, listenVsock, MessageClient, serveMessages } from '@enclavejs/vsock'
import { startProxy } from '@enclavejs/vsock/proxy'

type Fields = Record<string, string>

const [kms = '', , cid = '', attack = '', file = ''] = process.argv.slice(2)
const client = new MessageClient({
  connect: ({ signal }) => connect({ cid: Number(cid), port: 5000, signal }),
})
const ownKey = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'der' })
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const bytesOf = (text = ''): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

/** What it does to the answers of the enclave, and to the questions of the client. */
const attacks: Record<
  string,
  {
    answer?: (answer: Fields, question: Fields) => Promise<Fields>
    question?: (q: Fields) => Fields
  }
> = {
  /** A genuine document, kept from before. */
  replay: {
    answer: async (answer) =>
      'document' in answer ? { document: base64(readFileSync(file)) } : answer,
  },
  /** The right PCRs, the right nonce, a key of its own; signed under a root of its own with the same names. */
  forge: {
    answer: async (answer, { nonce }) => {
      if (answer['document'] === undefined) return answer
      const { moduleId, pcrs, userData } = decodeAttestationDocument(bytesOf(answer['document']))
      const authority = await createCertificateAuthority()
      const timestamp = Date.now()
      const fields = { moduleId, timestamp, pcrs, nonce: bytesOf(nonce), publicKey: ownKey }
      const forged = { ...fields, ...(userData && { userData }) }
      return { document: base64(issueAttestationDocument(forged, authority.issueLeaf())) }
    },
  },
  /** The genuine, fresh document with the parent's key in the place of the enclave's. */
  key: {
    answer: async (answer) => {
      if (answer['document'] === undefined) return answer
      const document = Buffer.from(bytesOf(answer['document']))
      const { publicKey } = decodeAttestationDocument(document)
      document.set(ownKey, document.indexOf(publicKey ?? ''))
      return { document: base64(document) }
    },
  },
  /** One user's envelope in the place of another's. */
  envelope: {
    question: (question) =>
      question['ask'] === 'sign' ? { ...question, envelope: base64(readFileSync(file)) } : question,
  },
  /** Nothing on the messages: see below. */
  kms: {},
  listen: {},
  web: {},
}
const { answer: onAnswer, question: onQuestion } = attacks[attack] ?? {}
if (attacks[attack] === undefined) throw new TypeError(`unknown attack ${attack}`)

let kmsPort = Number(kms)
let webPort = 0
if (attack === 'web') {
  // A TLS server with a certificate for the enclave's name, from a CA of the attacker's.
  const rogue = await createSimulatedKms({
    accounts: [createSimulatedAccount()],
    attestationRoots: [(await createCertificateAuthority()).trustAnchor],
    hostNames: [file],
  })
  webPort = (rogue.address() as { port: number }).port
}
if (attack === 'kms') {
  // A KMS for the same host names, whose certificate is from a CA of the attacker's. It would take any document.
  const authority = await createCertificateAuthority()
  const rogue = await createSimulatedKms({
    accounts: [createSimulatedAccount()],
    attestationRoots: [authority.trustAnchor],
  })
  kmsPort = (rogue.address() as { port: number }).port
}
if (attack === 'listen') {
  // It writes down what the enclave and KMS say to each other.
  const tap = createServer((socket) => {
    const onward = connectTcp({ host: '127.0.0.1', port: Number(kms) })
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      from.on('data', (chunk: Buffer) => appendFileSync(file, chunk))
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  })
  await new Promise<void>((resolve) => tap.listen(0, '127.0.0.1', resolve))
  kmsPort = (tap.address() as AddressInfo).port
}
await startProxy({
  outbound: [{ listen: { port: 8000, anyCid: true }, to: { host: '127.0.0.1', port: kmsPort } }],
})
const credentials = serveCredentials(createServer(), ordinaryCredentials())
listenVsock(credentials, { port: CREDENTIALS_PORT })

const server = createServer()
serveMessages(server, async (message) => {
  const question = JSON.parse(Buffer.from(message).toString()) as Fields
  const sent = onQuestion?.(question) ?? question
  const response = await client.request(Buffer.from(JSON.stringify(sent)))
  if (attack === 'listen') appendFileSync(file, Buffer.concat([message, response]))
  const answer = JSON.parse(Buffer.from(response).toString()) as Fields
  return Buffer.from(JSON.stringify((await onAnswer?.(answer, question)) ?? answer))
})
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ ports: [(server.address() as AddressInfo).port, webPort] }))
})
