// A peer whose name cannot be had any more, by the addon of fake.c: a client that has bound none. It runs in a Stage.
// Prints what each listener did with it, as JSON.
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect, createServer } from '@enclavejs/vsock'

const said: unknown[] = []
for (const [port, allowedCids] of [
  [5000, [1]],
  [5001, undefined],
] as const) {
  const server = createServer((socket) => {
    socket.end(`taken from ${socket.remoteCid}`)
  }).listen({ port, ...(allowedCids !== undefined && { allowedCids }) })
  await once(server, 'listening')
  const name = `\0enclavejs-${process.env['ENCLAVEJS_FAKE_VSOCK']}-1-${port}`
  said.push(await text(connectPlain(name)), await text(await connect({ cid: 1, port })))
  server.close()
}
console.log(JSON.stringify(said))
