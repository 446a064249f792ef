import { once } from 'node:events'
import { createServer as createTcpServer, type Server } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Case } from '../case.ts'
import { closed, failure, text, watch } from '../watch.ts'

const listening = (server: Server): Promise<unknown> => once(server, 'listening')
const connections = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
  })
const close = (server: Server): Promise<string> =>
  new Promise((resolve) => server.close((error) => resolve(error ? failure(error) : 'closed')))

/** What a server does apart from its connections. */
export const serving: readonly Case[] = [
  {
    name: 'close with open connections waits for them',
    serve: ({ createServer, log }) => {
      const server = createServer({}, (socket) => {
        server.close(() => log('close called back'))
        log(`listening ${server.listening} address ${JSON.stringify(server.address())}`)
        socket.on('data', (data) => socket.write(data))
        socket.on('close', () => log('connection closed'))
      })
      server.on('close', () => log('server closed'))
      return server
    },
    async call({ connected, log }) {
      const socket = await connected()
      socket.write('x')
      await once(socket, 'data')
      const late = await connected().then(() => 'connected', failure)
      log(late === 'connected' ? late : 'refused')
      await wait(50)
      socket.end('still served')
      log(await text(socket))
    },
  },
  {
    name: 'connections after close',
    together: true,
    async call({ connected, server, log }) {
      log(await close(server))
      log(await connected().then(() => 'connected', failure))
      log(await close(server))
    },
  },
  {
    name: 'listen, close and listen again on the same port',
    together: true,
    async call({ connected, server, listen, log }) {
      for (let round = 0; round < 3; round++) {
        const port = (server.address() as { port: number }).port
        await close(server)
        listen(server, 'same')
        await listening(server)
        log(`${server.listening} ${(server.address() as { port: number }).port === port}`)
        const socket = await connected()
        socket.end('again')
        log(await text(socket))
      }
    },
  },
  {
    name: 'a second listener on the same port',
    together: true,
    async call({ server, listen, log }) {
      const other = createTcpServer()
      listen(other, 'same')
      const [error] = (await once(other, 'error')) as [Error]
      log(`${failure(error)} ${other.listening} ${JSON.stringify(other.address())}`)
      listen(other, 'elsewhere')
      await listening(other)
      log(`${other.listening} ${server.listening}`)
      await close(other)
    },
  },
  {
    name: 'listen twice',
    together: true,
    async call({ server, listen, log }) {
      try {
        listen(server, 'elsewhere')
        log('taken')
      } catch (error) {
        log(failure(error))
      }
      log(String(server.listening))
    },
  },
  {
    name: 'events of a server',
    together: true,
    async call({ listen, connectTo, log }) {
      const server = createTcpServer((socket) => {
        log('connection')
        socket.end()
      })
      for (const event of ['listening', 'close', 'error']) server.on(event, () => log(event))
      listen(server, 'elsewhere')
      await listening(server)
      const socket = connectTo(server)
      socket.resume()
      await closed(socket)
      await close(server)
    },
  },
  {
    name: 'a signal closes a server',
    together: true,
    async call({ listen, log }) {
      const controller = new AbortController()
      const server = createTcpServer()
      server.on('listening', () => log('listening'))
      server.on('close', () => log('close'))
      listen(server, 'elsewhere', controller.signal)
      await listening(server)
      controller.abort()
      await once(server, 'close')
      log(String(server.listening))
      const never = createTcpServer()
      never.on('listening', () => log('never'))
      never.on('close', () => log('closed before it listened'))
      listen(never, 'elsewhere', AbortSignal.abort())
      await Promise.race([once(never, 'close'), wait(5000, undefined, { ref: false })])
      await wait(50)
      log(String(never.listening))
    },
  },
  {
    name: 'close in the tick of listen',
    together: true,
    async call({ listen, log }) {
      const server = createTcpServer()
      server.on('listening', () => log('listening'))
      listen(server, 'elsewhere')
      server.close()
      await wait(100)
      log(String(server.listening))
    },
  },
  {
    name: 'address',
    together: true,
    async call({ server, log }) {
      log(typeof (server.address() as { port: unknown }).port)
      log(JSON.stringify(createTcpServer().address()))
      await close(server)
      log(JSON.stringify(server.address()))
    },
  },
  {
    name: 'getConnections and maxConnections',
    together: true,
    async call({ connected, server, log }) {
      server.on('drop', () => log('drop'))
      server.maxConnections = 2
      const held = [await connected(), await connected()]
      for (const socket of held) {
        socket.write('x')
        await once(socket, 'data')
      }
      log(String(await connections(server)))
      const third = await connected()
      third.on('error', () => {})
      third.resume()
      await closed(third)
      log(String(await connections(server)))
      for (const socket of held) {
        socket.destroy()
        await closed(socket)
      }
      while ((await connections(server)) > 0) await wait(5)
      const next = await connected()
      next.end('room again')
      log(await text(next))
    },
  },
  {
    name: 'pauseOnConnect',
    serve: ({ createServer, log }) =>
      createServer({ pauseOnConnect: true }, async (socket) => {
        await wait(100)
        log(`${socket.isPaused()} ${socket.bytesRead}`)
        socket.on('data', (data) => socket.end(data))
        socket.resume()
      }),
    async call({ connected, log }) {
      const socket = await connected()
      socket.write('held')
      log(await text(socket))
    },
  },
  {
    name: 'disposal closes a server',
    together: true,
    async call({ listen, log }) {
      const server = createTcpServer()
      listen(server, 'elsewhere')
      await listening(server)
      await server[Symbol.asyncDispose]()
      log(String(server.listening))
    },
  },
  {
    name: 'a listener of connection that throws',
    together: true,
    async call({ spawn, log }) {
      const { status, err } = await spawn('throw-in-connection')
      log(`status ${status} ${/thrown on purpose/.test(err)}`)
    },
  },
  {
    name: 'sockets of a server that the client leaves',
    serve: ({ createServer, log }) =>
      createServer({}, (socket) => {
        watch(socket, log, ['end', 'error', 'close'])
        socket.resume()
      }),
    async call({ connected }) {
      const socket = await connected()
      await wait(50)
      socket.destroy()
      await closed(socket)
      await wait(100)
    },
  },
]
