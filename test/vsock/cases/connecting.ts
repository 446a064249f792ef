import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Case } from '../case.ts'
import { closed, failure, state, text, watch } from '../watch.ts'

/** Being connected, and not. */
export const connecting: readonly Case[] = [
  {
    name: 'events of a connection that the server ends',
    serve: ({ createServer }) => createServer({}, (socket) => void socket.end('bye')),
    async call({ connect, log }) {
      const socket = connect()
      watch(socket, log, ['connect', 'ready', 'data', 'end', 'finish', 'close'])
      await closed(socket)
    },
  },
  {
    name: 'what a socket says of itself in each state',
    async call({ connect, log }) {
      const socket = connect()
      log(state(socket))
      await once(socket, 'connect')
      log(state(socket))
      socket.end('x')
      log(state(socket))
      log(await text(socket))
      await closed(socket)
      log(state(socket))
    },
  },
  {
    name: 'what is written before connect waits',
    async call({ connect, log }) {
      const socket = connect()
      log(String(socket.write('one ', () => log('written one'))))
      socket.write(Buffer.from('two '), () => log('written two'))
      log(`pending ${socket.writableLength} bytes, bytesWritten ${socket.bytesWritten}`)
      await once(socket, 'connect')
      socket.end('three', () => log('ended'))
      log(await text(socket))
      await closed(socket)
      log(`bytesWritten ${socket.bytesWritten} bytesRead ${socket.bytesRead}`)
    },
  },
  {
    name: 'end before connect sends what is queued',
    async call({ connect, log }) {
      const socket = connect()
      watch(socket, log, ['connect', 'finish', 'end', 'close', 'error'])
      socket.write('queued ')
      socket.end('and ended')
      log(await text(socket))
      await closed(socket)
    },
  },
  {
    name: 'the promise of a connection',
    async call({ connected, log }) {
      const socket = await connected()
      log(state(socket))
      socket.end('by promise')
      log(await text(socket))
    },
  },
  {
    name: 'nobody listens',
    async call({ nowhere, log }) {
      const socket = nowhere()
      watch(socket, log, ['connect', 'ready', 'end', 'error', 'close'])
      await closed(socket)
      log(state(socket))
    },
  },
  {
    name: 'nobody listens, with data and an end queued',
    async call({ nowhere, log }) {
      const socket = nowhere()
      watch(socket, log, ['finish', 'end', 'error', 'close'])
      socket.write('lost', (error) => log(`write ${error ? failure(error) : 'done'}`))
      socket.end()
      await closed(socket)
    },
  },
  {
    name: 'an aborted signal before connect',
    async call({ connect, connected, log }) {
      const socket = connect({ signal: AbortSignal.abort() })
      watch(socket, log, ['connect', 'error', 'close'])
      await closed(socket)
      log(await connected({ signal: AbortSignal.abort() }).then(() => 'connected', failure))
    },
  },
  {
    name: 'a signal that aborts while it connects',
    async call({ connect, connected, log }) {
      const first = new AbortController()
      const socket = connect({ signal: first.signal })
      watch(socket, log, ['connect', 'error', 'close'])
      process.nextTick(() => first.abort())
      await closed(socket)
      const second = new AbortController()
      const promise = connected({ signal: second.signal })
      second.abort()
      log(await promise.then(() => 'connected', failure))
    },
  },
  {
    name: 'a signal that aborts when it is connected',
    async call({ connected, log }) {
      const controller = new AbortController()
      const socket = await connected({ signal: controller.signal })
      watch(socket, log, ['end', 'error', 'close'])
      controller.abort()
      await closed(socket)
    },
  },
  {
    name: 'a signal of time',
    async call({ connected, log }) {
      const socket = await connected({ signal: AbortSignal.timeout(150) })
      watch(socket, log, ['end', 'error', 'close'])
      await closed(socket)
    },
  },
  {
    name: 'the context of async_hooks in events',
    async call({ connect, log }) {
      const storage = new AsyncLocalStorage<string>()
      const socket = storage.run('inside', () => {
        const made = connect()
        made.on('connect', () => log(`connect ${storage.getStore()}`))
        return made
      })
      await once(socket, 'connect')
      socket.destroy()
      await closed(socket)
    },
  },
  {
    name: 'an exception in a listener of connect',
    together: true,
    async call({ spawn, log }) {
      const { status, err } = await spawn('throw-in-connect')
      log(`status ${status} ${/thrown on purpose/.test(err)}`)
    },
  },
  {
    name: 'an error without a listener ends the process',
    together: true,
    async call({ spawn, log }) {
      const { status, err } = await spawn('unhandled-error')
      log(`status ${status} ${/ECONNRE(?:FUSED|SET)/.test(err)}`)
    },
  },
  {
    name: 'an uncaught error is seen once, and the process goes on',
    together: true,
    async call({ spawn, log }) {
      const { status, out } = await spawn('uncaught')
      log(`status ${status} ${out.trim().split('\n').join(' ')}`)
    },
  },
  {
    name: 'many connections at once',
    async call({ connected, log }) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const socket = await connected()
          socket.end(`number ${index}`)
          return (await text(socket)) === `number ${index}`
        }),
      )
      log(`${answers.filter(Boolean).length} of ${answers.length}`)
    },
  },
  {
    name: 'connections that are destroyed as soon as they are made',
    async call({ connect, connected, log }) {
      const sockets = Array.from({ length: 100 }, (_, index) => {
        const socket = connect()
        socket.on('error', (error) => log(failure(error)))
        if (index % 3 === 0) socket.once('connect', () => socket.destroy())
        else if (index % 3 === 1) setImmediate(() => socket.destroy())
        else socket.destroy()
        return closed(socket)
      })
      await Promise.all(sockets)
      await wait(50)
      const socket = await connected()
      socket.end('still there')
      log(await text(socket))
    },
  },
]
