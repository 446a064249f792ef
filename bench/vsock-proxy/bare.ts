// The least that a proxy of Node can do: two sockets, piped into each other.
import { connect, createServer } from 'node:net'

const [path, port] = process.argv.slice(2)

createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const server = connect({
    ...{ host: '127.0.0.1', port: Number(port) },
    ...{ allowHalfOpen: true, noDelay: true },
  })
  client.on('error', () => server.destroy()).pipe(server)
  server.on('error', () => client.destroy()).pipe(client)
}).listen({ path, backlog: 4096 })
