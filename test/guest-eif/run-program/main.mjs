// What test/guest-eif/run-command.ts runs in an enclave: a document for a nonce, an echo, and a log.
import { openNsm } from '@enclavejs/nsm'
import { createServer, serveMessages } from '@enclavejs/vsock'
import { createLog } from '@enclavejs/vsock/log'

const log = createLog({
  events: ['asked', 'connected'],
  fields: { length: { type: 'integer', min: 0, max: 64 } },
  counters: ['connections'],
})
const nsm = openNsm()
const attest = createServer()
serveMessages(attest, (nonce) => {
  log.info('asked', { length: nonce.length, nonce: Buffer.from(nonce).toString('hex') })
  return nsm.attestation({ nonce })
})
attest.listen({ port: 5001 })
createServer((socket) => {
  log.info('connected')
  log.count('connections')
  socket.pipe(socket)
}).listen({ port: 7 }, () => console.log('the program listens'))
