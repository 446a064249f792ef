import { once } from 'node:events'
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs'
import { createServer as createNetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { connect, type VsockSocket } from '@enclavejs/vsock'
import { loadBinding } from '../src/binding.ts'
import { descriptorOf } from '../src/descriptor.ts'

const linux = process.platform === 'linux'
const folder = mkdtempSync(join(tmpdir(), 'writing-'))
afterAll(() => rmSync(folder, { recursive: true }))
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

let count = 0
/** A connection of hybrid vsock, and its other end, which nobody reads yet. */
async function pair(): Promise<readonly [VsockSocket, Socket]> {
  const path = join(folder, String(count++))
  const others: Socket[] = []
  const server = createNetServer({ allowHalfOpen: true }, (socket) => {
    socket.once('data', () => socket.pause().write('OK 1\n'))
    others.push(socket)
  }).listen(path)
  await once(server, 'listening')
  const socket = await connect({ path, port: 5000 })
  const [other] = others as [Socket]
  closing.push(() => void (socket.destroy(), other.destroy(), server.close()))
  return [socket, other]
}

describe.skipIf(!linux)('a small write goes to the kernel at once', () => {
  test('is counted, and nothing is queued for it', async () => {
    const [socket, other] = await pair()
    const { sends, end } = countSends()
    expect(socket.write(Buffer.from('one'))).toBe(true)
    expect(sends()).toBe(1)
    expect(socket).toMatchObject({ writableLength: 0, bytesWritten: 3 })
    socket.write('two')
    socket.write(Buffer.from('three'), () => undefined)
    expect(sends()).toBe(1)
    end()
    socket.end()
    expect(await text(other)).toBe('onetwothree')
    expect(socket.bytesWritten).toBe(11)
    socket.destroy()
    expect(socket.bytesWritten).toBe(11)
  })

  test('what the kernel does not take waits, is sent in order, and says so', async () => {
    const [socket, other] = await pair()
    const parts = Array.from({ length: 20 }, (_, index) => Buffer.alloc(60_000, index))
    const answers = parts.map((part) => socket.write(part))
    expect(answers[0]).toBe(true)
    expect(answers.at(-1)).toBe(false)
    expect(socket.writableLength).toBeGreaterThan(0)
    expect(socket.writableLength % 60_000).not.toBe(0)
    expect(socket.bytesWritten).toBe(20 * 60_000)
    socket.end()
    const chunks: Buffer[] = []
    for await (const chunk of other) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).equals(Buffer.concat(parts))).toBe(true)
  })

  test('fails as every write does', async () => {
    const [socket, other] = await pair()
    other.destroy()
    await once(other, 'close')
    const failed = once(socket, 'error')
    socket.write(Buffer.from('anybody there?'))
    expect((await failed)[0]).toMatchObject({
      code: expect.stringMatching(/^(?:EPIPE|ECONNRESET)$/),
      syscall: 'write',
      port: 5000,
    })
  })

  test('never to a descriptor that is another socket by now', async () => {
    const [one] = await pair()
    const number = descriptorOf(one)
    one.on('error', () => undefined).destroy()
    const place = `/proc/self/fd/${String(number)}`
    await once(one, 'close')
    let now = ''
    for (let more = 0; more < 50 && !now.startsWith('socket:'); more++) {
      await pair()
      now = readlinkSync(place)
    }
    expect(now).toMatch(/^socket:/)
    const { sends, end } = countSends()
    one.write(Buffer.from('a secret'))
    expect(sends()).toBe(0)
    end()
  })

  test('not while a timeout is set, a cork is in, or the socket has ended', async () => {
    const [socket, other] = await pair()
    const { sends, end } = countSends()
    socket.setTimeout(60_000)
    socket.write(Buffer.from('1'))
    socket.setTimeout(0)
    socket.cork()
    socket.write(Buffer.from('2'))
    socket.uncork()
    await new Promise((resolve) => setImmediate(resolve))
    expect(sends()).toBe(0)
    socket.write(Buffer.from('3'))
    expect(sends()).toBe(1)
    socket.end()
    const failed = once(socket, 'error')
    expect(socket.write(Buffer.from('4'))).toBe(false)
    expect((await failed)[0]).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' })
    expect(sends()).toBe(1)
    end()
    expect(await text(other)).toBe('123')
  })
})

/** Counts what the addon is asked to send. */
function countSends(): { readonly sends: () => number; readonly end: () => void } {
  const binding = loadBinding()
  const { send } = binding
  let sent = 0
  binding.send = (fd, bytes) => {
    sent++
    return send(fd, bytes)
  }
  return { sends: () => sent, end: () => void (binding.send = send) }
}
