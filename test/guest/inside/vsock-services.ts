// What runs above the sockets, on the kernel's own AF_VSOCK by loopback: the parent's proxy in a process of its own, messages,
// and the heartbeat. Of the packed @enclavejs/vsock.
import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  connect,
  createServer,
  encodeFrame,
  FrameDecoder,
  MessageClient,
  MessageError,
  readProxyHeader,
  sendHeartbeat,
  serveMessages,
  VMADDR_PORT_ANY,
  type MessageServer,
  type MessageServerOptions,
  type VsockServer,
  type VsockSocket,
} from '@enclavejs/vsock'
import { startProxy } from '@enclavejs/vsock/proxy'
import { check, done } from './report.ts'

const HERE = 1
const ELSEWHERE = 77
const MANY = 1000
const [UP, CLOSED, INWARD] = [8000, 8001, 8443]

/** The whole of what a stream gives, and what its end was. */
async function all(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

/** The first bytes that a stream gives; it fails where the stream is closed without any. */
async function first(socket: Socket): Promise<string> {
  const closed = new AbortController()
  socket.once('close', () => closed.abort(new Error('closed without an answer')))
  const [data] = (await once(socket, 'data', { signal: closed.signal })) as [Uint8Array]
  return String(data)
}

async function listening(server: VsockServer, port: number = VMADDR_PORT_ANY): Promise<number> {
  server.listen({ port })
  await once(server, 'listening')
  return server.address()?.port as number
}

async function answer<T>(child: ChildProcess, question: string): Promise<T> {
  child.send(question)
  const [value] = (await once(child, 'message')) as [T]
  return value
}

/** The parent's proxy, until SIGTERM; it then says how many connections it cut off. */
async function runProxy(backend: number): Promise<void> {
  const to = { host: '127.0.0.1', port: backend }
  // An emulated machine takes its time to connect so many.
  const limits = { maxConnections: MANY, connectTimeout: 120_000 }
  const proxy = await startProxy({
    outbound: [
      { name: 'up', listen: { port: UP, allowedCids: [HERE] }, to, ...limits },
      { name: 'closed', listen: { port: CLOSED, allowedCids: [ELSEWHERE] }, to },
    ],
    inbound: [
      { name: 'in', listen: { port: 0 }, to: { cid: HERE, port: INWARD }, proxyProtocol: true },
    ],
  })
  process.on('message', (question) => {
    process.send?.(question === 'metrics' ? proxy.metrics() : proxy.listeners)
  })
  process.once('SIGTERM', () => {
    process.send?.('draining')
    void proxy.close({ deadline: 60_000 }).then(({ cut }) => process.exit(cut === 0 ? 0 : 1))
  })
  process.send?.('ready')
}

async function checkProxy(): Promise<void> {
  const seen = new Set<Socket>()
  const backend = createTcpServer({ allowHalfOpen: true }, (socket) => {
    seen.add(socket)
    socket.on('error', () => {}).on('close', () => seen.delete(socket))
    socket.pipe(socket)
  })
  backend.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  await once(backend, 'listening')
  const { port } = backend.address() as { port: number }
  const child = fork(fileURLToPath(import.meta.url), ['proxy', String(port)])
  const ended = once(child, 'exit')
  await once(child, 'message')
  const dial = (to = UP): Promise<VsockSocket> =>
    connect({ cid: HERE, port: to, allowHalfOpen: true, connectTimeout: 60_000 })
  const open: VsockSocket[] = []

  await check(`the proxy: ${MANY} connections at once, and one too many`, async () => {
    const started = performance.now()
    open.push(...(await Promise.all(Array.from({ length: MANY }, () => dial()))))
    const answers = open.map((socket) => first(socket))
    for (const [index, socket] of open.entries()) socket.write(`number ${index}`)
    assert.deepEqual(
      await Promise.all(answers),
      open.map((_, index) => `number ${index}`),
    )
    assert.equal(seen.size, MANY)
    assert.equal(await all(await dial()), '')
    const metrics = await answer<string>(child, 'metrics')
    assert.match(metrics, new RegExp(`_connections\\{listener="up"\\} ${MANY}\\n`))
    assert.match(metrics, /_refused_total\{listener="up",reason="cap"\} 1\n/)
    return `${((performance.now() - started) / 1000).toFixed(1)} s`
  })

  await check('the proxy: a CID that it was not told is closed without a byte', async () => {
    assert.equal(await all(await dial(CLOSED)), '')
    const metrics = await answer<string>(child, 'metrics')
    assert.match(metrics, /_refused_total\{listener="closed",reason="cid"\} 1\n/)
    assert.match(metrics, /_opened_total\{listener="closed"\} 0\n/)
  })

  await check('the proxy: inbound, with who connects and half-close both ways', async () => {
    const claims: unknown[] = []
    const server = createServer({ allowHalfOpen: true }, async (socket) => {
      const { claimedAddress } = await readProxyHeader(socket)
      claims.push(claimedAddress?.address, socket.remoteCid)
      const asked = await all(socket)
      socket.end(`after your end: ${asked}`)
    })
    await listening(server, INWARD)
    const listeners = await answer<{ name: string; port: number }[]>(child, 'listeners')
    const inward = listeners.find(({ name }) => name === 'in')?.port as number
    const socket = connectTcp({ port: inward, host: '127.0.0.1', allowHalfOpen: true })
    socket.end('question')
    assert.equal(await all(socket), 'after your end: question')
    assert.deepEqual(claims, ['127.0.0.1', HERE])
    server.close()
  })

  await check(`the proxy: SIGTERM with ${MANY} open connections loses nothing`, async () => {
    child.kill('SIGTERM')
    await once(child, 'message')
    await wait(500)
    await assert.rejects(dial(), { code: 'ECONNRESET' })
    const answers = open.map((socket) => all(socket))
    for (const [index, socket] of open.entries()) socket.end(`, and ${index} after it`)
    assert.deepEqual(
      await Promise.all(answers),
      open.map((_, index) => `, and ${index} after it`),
    )
    assert.deepEqual(await ended, [0, null])
    assert.equal(seen.size, 0)
  })
  backend.close()
}

interface Messages {
  readonly port: number
  readonly messages: MessageServer
}

async function serve(
  handler: Parameters<typeof serveMessages>[1],
  options?: MessageServerOptions,
): Promise<Messages> {
  const server = createServer()
  const messages = serveMessages(server, handler, options)
  return { port: await listening(server), messages }
}

const clientOf = (port: number): MessageClient =>
  new MessageClient({ connect: ({ signal }) => connect({ cid: HERE, port, signal }) })

async function checkMessages(): Promise<void> {
  await check('messages: 300 requests of all sizes on one connection, in order', async () => {
    const cids = new Set<unknown>()
    const { port, messages } = await serve((message, { remote }) => {
      cids.add(remote.cid)
      if (message[0] === 13) throw new MessageError('UNLUCKY', 'of which the peer hears nothing')
      if (message[0] === 14) throw new Error('a secret')
      return message.toReversed()
    })
    const client = clientOf(port)
    const sizes = Array.from({ length: 300 }, (_, index) => (index % 10 === 0 ? 200_000 : index))
    const given = sizes.map((size, index) => new Uint8Array(size).fill(20 + (index % 200)))
    const answers = await Promise.all(given.map((message) => client.request(message)))
    for (const [index, message] of answers.entries()) {
      assert.ok(Buffer.from(message).equals(given[index]?.toReversed() as Uint8Array), `${index}`)
    }
    await assert.rejects(client.request(Uint8Array.of(13)), {
      ...{ code: 'ERR_VSOCK_MESSAGE_REMOTE', remoteCode: 'UNLUCKY' },
    })
    await assert.rejects(client.request(Uint8Array.of(14)), { remoteCode: 'INTERNAL' })
    assert.deepEqual([...cids], [HERE])
    assert.equal(messages.connections, 1)
    await client.close()
    await messages.close()
  })

  await check('messages: 4 GB announced, a message that stops, a peer that is gone', async () => {
    const bounds = { readTimeout: 500, maxConnections: 2 }
    const { port, messages } = await serve((message) => message, bounds)
    const told = async (bytes: Uint8Array): Promise<string[]> => {
      const socket = await connect({ cid: HERE, port })
      socket.write(bytes)
      const codes: string[] = []
      for await (const frame of socket.pipe(new FrameDecoder())) {
        codes.push(Buffer.from(frame as Uint8Array).toString())
      }
      return codes
    }
    assert.deepEqual(await told(Uint8Array.of(255, 255, 255, 255, 1)), ['\x01TOO_LARGE'])
    assert.deepEqual(await told(encodeFrame(new Uint8Array(9)).subarray(0, 6)), ['\x01TIMEOUT'])
    while (messages.connections > 0) await wait(10)
    const idle = [await connect({ cid: HERE, port }), await connect({ cid: HERE, port })]
    while (messages.connections < 2) await wait(10)
    assert.deepEqual(await told(encodeFrame(new Uint8Array(1))), ['\x01BUSY'])
    for (const socket of idle) socket.destroy()
    while (messages.connections > 0) await wait(10)
    assert.equal(messages.heldBytes, 0)
    await messages.close()
  })

  await check(
    'messages: a server that closes answers what it has, and one that is gone',
    async () => {
      let begun = (): void => {}
      const working = new Promise<void>((resolve) => (begun = resolve))
      const { port, messages } = await serve(async (message) => {
        begun()
        await wait(300)
        return message
      })
      const client = clientOf(port)
      const last = client.request(Uint8Array.of(1))
      await working
      await messages.close()
      assert.deepEqual([...(await last)], [1])
      await assert.rejects(client.request(Uint8Array.of(2)), (error: NodeJS.ErrnoException) => {
        const { code } = error.cause as NodeJS.ErrnoException
        return error.code === 'ERR_VSOCK_MESSAGE_CONNECTION' && code === 'ECONNRESET'
      })
      await client.close()
    },
  )
}

async function checkHeartbeat(): Promise<void> {
  await check('the heartbeat: sent and answered, answered wrongly, and nobody there', async () => {
    const received: number[] = []
    const parent = createServer((socket) => {
      socket.once('data', ([byte = 0]) => {
        received.push(byte)
        socket.end(Uint8Array.of(received.length === 1 ? byte : 0))
      })
    })
    const port = await listening(parent, 9000)
    const failed = { code: 'ERR_VSOCK_HEARTBEAT' }
    await sendHeartbeat({ cid: HERE })
    await assert.rejects(sendHeartbeat({ cid: HERE, port }), { ...failed, message: /0x00/ })
    assert.deepEqual(received, [0xb7, 0xb7])
    await new Promise((closed) => parent.close(closed))
    await assert.rejects(sendHeartbeat({ cid: HERE }), (error: NodeJS.ErrnoException) => {
      const { code } = error.cause as NodeJS.ErrnoException
      return error.code === failed.code && code === 'ECONNRESET'
    })
    // The parent of a Nitro Enclave, which is what it takes where it is told nothing: there is none here.
    await assert.rejects(sendHeartbeat(), { ...failed, message: /CID 3, port 9000/ })
  })
}

if (process.argv[2] === 'proxy') await runProxy(Number(process.argv[3]))
else {
  await checkProxy()
  await checkMessages()
  await checkHeartbeat()
  done()
  process.exit()
}
