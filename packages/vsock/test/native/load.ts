// Much of everything at full numbers, on the addon of fake.c. It runs in a Stage:
//
//   node --expose-gc --conditions=@enclavejs/source test/native/load.ts tls|many|stop CERTIFICATE
//
// The last line is what was seen, as JSON, and the exit status 0 when it went as it should.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { connect, createServer, listenVsock, VMADDR_PORT_ANY } from '@enclavejs/vsock'

const GIBIBYTE = 2 ** 30
const MEBIBYTE = 2 ** 20
const STOP = 30_000
const [action, file = ''] = process.argv.slice(2)
const descriptors = (): number => readdirSync('/proc/self/fd').length

/** In a thread of its own: says its port, then what it received. */
async function sink(): Promise<void> {
  const { key, cert } = JSON.parse(readFileSync(workerData as string, 'utf8')) as {
    key: string
    cert: string
  }
  const server = createTlsServer({ key, cert }, (socket) => {
    const hash = createHash('sha256')
    let bytes = 0
    socket.on('data', (data: Buffer) => {
      hash.update(data)
      bytes += data.length
    })
    socket.once('end', () => {
      socket.end()
      server.close()
      const protocol = socket.getProtocol()
      parentPort?.postMessage({ bytes, checksum: hash.digest('hex'), protocol })
    })
  })
  listenVsock(server, { port: VMADDR_PORT_ANY })
  await once(server, 'listening')
  parentPort?.postMessage((server.address() as { port: number }).port)
}

async function tls(): Promise<unknown> {
  const worker = new Worker(new URL(import.meta.url), { workerData: file })
  const [port] = (await once(worker, 'message')) as [number]
  const socket = await connect({ cid: 1, port })
  const secure: TLSSocket = connectTls({ socket, rejectUnauthorized: false })
  await once(secure, 'secureConnect')
  const hash = createHash('sha256')
  const block = Buffer.alloc(MEBIBYTE)
  for (let sent = 0; sent < GIBIBYTE; sent += block.length) {
    block.fill(sent / MEBIBYTE).writeUInt32BE(sent / MEBIBYTE)
    hash.update(block)
    // A block is changed only when it has gone.
    await new Promise((resolve) => secure.write(block, resolve))
  }
  secure.end().resume()
  const [received] = (await once(worker, 'message')) as [unknown]
  const protocol = 'TLSv1.3'
  assert.deepEqual(received, { bytes: GIBIBYTE, checksum: hash.digest('hex'), protocol })
  return { bytes: GIBIBYTE, protocol }
}

async function many(): Promise<unknown> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy()).pipe(socket)
  }).listen({ port: VMADDR_PORT_ANY })
  await once(server, 'listening')
  const port = server.address()?.port as number
  const before = descriptors()
  const grown: number[] = []
  let answered = 0
  const one = async (how: number): Promise<void> => {
    const socket = await connect({ cid: 1, port })
    if (how % 5 === 0) socket.destroy()
    else {
      socket.end('x')
      for await (const data of socket) answered += (data as Uint8Array).length
    }
    if (!socket.closed) await once(socket, 'close')
  }
  for (let round = 0; round < 10; round++) {
    const memory = process.memoryUsage.rss()
    for (let part = 0; part < 5; part++) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => one(index)))
    }
    global.gc?.()
    grown.push(process.memoryUsage.rss() - memory)
  }
  assert.equal(answered, 4000)
  for (let waited = 0; descriptors() !== before && waited < 3000; waited += 20) await wait(20)
  assert.equal(descriptors(), before)
  assert.ok(Math.min(...grown) < MEBIBYTE, `memory grew by ${grown.join(', ')}`)
  server.close()
  return { connections: 5000 }
}

async function stop(): Promise<unknown> {
  let received = 0
  const server = createServer((socket) => {
    socket.on('data', (data) => (received += data.length))
    socket.on('end', () => socket.end())
    socket.pause()
    setTimeout(() => socket.resume(), STOP)
  }).listen({ port: VMADDR_PORT_ANY })
  await once(server, 'listening')
  const socket = await connect({ cid: 1, port: server.address()?.port as number })
  const block = Buffer.alloc(65_536)
  const started = performance.now()
  let sent = 0
  const sending = (async () => {
    while (performance.now() - started < STOP + 500) {
      sent += block.length
      if (!socket.write(block)) await once(socket, 'drain')
    }
    socket.end()
  })()
  await wait(1000)
  global.gc?.()
  const [memory, early] = [process.memoryUsage.rss(), sent]
  await wait(STOP - 1500)
  global.gc?.()
  const grown = process.memoryUsage.rss() - memory
  assert.equal(sent, early, 'the writer went on')
  assert.ok(sent < MEBIBYTE, `${sent} bytes before it waited`)
  assert.ok(grown < MEBIBYTE, `memory grew by ${grown}`)
  await sending
  socket.resume()
  await once(socket, 'close')
  assert.equal(received, sent)
  server.close()
  return { stopped: STOP }
}

if (!isMainThread) await sink()
else {
  const said = await { tls, many, stop }[action as 'tls' | 'many' | 'stop']()
  console.log(JSON.stringify(said))
}
