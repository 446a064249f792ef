// The enclave's side: a token with one key on a Unix socket.
//
//   token.ts SOCKET KEY CERTIFICATE PIN
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { createToken } from '@enclavejs/acm-enclave/token'

const [socket = '', key = '', certificate = '', pin = ''] = process.argv.slice(2)
const [privateKey, leaf] = [readFileSync(key), readFileSync(certificate)]
const token = createToken({
  ...{ label: 'acm-token', pin },
  keys: [{ id: Uint8Array.of(1), label: 'acm-key', privateKey, certificate: leaf }],
})
const server = createServer()
token.listen(server)
server.listen(socket)
