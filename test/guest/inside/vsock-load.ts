// The packed @enclavejs/vsock on the kernel's own AF_VSOCK, by loopback: much data, many connections, and what goes wrong.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer as createPlainServer, type Server, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import {
  connect,
  createConnection,
  createServer,
  FrameDecoder,
  listenVsock,
  VMADDR_PORT_ANY,
  type VsockServer,
  type VsockSocket,
} from '@enclavejs/vsock'
import { check, done, note } from './report.ts'

const HERE = 1
const NOBODY = 4_294_900_000
const LIMIT = Number(process.env['LIMIT'])
const STOP = Number(process.env['STOP']) * 1000
/** An hour is enough for all of it; otherwise it is as much as there is time for, and not less than what is said. */
const WHOLE = LIMIT >= 3600
const peer = new URL('./vsock-peer.ts', import.meta.url)

const descriptors = (): number => readdirSync('/proc/self/fd').length
const mib = (bytes: number): number => Math.round((bytes / 2 ** 20) * 10) / 10
const quiet = (socket: Socket): Socket => socket.on('error', () => socket.destroy())

async function serve(
  listener: (socket: VsockSocket) => void,
  options: { bufferSize?: number; allowedCids?: number[] } = {},
): Promise<{ server: VsockServer; port: number; close: () => Promise<void> }> {
  const server = createServer({ allowHalfOpen: true }, listener)
  server.listen({ port: VMADDR_PORT_ANY, ...options })
  await once(server, 'listening')
  const close = (): Promise<void> => new Promise((closed) => server.close(() => closed()))
  return { server, port: server.address()?.port as number, close }
}

/** Waits until nothing of the last check is left. */
async function settle(before: number): Promise<void> {
  for (let waited = 0; descriptors() !== before && waited < 3000; waited += 20) await wait(20)
  assert.equal(descriptors(), before, 'descriptors')
}

await check('allowedCids', async () => {
  const { port, close } = await serve(() => assert.fail('taken'), { allowedCids: [3, 16] })
  const socket = await connect({ cid: HERE, port })
  socket.resume()
  await once(socket, 'close')
  assert.equal(socket.bytesRead, 0)
  await close()
})

await check('bufferSize is what a peer may send', async () => {
  const queued: number[] = []
  for (const bufferSize of [4096, 4 * 2 ** 20]) {
    const { port, close } = await serve((socket) => void socket.pause(), { bufferSize })
    // Kernels since 2026 take the smaller of what both ends say.
    const socket = await connect({ cid: HERE, port, bufferSize: 4 * 2 ** 20 })
    quiet(socket).write(Buffer.alloc(2 ** 20))
    await wait(1000)
    const backlog = (socket as unknown as { _handle: { writeQueueSize: number } })._handle
    queued.push(backlog.writeQueueSize)
    socket.destroy()
    void close()
  }
  const [small = 0, large = 0] = queued
  // What is under way is not in it yet: a packet of 64 KiB.
  assert.ok(small > 2 ** 20 - 2 * 65_536, `${small} bytes wait at 4 KiB`)
  assert.equal(large, 0)
})

await check('1 GiB through TLS with checksums, or what there is time for', async () => {
  const before = descriptors()
  const worker = new Worker(peer, { workerData: { action: 'tls-sink' } })
  const [port] = (await once(worker, 'message')) as [number]
  const sender = new Worker(peer, {
    workerData: { action: 'tls-source', port, mib: 1024, seconds: LIMIT },
  })
  const started = performance.now()
  const [[received], [sent]] = (await Promise.all([
    once(worker, 'message'),
    once(sender, 'message'),
  ])) as unknown as [[Sum], [Sum]]
  const seconds = (performance.now() - started) / 1000
  assert.deepEqual(received, sent)
  assert.ok(received.bytes >= (WHOLE ? 2 ** 30 : 32 * 2 ** 20), `${mib(received.bytes)} MiB`)
  await Promise.all([worker.terminate(), sender.terminate()])
  await settle(before)
  const size = mib(received.bytes)
  return `${size} MiB in ${seconds.toFixed(1)} s, ${(size / seconds).toFixed(1)} MiB/s, ${received.protocol}`
})

