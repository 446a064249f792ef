import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Case } from '../case.ts'
import { closed, failure, state, text, watch } from '../watch.ts'

/** The two directions of a connection, and the options of a socket. */
export const halves: readonly Case[] = [
  {
    name: 'this side ends, the other goes on (allowHalfOpen there)',
    serve: ({ createServer, log }) =>
      createServer({ allowHalfOpen: true }, async (socket) => {
        log(await text(socket))
        log(state(socket))
        socket.write('after ')
        await wait(30)
        socket.end('your end')
      }),
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['finish', 'end', 'close'])
      socket.end('my end')
      log(await text(socket))
      await closed(socket)
    },
  },
  {
    name: 'the other side ends, this goes on (allowHalfOpen here)',
    serve: ({ createServer, log }) =>
      createServer({ allowHalfOpen: true }, async (socket) => {
        socket.end('first end')
        log(await text(socket))
        log(state(socket))
      }),
    async call({ connected, log }) {
      const socket = await connected({ allowHalfOpen: true })
      watch(socket, log, ['finish', 'end', 'close'])
      log(await text(socket))
      log(state(socket))
      socket.write('going ')
      await wait(30)
      socket.end('on')
      await closed(socket)
    },
  },
  {
    name: 'without allowHalfOpen the end is answered',
    serve: ({ createServer, log }) =>
      createServer({ allowHalfOpen: true }, async (socket) => {
        socket.end('end')
        log(`read "${await text(socket)}"`)
      }),
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['end', 'finish', 'error', 'close'])
      socket.resume()
      await closed(socket)
      log(state(socket))
    },
  },
  {
    name: 'without allowHalfOpen at the server the end is answered',
    serve: ({ createServer, log }) =>
      createServer({}, (socket) => {
        watch(socket, log, ['end', 'finish', 'error', 'close'])
        socket.resume()
      }),
    async call({ connected, log }) {
      const socket = await connected({ allowHalfOpen: true })
      socket.end()
      log(`read "${await text(socket)}"`)
      await closed(socket)
    },
  },
  {
    name: 'both ends half-close with much under way',
    serve: ({ createServer, log }) =>
      createServer({ allowHalfOpen: true }, async (socket) => {
        socket.end(Buffer.alloc(1_000_000, 'b'))
        log(String((await text(socket)).length))
      }),
    async call({ connected, log }) {
      const socket = await connected({ allowHalfOpen: true })
      socket.end(Buffer.alloc(1_000_000, 'a'))
      log(String((await text(socket)).length))
      await closed(socket)
    },
  },
  {
    name: 'an end that nobody reads does not close',
    serve: ({ createServer }) => createServer({}, (socket) => void socket.end('unread')),
    async call({ connected, log }) {
      const socket = await connected()
      await wait(100)
      log(state(socket))
      log(await text(socket))
      await closed(socket)
    },
  },
  {
    name: 'setTimeout without traffic',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['timeout', 'close'])
      socket.setTimeout(60, () => log('called back'))
      await once(socket, 'timeout')
      log(`${state(socket)} ${socket.timeout}`)
      socket.setTimeout(0)
      await wait(120)
      socket.end('alive')
      log(await text(socket))
    },
  },
  {
    name: 'traffic puts the timeout off',
    async call({ connected, log }) {
      const socket = await connected()
      socket.setTimeout(300)
      socket.on('timeout', () => log('timeout'))
      socket.resume()
      for (let count = 0; count < 10; count++) {
        socket.write('x')
        await wait(50)
      }
      log('no timeout until here')
      await once(socket, 'timeout')
      socket.destroy()
    },
  },
  {
    name: 'the option timeout',
    async call({ connect, log }) {
      const socket = connect({ timeout: 80 })
      log(String(socket.timeout))
      await once(socket, 'timeout')
      log(`destroyed ${socket.destroyed}`)
      socket.destroy()
    },
  },
  {
    name: 'the option onread',
    async call({ connected, log }) {
      const buffer = Buffer.alloc(4)
      const parts: string[] = []
      const socket = await connected({
        onread: {
          buffer,
          callback: (count, into) => {
            parts.push(Buffer.from(into.subarray(0, count)).toString())
            return into[0] !== 0x65 // 'e' pauses
          },
        },
      })
      socket.write('abcdefgh')
      while (parts.join('').length < 8) {
        await wait(50)
        socket.resume()
        if (parts.join('').length === 8) break
      }
      log(`${parts.join('|')} of ${buffer.length}`)
      socket.end()
      socket.resume()
      await closed(socket)
      log(`bytesRead ${socket.bytesRead}`)
    },
  },
  {
    name: 'addresses agree',
    serve: ({ createServer }) =>
      createServer({}, (socket) => {
        socket.end(`${socket.remotePort} ${socket.localPort}`)
      }),
    async call({ connected, log }) {
      const socket = await connected()
      const { localPort, remotePort } = socket
      log(`${typeof localPort} ${typeof remotePort}`)
      log(String((await text(socket)) === `${localPort} ${remotePort}`))
    },
  },
  {
    name: 'setNoDelay, setKeepAlive, ref and unref return the socket',
    async call({ connected, log }) {
      const socket = await connected()
      log(
        [socket.setNoDelay(), socket.setKeepAlive(true), socket.unref(), socket.ref()]
          .map((same) => same === socket)
          .join(' '),
      )
      socket.destroy()
    },
  },
  {
    name: 'resetAndDestroy',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['error', 'close'])
      try {
        socket.resetAndDestroy()
      } catch (error) {
        log(`threw ${failure(error)}`)
        socket.destroy()
      }
      await closed(socket)
    },
  },
  {
    name: 'disposal closes the socket',
    async call({ connected, log }) {
      const socket = await connected()
      socket.write('x')
      await socket[Symbol.asyncDispose]()
      log(state(socket))
    },
  },
]
