// One end of a case in a process or a thread of its own:
//
//   node program.ts SPEC PORT ACTION
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { openTransport } from './transport.ts'
import { text } from './watch.ts'

const [spec, port, action] = (
  isMainThread ? process.argv.slice(2) : (workerData as readonly string[])
) as [string, string, string]
const transport = await openTransport(spec)
const connect = (): Socket => transport.connect(Number(port), {})
const nowhere = (): Socket => transport.connect(transport.nowhere, {})
const say = (text: string): void => console.log(text)

const actions: Readonly<Record<string, () => unknown>> = {
  'throw-in-connect': () => {
    connect().on('connect', () => {
      throw new Error('thrown on purpose')
    })
  },
  'throw-in-connection': () => {
    const server = createServer(() => {
      throw new Error('thrown on purpose')
    })
    server.on('listening', () =>
      transport.connect(transport.portOf(server), {}).on('error', () => {}),
    )
    transport.listen(server, undefined, {})
  },
  'unhandled-error': () => void nowhere(),
  uncaught: () => {
    process.on('uncaughtException', (error) => {
      say(/ECONNRE|on purpose/.exec(error.message)?.[0] ?? error.message)
    })
    nowhere().on('close', () => {
      connect().on('connect', function (this: Socket) {
        this.destroy()
        throw new Error('on purpose')
      })
    })
  },
  // What is read from the echo keeps it alive until the timer ends the connection, which itself does not.
  ref: () => {
    const socket = connect()
    socket.resume()
    setTimeout(() => socket.end(), 200).unref()
    process.on('exit', () => say(`closed ${socket.destroyed}`))
  },
  unref: async () => {
    const socket = connect()
    await once(socket, 'connect')
    socket.resume()
    socket.unref()
    process.on('exit', () => say(`closed ${socket.destroyed}`))
  },
  'unref-early': () => {
    const socket = connect().unref()
    process.on('exit', () => say(`destroyed ${socket.destroyed}`))
  },
  'unref-ref': () => {
    const socket = connect().unref().ref()
    socket.on('connect', () => say('connected'))
    socket.on('end', () => say('ended'))
    socket.resume()
    setTimeout(() => socket.end(), 200).unref()
  },
  'unref-server': async () => {
    const server = createServer()
    transport.listen(server, undefined, {})
    await once(server, 'listening')
    server.unref()
    process.on('exit', () => say(`listening ${server.listening}`))
  },
  exit: async () => {
    const sockets = [connect(), connect(), nowhere()]
    for (const socket of sockets) socket.on('error', () => {})
    await once(sockets[0] as Socket, 'connect')
    process.exit(3)
  },
  serve: async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.pipe(socket)
    })
    transport.listen(server, undefined, {})
    await once(server, 'listening')
    parentPort?.postMessage(transport.portOf(server))
  },
  echo: async () => {
    const socket = connect()
    socket.end('from a thread')
    parentPort?.postMessage(await text(socket))
  },
  'connect-forever': () => {
    let made = 0
    const again = (): void => {
      for (const open of [connect, nowhere]) {
        const socket = open()
        socket.on('error', () => {})
        socket.once('connect', () => socket.destroy())
        socket.once('close', () => {
          if (made++ < 60) again()
          else process.exit()
        })
        if (made > 40) break
      }
    }
    again()
    parentPort?.postMessage('under way')
  },
}

await actions[action]?.()