interface Sum {
  readonly bytes: number
  readonly checksum: string
  readonly protocol: string
}

await check('500 connections open at once', async () => {
  const before = descriptors()
  const { port, close, server } = await serve((socket) => void quiet(socket).pipe(socket))
  const sockets = await Promise.all(Array.from({ length: 500 }, () => connect({ cid: HERE, port })))
  const answers = sockets.map(async (socket, index) => {
    const [data] = (await once(socket, 'data')) as [Uint8Array]
    return String(data) === `number ${index}`
  })
  for (const [index, socket] of sockets.entries()) socket.write(`number ${index}`)
  assert.ok((await Promise.all(answers)).every(Boolean))
  const open = await new Promise((resolve) => {
    server.getConnections((_error, count) => resolve(count))
  })
  assert.equal(open, 500)
  for (const socket of sockets) socket.end()
  await close()
  await settle(before)
})

await check('5,000 connections opened and closed, or what there is time for', async () => {
  const { port, close } = await serve((socket) => void quiet(socket).pipe(socket))
  const before = descriptors()
  const grown: number[] = []
  let [made, answered] = [0, 0]
  const one = async (how: number): Promise<void> => {
    const socket = await connect({ cid: HERE, port })
    if (how % 5 === 0) socket.destroy()
    else {
      socket.end('x')
      for await (const data of socket) answered += (data as Uint8Array).length
    }
    if (!socket.closed) await once(socket, 'close')
  }
  const started = performance.now()
  while (made < 5000 && performance.now() - started < LIMIT * 1000) {
    const memory = process.memoryUsage.rss()
    for (let part = 0; part < 5; part++) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => one(index)))
      made += 100
    }
    global.gc?.()
    grown.push(mib(process.memoryUsage.rss() - memory))
  }
  assert.ok(made >= (WHOLE ? 5000 : 1000), `${made} connections`)
  assert.equal(answered, (made / 5) * 4)
  await settle(before)
  await close()
  assert.ok(Math.min(...grown) < 1, `memory grew by ${grown.join(', ')} MiB`)
  const each = (performance.now() - started) / made
  return `${made}, ${each.toFixed(2)} ms each, memory by ${grown.join(', ')} MiB`
})

await check('1,000 connections to a port without listener', async () => {
  const before = descriptors()
  const codes = new Map<string, number>()
  await Promise.all(
    Array.from({ length: 1000 }, async () => {
      const { code = '' } = (await connect({ cid: HERE, port: NOBODY }).catch(
        (error: unknown) => error,
      )) as NodeJS.ErrnoException
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }),
  )
  assert.deepEqual([...codes], [['ECONNRESET', 1000]])
  await settle(before)
})

await check(`a reader that stops for ${STOP / 1000} s`, async () => {
  let received = 0
  const { port, close } = await serve((socket) => {
    socket.pause()
    setTimeout(() => socket.resume(), STOP)
    socket.on('data', (data) => (received += data.length))
    socket.on('end', () => socket.end())
    socket.pause()
  })
  const socket = await connect({ cid: HERE, port })
  const block = Buffer.alloc(65_536)
  let sent = 0
  const started = performance.now()
  const sending = (async () => {
    while (performance.now() - started < STOP + 1000) {
      sent += block.length
      if (!socket.write(block)) await once(socket, 'drain')
    }
    socket.end()
  })()
  await wait(1000)
  global.gc?.()
  const [memory, sentEarly] = [process.memoryUsage.rss(), sent]
  await wait(STOP - 1500)
  global.gc?.()
  const grown = process.memoryUsage.rss() - memory
  assert.equal(sent, sentEarly, 'the writer went on')
  assert.ok(sent < 2 ** 20, `${sent} bytes before it waited`)
  assert.ok(grown < 2 ** 20, `memory grew by ${mib(grown)} MiB`)
  await sending
  socket.resume()
  await once(socket, 'close')
  assert.equal(received, sent)
  await close()
  return `waits after ${sentEarly / 1024} KiB, memory by ${mib(grown)} MiB`
})

