// Runs as the one program of an enclave image: tells what the machine measured, and asks for a document.
import { createServer, connect } from 'node:net'
import { openNsm } from '@enclavejs/nsm'

const nsm = openNsm()
for (const index of [0, 1, 2, 3, 4, 8]) {
  const { data, locked } = await nsm.describePcr(index)
  console.log(`@pcr ${index} ${Buffer.from(data).toString('hex')} ${locked}`)
}
const document = await nsm.attestation({ nonce: Buffer.from(process.env.NONCE, 'hex') })
for (const part of Buffer.from(document)
  .toString('base64')
  .match(/.{1,200}/g)) {
  console.log(`@document ${part}`)
}
const server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const socket = connect(server.address().port, '127.0.0.1')
for await (const chunk of socket) console.log(`@loopback ${chunk}`)
server.close()
await nsm.close()
const { uid, gid } = { uid: process.getuid(), gid: process.getgid() }
console.log(`@process ${uid} ${gid} ${process.cwd()} ${process.argv.slice(2).join('|')}`)
process.exitCode = 7
