import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Case } from '../case.ts'
import { closed, failure, state, watch } from '../watch.ts'

const EVENTS = ['connect', 'ready', 'end', 'finish', 'error', 'close']

/** destroy() in every state, and what comes after an end. */
export const destroying: readonly Case[] = [
  {
    name: 'destroy before connect',
    async call({ connect, log }) {
      const socket = connect()
      watch(socket, log, EVENTS)
      socket.destroy()
      log(state(socket))
      await closed(socket)
      log(state(socket))
    },
  },
  {
    name: 'destroy before connect, with an error',
    async call({ connect, log }) {
      const socket = connect()
      watch(socket, log, EVENTS)
      socket.destroy(new RangeError('mine'))
      await closed(socket)
    },
  },
  {
    name: 'destroy before connect, with data queued',
    async call({ connect, log }) {
      const socket = connect()
      watch(socket, log, EVENTS)
      socket.write('x', (error) => log(`write ${error ? failure(error) : 'done'}`))
      socket.end(() => log('end called back'))
      socket.destroy()
      await closed(socket)
    },
  },
  {
    name: 'destroy while it connects',
    async call({ connect, log }) {
      const socket = connect()
      watch(socket, log, EVENTS)
      await new Promise<void>((resolve) => process.nextTick(resolve))
      socket.destroy()
      await closed(socket)
      await wait(20)
      log(state(socket))
    },
  },
  {
    name: 'destroy in the listener of connect',
    async call({ connect, log }) {
      const socket = connect()
      watch(socket, log, EVENTS)
      socket.once('connect', () => socket.destroy())
      await closed(socket)
    },
  },
  {
    name: 'destroy when connected',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, EVENTS)
      socket.destroy()
      log(state(socket))
      await closed(socket)
    },
  },
  {
    name: 'destroy when connected, with an error',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, EVENTS)
      socket.destroy(new RangeError('mine'))
      await closed(socket)
      log(`errored ${socket.errored?.name}`)
    },
  },
  {
    name: 'destroy after end',
    serve: ({ createServer }) =>
      createServer({ allowHalfOpen: true }, (socket) => {
        socket.resume().on('end', () => setTimeout(() => socket.end(), 100))
      }),
    async call({ connected, log }) {
      const socket = await connected({ allowHalfOpen: true })
      watch(socket, log, EVENTS)
      socket.end()
      await once(socket, 'finish')
      socket.destroy()
      await closed(socket)
    },
  },
  {
    name: 'destroy after the end of the other side',
    serve: ({ createServer }) =>
      createServer({ allowHalfOpen: true }, (socket) => void socket.end()),
    async call({ connected, log }) {
      const socket = await connected({ allowHalfOpen: true })
      watch(socket, log, EVENTS)
      socket.resume()
      await once(socket, 'end')
      log(state(socket))
      socket.destroy()
      await closed(socket)
    },
  },
  {
    name: 'destroy twice, and with an error after one without',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, EVENTS)
      socket.destroy()
      socket.destroy(new RangeError('late'))
      await closed(socket)
      socket.destroy(new RangeError('later'))
      await wait(20)
      const other = await connected()
      watch(other, log, EVENTS)
      other.destroy(new RangeError('first'))
      other.destroy(new TypeError('second'))
      await closed(other)
    },
  },
  {
    name: 'destroySoon sends what is queued',
    serve: ({ createServer, log }) =>
      createServer({}, (socket) => {
        let count = 0
        socket.on('data', (chunk) => (count += chunk.length))
        socket.on('end', () => log(`received ${count}`))
      }),
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['finish', 'error', 'close'])
      socket.write(Buffer.alloc(300_000))
      socket.destroySoon()
      await closed(socket)
    },
  },
  {
    name: 'write after end',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['error', 'close'])
      socket.end()
      log(String(socket.write('late', (error) => log(`write ${failure(error)}`))))
      await closed(socket)
    },
  },
  {
    name: 'write after destroy',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['error', 'close'])
      socket.destroy()
      log(String(socket.write('late', (error) => log(`write ${failure(error)}`))))
      await closed(socket)
      await wait(20)
    },
  },
  {
    name: 'end twice, and end with data after end',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['error', 'finish', 'close'])
      socket.resume()
      socket.end('x')
      socket.end((error?: Error) => log(`second ${error ? failure(error) : 'done'}`))
      await closed(socket)
      socket.end((error?: Error) => log(`third ${error ? failure(error) : 'done'}`))
      await wait(20)
    },
  },
  {
    name: 'an error after both ends ended',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['error', 'close'])
      socket.end('x')
      socket.resume()
      await closed(socket)
      socket.destroy(new RangeError('late'))
      await wait(20)
      log(`errored ${String(socket.errored)}`)
    },
  },
  {
    name: 'the other side destroys its socket',
    serve: ({ createServer }) => createServer({}, (socket) => void socket.destroy()),
    async call({ connect, log }) {
      const socket = connect()
      watch(socket, log, EVENTS)
      socket.resume()
      await closed(socket)
    },
  },
  {
    name: 'the other side destroys its socket with data unread',
    serve: ({ createServer }) =>
      createServer({ pauseOnConnect: true }, (socket) => {
        setTimeout(() => socket.destroy(), 150)
      }),
    async call({ connect, log }) {
      const socket = connect()
      socket.write('nobody reads this')
      watch(socket, log, ['end', 'error', 'close'])
      socket.resume()
      await closed(socket)
    },
  },
  {
    name: 'writing to who is gone',
    serve: ({ createServer }) => createServer({}, (socket) => void socket.destroy()),
    async call({ connected, log }) {
      const socket = await connected({ allowHalfOpen: true })
      socket.on('error', (error: NodeJS.ErrnoException) => {
        log(`error ${error.syscall} ${/^(?:EPIPE|ECONNRESET)$/.test(error.code ?? '')}`)
      })
      socket.resume()
      await once(socket, 'end')
      const writing = setInterval(() => socket.writable && socket.write('anybody there?'), 10)
      await closed(socket)
      clearInterval(writing)
    },
  },
  {
    name: 'both ends close at once',
    serve: ({ createServer, log }) =>
      createServer({}, (socket) => {
        socket.once('data', () => socket.destroy())
        socket.on('error', (error) => log(failure(error)))
      }),
    async call({ connected, log }) {
      for (let round = 0; round < 20; round++) {
        const socket = await connected()
        socket.on('error', (error) => log(failure(error)))
        socket.write('x', () => socket.destroy())
        await closed(socket)
      }
      log('closed')
    },
  },
]
