import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Case } from '../case.ts'
import { closed } from '../watch.ts'

/** Bytes that tell which connection they are of, and where in it they stand. */
const marked = (connection: number, length: number): Buffer =>
  Buffer.from(
    Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) ^ (connection * 37)),
  )

const SIZES = [1, 63, 64, 65, 700, 5000, 32_767, 32_768, 65_535, 65_536, 65_537, 200_000]

/** What a chunk is made of, and what becomes of a write. */
export const chunks: readonly Case[] = [
  {
    name: 'chunks of many connections that are kept stay what they were',
    async call({ connected, log }) {
      const kept: { readonly chunk: Buffer; readonly copy: Buffer }[] = []
      const whole = await Promise.all(
        Array.from({ length: 6 }, async (_, connection) => {
          const socket = await connected()
          const sent = marked(
            connection,
            SIZES.reduce((sum, size) => sum + size, 0),
          )
          const received: Buffer[] = []
          let length = 0
          const all = new Promise<void>((resolve) => {
            socket.on('data', (chunk: Buffer) => {
              kept.push({ chunk, copy: Buffer.from(chunk) })
              received.push(chunk)
              if ((length += chunk.length) === sent.length) resolve()
            })
          })
          for (let at = 0, index = connection; at < sent.length; index++) {
            const size = SIZES[index % SIZES.length] as number
            if (!socket.write(sent.subarray(at, at + size))) await once(socket, 'drain')
            if (index % 3 === 0) await wait(1)
            at += size
          }
          await all
          socket.destroy()
          await closed(socket)
          return Buffer.concat(received).equals(sent)
        }),
      )
      log(`whole ${whole.every(Boolean)}`)
      log(`as they came ${kept.every(({ chunk, copy }) => chunk.equals(copy))}`)
      const memory = new Set(kept.map(({ chunk }) => chunk.buffer))
      log(`memory of its own for each ${memory.size === kept.length}`)
    },
  },
  {
    name: 'writes of every kind keep their order',
    async call({ connected, log }) {
      const socket = await connected()
      const called: number[] = []
      const received: Buffer[] = []
      const sent: Buffer[] = []
      socket.on('data', (chunk: Buffer) => received.push(chunk))
      socket.cork()
      socket.write(marked(1, 5))
      log(`held back ${socket.writableLength}`)
      socket.uncork()
      sent.push(marked(1, 5))
      let bytes = 5
      for (let index = 0; index < 400; index++) {
        const part = marked(index, index % 23 === 0 ? 150_000 : 1 + ((index * 31) % 300))
        sent.push(part)
        bytes += part.length
        if (index % 7 === 1) socket.cork()
        if (index % 5 === 2) socket.write(part, () => called.push(index))
        else if (index % 5 === 3) socket.write(part.toString('latin1'), 'latin1')
        else socket.write(index % 2 === 0 ? part : new Uint8Array(part))
        if (index % 7 === 3) socket.uncork()
        if (index % 50 === 49) await wait(2)
      }
      log(`bytesWritten ${socket.bytesWritten === bytes}`)
      socket.end()
      await closed(socket)
      log(`in order ${Buffer.concat(received).equals(Buffer.concat(sent))}`)
      log(`callbacks ${called.length} ${called.every((one, at) => one === at * 5 + 2)}`)
      log(`bytesWritten ${socket.bytesWritten === bytes} bytesRead ${socket.bytesRead === bytes}`)
    },
  },
  {
    name: 'a reader of few bytes at a time takes no more from the kernel',
    serve: ({ createServer }) =>
      createServer({}, (socket) => {
        socket.on('error', () => {})
        socket.write(Buffer.alloc(2 ** 20))
      }),
    async call({ connected, log }) {
      const socket = await connected()
      let most = 0
      for (let count = 0; count < 200;) {
        const chunk = socket.read(10) as Buffer | null
        if (chunk === null) await once(socket, 'readable')
        else count++
        if (count % 20 === 0) await wait(2)
        most = Math.max(most, socket.readableLength)
      }
      log(`bounded ${most <= socket.readableHighWaterMark + 65_536}`)
      log(`${socket.bytesRead <= 2000 + socket.readableHighWaterMark + 65_536}`)
      socket.destroy()
      await closed(socket)
    },
  },
]
