import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Readable, Transform, Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { setTimeout as wait } from 'node:timers/promises'
import type { Case } from '../case.ts'
import { closed, failure, text, watch } from '../watch.ts'

const MIB = 2 ** 20

/** Bytes that are the same in every run. */
const block = (length: number): Buffer =>
  Buffer.alloc(
    length,
    Uint8Array.from({ length: 65_537 }, (_, index) => (index * 31) ^ (index >> 8)),
  )
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('base64url')

/** Data under way: order, backpressure, Node's stream habits. */
export const flowing: readonly Case[] = [
  {
    name: 'bytes arrive as they were sent, in both directions',
    async call({ connected, log }) {
      const socket = await connected()
      const data = block(3 * MIB + 17)
      const reading = (async () => {
        const hash = createHash('sha256')
        for await (const chunk of socket) hash.update(chunk as Uint8Array)
        return hash.digest('base64url')
      })()
      reading.catch(() => {})
      for (let at = 0; at < data.length; at += 70_001) {
        if (!socket.write(data.subarray(at, at + 70_001))) await once(socket, 'drain')
      }
      socket.end()
      log(String((await reading) === sha256(data)))
      log(`bytesWritten ${socket.bytesWritten} bytesRead ${socket.bytesRead}`)
    },
  },
  {
    name: 'much data without an end',
    async call({ connected, log }) {
      const socket = await connected()
      const [data, hash] = [block(2 * MIB), createHash('sha256')]
      let count = 0
      const all = new Promise<void>((resolve) => {
        socket.on('data', (chunk) => {
          hash.update(chunk)
          if ((count += chunk.length) >= data.length) resolve()
        })
      })
      for (let at = 0; at < data.length; at += 50_000) {
        if (!socket.write(data.subarray(at, at + 50_000))) await once(socket, 'drain')
      }
      await all
      log(String(hash.digest('base64url') === sha256(data)))
      socket.destroy()
      await closed(socket)
    },
  },
  {
    name: 'a reader that pauses, without an end',
    serve: ({ createServer }) =>
      createServer({}, (socket) => {
        let count = 0
        socket.pause()
        socket.on('error', () => {})
        setTimeout(() => socket.resume(), 1500)
        socket.on('data', (chunk) => {
          if ((count += chunk.length) === 40 * MIB) socket.write('all')
        })
        socket.pause()
      }),
    async call({ connected, log }) {
      const socket = await connected()
      for (let count = 0; count < 40; count++) socket.write(Buffer.alloc(MIB))
      await wait(700)
      log(`needs drain ${socket.writableNeedDrain}, queued ${socket.writableLength > 16 * MIB}`)
      log(String((await once(socket, 'data'))[0]))
      log(`queued ${socket.writableLength}, bytesWritten ${socket.bytesWritten}`)
      socket.destroy()
      await closed(socket)
    },
  },
  {
    name: 'one large write calls back when all is out',
    async call({ connected, log }) {
      const socket = await connected()
      const data = block(4 * MIB)
      let out = false
      log(String(socket.write(data, () => (out = true))))
      log(`bytesWritten ${socket.bytesWritten}`)
      socket.end()
      const hash = createHash('sha256')
      for await (const chunk of socket) hash.update(chunk as Uint8Array)
      log(`${out} ${hash.digest('base64url') === sha256(data)}`)
    },
  },
  {
    name: 'a reader that pauses stops the writer, and drain comes when it reads on',
    serve: ({ createServer, log }) =>
      createServer({ pauseOnConnect: true }, (socket) => {
        let count = 0
        setTimeout(() => socket.resume(), 400)
        socket.on('data', (chunk) => (count += chunk.length))
        socket.on('end', () => log(`received ${count % MIB === 0 && count > 16 * MIB}`))
      }),
    async call({ connected, log }) {
      const socket = await connected()
      const part = Buffer.alloc(MIB)
      for (let count = 0; count < 40; count++) socket.write(part)
      await wait(200)
      log(`needs drain ${socket.writableNeedDrain}, queued ${socket.writableLength > 16 * MIB}`)
      await once(socket, 'drain')
      log(`queued ${socket.writableLength}`)
      socket.end()
      await closed(socket)
      log(`bytesWritten ${socket.bytesWritten}`)
    },
  },
  {
    name: 'highWaterMark',
    async call({ connected, log }) {
      const socket = await connected({ highWaterMark: 1000 })
      log(`${socket.readableHighWaterMark} ${socket.writableHighWaterMark}`)
      log(String(socket.write(Buffer.alloc(999))))
      socket.end()
      log(String((await text(socket)).length))
    },
  },
  {
    name: 'pause and resume',
    async call({ connected, log }) {
      const socket = await connected()
      let seen = 0
      socket.on('data', (chunk) => (seen += chunk.length))
      socket.write('one')
      while (seen < 3) await wait(5)
      socket.pause()
      socket.write('two')
      await wait(100)
      log(`${seen} ${socket.isPaused()}`)
      socket.resume()
      socket.end()
      await closed(socket)
      log(String(seen))
    },
  },
  {
    name: 'read(n) and readable',
    async call({ connected, log }) {
      const socket = await connected()
      socket.write('abcdefgh')
      let held = ''
      socket.on('readable', () => {
        for (let part = socket.read(3); part !== null; part = socket.read(3)) {
          held += `${String(part)}|`
        }
      })
      while (held.length < 8) await wait(5)
      socket.end()
      await closed(socket)
      log(held)
    },
  },
  {
    name: 'unshift',
    async call({ connected, log }) {
      const socket = await connected()
      socket.end('second')
      await once(socket, 'readable')
      socket.unshift('first, ')
      log(await text(socket))
    },
  },
  {
    name: 'setEncoding with letters cut in two',
    serve: ({ createServer }) =>
      createServer({}, async (socket) => {
        for (const byte of Buffer.from('aß€😀')) {
          socket.write(Uint8Array.of(byte))
          await wait(2)
        }
        socket.end()
      }),
    async call({ connected, log }) {
      const socket = await connected()
      socket.setEncoding('utf8')
      let all = ''
      for await (const part of socket) {
        if (typeof part !== 'string') log('not a string')
        all += String(part)
      }
      log(all)
    },
  },
  {
    name: 'strings in other encodings, and setDefaultEncoding',
    async call({ connected, log }) {
      const socket = await connected()
      socket.write('ff00', 'hex')
      socket.write('ÿ', 'latin1')
      socket.setDefaultEncoding('base64')
      socket.end('AAEC')
      const parts: Uint8Array[] = []
      for await (const part of socket) parts.push(part as Uint8Array)
      log(Buffer.concat(parts).toString('hex'))
      log(`bytesWritten ${socket.bytesWritten}`)
    },
  },
  {
    name: 'cork and uncork, with strings and bytes',
    async call({ connected, log }) {
      const socket = await connected()
      socket.cork()
      for (let part = 0; part < 100; part++) {
        socket.write(part % 2 === 0 ? `${part},` : Buffer.from(`${part},`))
      }
      log(`corked ${socket.writableCorked} ${socket.writableLength} ${socket.bytesWritten}`)
      socket.uncork()
      socket.end()
      const expected = `${Array.from({ length: 100 }, (_, part) => part).join(',')},`
      log(String((await text(socket)) === expected))
    },
  },
  {
    name: 'Readable.from and pipeline, there and back',
    async call({ connected, log }) {
      const socket = await connected()
      const parts: string[] = []
      await pipeline(
        Readable.from(['a', 'b', 'c'].map((letter) => letter.repeat(1000))),
        socket,
        new Transform({
          transform: (chunk, _encoding, done) => done(null, String(chunk).toUpperCase()),
        }),
        async (source: AsyncIterable<unknown>) => {
          for await (const part of source) parts.push(String(part))
        },
      )
      log(String(parts.join('') === 'A'.repeat(1000) + 'B'.repeat(1000) + 'C'.repeat(1000)))
      await closed(socket)
      log(`destroyed ${socket.destroyed}`)
    },
  },
  {
    name: 'pipe',
    async call({ connected, log }) {
      const socket = await connected()
      let count = 0
      const sink = new Writable({
        highWaterMark: 100,
        write: (chunk: Uint8Array, _encoding, done) => {
          count += chunk.length
          setImmediate(done)
        },
      })
      Readable.from([block(100_000), block(1)]).pipe(socket)
      socket.pipe(sink)
      await once(sink, 'finish')
      log(String(count))
    },
  },
  {
    name: 'a pipeline whose source fails destroys the socket',
    async call({ connected, log }) {
      const socket = await connected()
      watch(socket, log, ['close'])
      const source = Readable.from(
        (function* () {
          yield 'part'
          throw new RangeError('source')
        })(),
      )
      await pipeline(source, socket).catch((error: unknown) => log(failure(error)))
      await closed(socket)
    },
  },
  {
    name: 'a pipeline that is aborted',
    async call({ connected, log }) {
      const socket = await connected()
      const controller = new AbortController()
      const sink = new Writable({ write: (_chunk, _encoding, done) => done() })
      const piping = pipeline(socket, sink, { signal: controller.signal })
      socket.write('x')
      await once(socket, 'data')
      controller.abort()
      await piping.catch((error: unknown) => log(failure(error)))
      await closed(socket)
    },
  },
  {
    name: 'leaving an async iteration destroys the socket',
    async call({ connected, log }) {
      const socket = await connected()
      socket.write('first')
      for await (const chunk of socket) {
        log(String(chunk))
        break
      }
      log(`destroyed ${socket.destroyed}`)
      await closed(socket)
    },
  },
  {
    name: 'async iteration of a socket that is destroyed with an error',
    async call({ connected, log }) {
      const socket = await connected()
      setTimeout(() => socket.destroy(new RangeError('mine')), 30)
      try {
        for await (const chunk of socket) log(String(chunk))
      } catch (error) {
        log(failure(error))
      }
    },
  },
  {
    name: 'finished',
    async call({ connected, log }) {
      const socket = await connected()
      socket.end('x')
      socket.resume()
      await finished(socket)
      log('finished')
      const other = await connected()
      setTimeout(() => other.destroy(), 30)
      log(await finished(other).then(() => 'finished', failure))
    },
  },
]
