// Everything that the addon does, in one process: under sanitizers, and as a check for leaks. It runs in a Stage with the
// addon of fake.c.
//
//   node --expose-gc --conditions=@enclavejs/source test/native/exercise.ts [ROUNDS]
//
// The last line is `clean` and the exit status 0 when every step went as it should.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as wait } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { connect, createConnection, createServer, getLocalCid } from '@enclavejs/vsock'
import type { VsockBinding } from '../../src/binding.ts'

const rounds = Number(process.argv[2] ?? '3')
const binding = createRequire(import.meta.url)(
  `../../prebuilds/linux-${process.arch}.node`,
) as VsockBinding
const descriptors = (): number => readdirSync('/proc/self/fd').length
const code = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)

async function misuse(): Promise<void> {
  const untyped = binding as unknown as Record<string, (...values: unknown[]) => unknown>
  for (const name of Object.keys(untyped)) {
    if (name === 'localCid') continue
    assert.throws(() => untyped[name]?.(), /too few arguments/, name)
    assert.throws(() => untyped[name]?.('a', {}, null, [], 1n, undefined, 'b'), Error, name)
  }
  for (const value of [undefined, {}, 5, () => {}]) {
    assert.throws(() => untyped['cancel']?.(value), /not a connector/)
  }
  const fd = binding.placeholder(false)
  assert.ok(fd > 2)
  assert.equal(binding.become(-1, fd), -9)
  assert.equal(binding.become(fd, -1), -9)
  assert.equal(binding.become(0, fd) < 0, true, 'no number that is not a placeholder')
  assert.equal(binding.name(-1, true), -9)
  assert.throws(() => untyped['connect']?.(fd, 80, 1, 0, 0, 5, 'no function'), Error)
  assert.equal(
    binding.connect(-1, 1, 5000, 0, 0, 100, () => {}),
    -9,
  )
  assert.equal(binding.close(fd), 0)
  assert.equal(binding.close(fd), -9)
  assert.equal(binding.listen(77, 5000, 0, 1), -99)
  const alone = binding.placeholder(false)
  assert.throws(() => untyped['send']?.(alone, new Uint16Array(2)), /not a Uint8Array/)
  // The other end of a placeholder is closed: EPIPE, and no signal. What is no Unix socket is left alone.
  assert.equal(binding.send(alone, new Uint8Array(4)), -32)
  assert.equal(binding.send(-1, new Uint8Array(4)), -9)
  assert.equal(binding.empty(alone), 0)
  assert.equal(binding.empty(-1), -9)
  assert.equal(binding.empty(0) < 0, true, 'no descriptor that is not a Unix socket')
  binding.close(alone)
  assert.equal(getLocalCid(), 1)
}

async function connections(): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen({ port: 0xffff_ffff })
  await once(server, 'listening')
  const port = server.address()?.port as number
  // After a millisecond, at once, and after ten.
  const answers = [1, 2, 91, 1, 2, 91].map(async (cid) => {
    const socket = await connect({ cid, port })
    socket.end('answer')
    for await (const data of socket) assert.equal(String(data), 'answer')
  })
  await Promise.all(answers)
  const failed = async (cid: number, at: number, expected: string): Promise<void> => {
    const error: unknown = await connect({ cid, port: at, connectTimeout: 30 }).catch((e) => e)
    assert.equal(code(error), expected)
  }
  await failed(1, 77, 'ECONNRESET')
  await failed(2, 77, 'ECONNRESET')
  await failed(80, port, 'ETIMEDOUT')
  await failed(70, 105, 'ENOBUFS')
  await failed(200, port, 'ENODEV')
  // Left while they connect, in every way.
  for (let index = 0; index < 12; index++) {
    const socket = createConnection({ cid: 91, port })
    socket.on('error', () => {})
    if (index % 4 === 0) socket.destroy()
    else if (index % 4 === 1) setImmediate(() => socket.destroy())
    else if (index % 4 === 2) socket.once('connect', () => socket.destroy())
    else socket.unref().ref().end('gone')
    socket.resume()
    if (index % 3 === 0) global.gc?.()
    if (!socket.closed) await once(socket, 'close')
  }
  // A connector that nobody holds, and one that is cancelled and used on.
  const called: number[] = []
  for (let index = 0; index < 5; index++) {
    const fd = binding.placeholder(false)
    const lost = binding.connect(fd, 91, port, 0, 0, 1000, (result) => {
      called.push(result)
      binding.close(fd)
    })
    assert.equal(typeof lost, 'object')
    global.gc?.()
  }
  const fd = binding.placeholder(false)
  const connector = binding.connect(fd, 80, port, 0, 0, 60_000, () => assert.fail('called'))
  assert.ok(typeof connector === 'object')
  binding.setRef(connector, false)
  binding.setRef(connector, true)
  binding.cancel(connector)
  binding.cancel(connector)
  binding.setRef(connector, true)
  binding.close(fd)
  while (called.length < 5) await wait(5)
  assert.deepEqual(called, [0, 0, 0, 0, 0])
  // An exception in the callback is this process's own.
  const uncaught = once(process, 'uncaughtException')
  const thrower = binding.placeholder(false)
  binding.connect(thrower, 1, port, 0, 0, 1000, () => {
    throw new Error('on purpose')
  })
  const [error] = (await uncaught) as [Error]
  assert.equal(error.message, 'on purpose')
  binding.close(thrower)
  await new Promise((closed) => server.close(closed))
}

/** Worker threads that end in every way, with connections in every state. */
async function workers(): Promise<void> {
  for (const end of ['alone', 'exit', 'terminate', 'terminate']) {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: end,
      execArgv: process.execArgv.filter((flag) => flag.startsWith('--conditions')),
    })
    const ended = once(worker, 'exit')
    if (end === 'terminate') {
      await once(worker, 'message')
      await worker.terminate()
    }
    await ended
  }
}

async function inWorker(end: string): Promise<void> {
  const server = createServer((socket) => void socket.resume())
  server.listen({ port: 0xffff_ffff })
  await once(server, 'listening')
  const port = server.address()?.port as number
  const open = await Promise.all([1, 2, 91].map((cid) => connect({ cid, port })))
  const waiting = Array.from({ length: 20 }, (_, index) =>
    createConnection({ cid: index % 2 === 0 ? 80 : 93, port, connectTimeout: 60_000 }),
  )
  for (const socket of waiting) socket.on('error', () => {})
  parentPort?.postMessage('under way')
  // Opened, and handed to nobody.
  binding.placeholder(false)
  binding.placeholder(true)
  binding.listen(0xffff_ffff, 0xffff_ffff, 0, 1)
  if (end === 'exit') process.exit(0)
  await wait(20)
  for (const socket of [...open, ...waiting]) socket.destroy()
  server.close()
}

async function settled(): Promise<number> {
  for (let pass = 0; pass < 4; pass++) {
    global.gc?.()
    await wait(30)
  }
  return descriptors()
}

if (isMainThread) {
  await misuse()
  await connections()
  await workers()
  const before = await settled()
  for (let index = 0; index < rounds; index++) {
    await connections()
    await workers()
  }
  assert.equal(await settled(), before)
  console.log('clean')
} else {
  await inWorker(workerData as string)
}
