// The bounds that hold where no option says otherwise: what is too late is too late by a millisecond.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer as createNetServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  createConnection,
  createServer,
  FrameDecoder,
  readProxyHeader,
  sendHeartbeat,
  serveMessages,
} from '@enclavejs/vsock'
import { startProxy } from '@enclavejs/vsock/proxy'

const MEBIBYTE = 2 ** 20
const folder = mkdtempSync(join(tmpdir(), 'bounds-'))
const closing: (() => unknown)[] = []
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(async () => {
  vi.useRealTimers()
  for (const close of closing.splice(0)) await close()
})

/** Turns of the event loop, of which timers are no part, until something holds. */
async function turns(holds: () => boolean, most = 20_000): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn > most) throw new Error(`waited in vain for ${String(holds)}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function listeningUnix(name: string): Promise<string> {
  const path = join(folder, name)
  const server = createNetServer({ allowHalfOpen: true }, (socket) => {
    closing.push(() => socket.destroy())
    socket.on('error', () => undefined).resume()
  }).listen(path)
  closing.push(() => server.close())
  await once(server, 'listening')
  return path
}

/** Holds until so many milliseconds have passed, and not one more. */
async function lasts(milliseconds: number, isOver: () => boolean): Promise<void> {
  vi.advanceTimersByTime(milliseconds - 1)
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(isOver()).toBe(false)
  vi.advanceTimersByTime(1)
  await turns(isOver)
}

test.skipIf(process.platform !== 'linux')('a connection has 2 seconds', async () => {
  const socket = createConnection({ path: await listeningUnix('silent'), port: 1 })
  let error: unknown
  socket.once('error', (cause) => (error = cause))
  await lasts(2000, () => error !== undefined)
  expect(error).toMatchObject({ code: 'ETIMEDOUT' })
})

test('a heartbeat has 10 seconds', async () => {
  let error: unknown
  const sent = sendHeartbeat({ connect: () => new Promise(() => undefined) })
  sent.catch((cause: unknown) => (error = cause))
  await lasts(10_000, () => error !== undefined)
  expect(error).toMatchObject({ code: 'ERR_VSOCK_HEARTBEAT' })
})

test('a PROXY header has 2 seconds', async () => {
  let error: unknown
  readProxyHeader(new PassThrough()).catch((cause: unknown) => (error = cause))
  await lasts(2000, () => error !== undefined)
  expect(error).toMatchObject({ code: 'ERR_VSOCK_PROXY_HEADER' })
})

/** One end of a connection whose other end is the test. */
function connectionTo(server: ReturnType<typeof createServer>) {
  const answers = new FrameDecoder()
  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => undefined,
    write: (chunk, _encoding, callback) => void answers.write(chunk, callback),
  })
  server.emit('connection', Object.assign(stream, { setNoDelay: () => stream }))
  const said: string[] = []
  answers.on('data', (answer: Uint8Array) => said.push(Buffer.from(answer.subarray(1)).toString()))
  closing.push(() => stream.destroy())
  return { stream, said }
}

test('the rest of a message has 30 seconds', async () => {
  const server = createServer()
  serveMessages(server, (message) => message)
  const { stream, said } = connectionTo(server)
  stream.push(Uint8Array.of(0, 0, 0, 2, 1))
  await new Promise((resolve) => setImmediate(resolve))
  await lasts(30_000, () => said.length > 0)
  expect(said).toEqual(['TIMEOUT'])
})

test('a message server holds 128 MiB', async () => {
  const server = createServer()
  const messages = serveMessages(server, (message) => message, { maxMessageLength: 2 ** 30 })
  const { stream, said } = connectionTo(server)
  stream.push(Uint8Array.of(0x20, 0, 0, 0))
  const piece = new Uint8Array(16 * MEBIBYTE) // the same memory each time
  for (let count = 1; count <= 8; count++) {
    stream.push(piece)
    await turns(() => messages.heldBytes >= count * piece.length)
  }
  expect([messages.heldBytes, said]).toEqual([128 * MEBIBYTE, []])
  stream.push(Uint8Array.of(1))
  await turns(() => said.length > 0)
  expect(said).toEqual(['BUSY'])
})

test('the proxy gives a connection on which nothing moves 300 seconds', async () => {
  const path = join(folder, 'v')
  const server = createNetServer((socket) => {
    socket.on('error', () => undefined).resume()
  }).listen(0, '127.0.0.1')
  closing.push(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy = await startProxy({
    outbound: [{ listen: { port: 8000, path }, to: { host: '127.0.0.1', port } }],
  })
  closing.unshift(() => proxy.close({ deadline: 0 }))
  const client = connect(`${path}_8000`)
  client.on('error', () => undefined).resume()
  closing.unshift(() => client.destroy())
  await turns(() => proxy.metrics().includes('opened_total{listener="outbound-8000"} 1'))
  await lasts(300_000, () => proxy.listeners[0]?.open === 0)
  expect(proxy.metrics()).toContain('closed_total{listener="outbound-8000",reason="idle"} 1')
})