await check('a peer that is killed in the middle of a message', async () => {
  const ended: string[] = []
  let whole = 0
  let told = (): void => {}
  const messages = new Promise<void>((resolve) => (told = resolve))
  const { port, close } = await serve(async (socket) => {
    socket.on('error', (error) => ended.push(`error ${error.message}`))
    socket.on('end', () => ended.push('end'))
    try {
      for await (const message of socket.pipe(new FrameDecoder())) {
        whole += (message as Uint8Array).length === 1000 ? 1 : 1000
      }
      ended.push('complete')
    } catch (error) {
      ended.push((error as NodeJS.ErrnoException).code ?? '')
    }
    socket.destroy()
    told()
  })
  const child = spawn(process.execPath, [peer.pathname, 'half', String(port)], { stdio: 'pipe' })
  await once(child.stdout, 'data')
  await wait(100)
  child.kill('SIGKILL')
  await messages
  // The kernel's end is a plain one: only the length tells.
  assert.deepEqual(ended, ['end', 'ERR_VSOCK_FRAME_TRUNCATED'])
  assert.equal(whole, 3)
  await close()
})

await check('no descriptor left (EMFILE)', async () => {
  const limited = (action: string, ...values: string[]): Promise<string> => {
    const command = `ulimit -n 64; exec ${process.execPath} ${peer.pathname} ${action} ${values.join(' ')}`
    const child = spawn('/bin/busybox', ['sh', '-c', command], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout.on('data', (data: Uint8Array) => (out += String(data)))
    return new Promise((resolve) => child.on('close', (status) => resolve(`${out}${status}`)))
  }
  const { port, close } = await serve((socket) => void quiet(socket).pipe(socket))
  assert.match(await limited('exhaust', String(port)), /^EMFILE \d\d\nstill there\n0$/)
  const left = serve(async (control) => {
    // The server tells its port, and then has 64 descriptors for 150 connections.
    const [data] = (await once(control, 'data')) as [Uint8Array]
    const crowd = Array.from({ length: 150 }, () =>
      createConnection({ cid: HERE, port: Number(String(data)) }),
    )
    for (const socket of crowd) quiet(socket).resume()
    await wait(1500)
    for (const socket of crowd) socket.destroy()
    await wait(500)
    const after = await connect({ cid: HERE, port: Number(String(data)) })
    after.end('still there')
    for await (const answer of after) control.end(answer as Uint8Array)
  })
  const control = await left
  assert.equal(await limited('crowded', String(control.port)), 'still there\n0')
  await Promise.all([close(), control.close()])
})

await check('close races from worker threads', async () => {
  const { port, close } = await serve((socket) => {
    quiet(socket).on('data', (data) => {
      if (data.length % 3 === 0) socket.destroy()
      else socket.end(data)
    })
    socket.on('end', () => socket.end())
  })
  await wait(100)
  const before = descriptors()
  const threads = Array.from({ length: 4 }, () => {
    const worker = new Worker(peer, { workerData: { action: 'race', port } })
    return once(worker, 'message').then(() => worker)
  })
  const workers = await Promise.all(threads)
  for (const [index, worker] of workers.entries()) {
    await wait(300)
    if (index % 2 === 0) await worker.terminate()
    else {
      worker.postMessage('exit')
      await once(worker, 'exit')
    }
  }
  await settle(before)
  const socket = await connect({ cid: HERE, port })
  socket.end('still there!')
  socket.resume()
  await once(socket, 'close')
  await close()
})

await check('a plain net.Server, listening again and again', async () => {
  const before = descriptors()
  const server: Server = createPlainServer((socket) => socket.end())
  for (let round = 0; round < 50; round++) {
    listenVsock(server, { port: 6000 })
    await once(server, 'listening')
    await new Promise((closed) => server.close(closed))
  }
  await settle(before)
})

note(`${process.version}, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB at the end`)
done()
process.exit()
