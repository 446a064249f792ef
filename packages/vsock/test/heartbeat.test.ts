import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectNet, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { afterAll, describe, expect, test } from 'vitest'
import { sendHeartbeat, type HeartbeatOptions } from '../src/heartbeat.ts'
import { createServer as createVsockServer } from '../src/server.ts'
import { registerVsock } from './simulated-vsock.ts'

const folder = mkdtempSync(join(tmpdir(), 'enclavejs-heartbeat-'))
afterAll(() => rmSync(folder, { recursive: true }))
let count = 0

interface Parent extends AsyncDisposable {
  readonly received: Buffer[]
  readonly asked: unknown[]
  readonly sockets: Socket[]
  readonly connect: NonNullable<HeartbeatOptions['connect']>
}

/** A parent that listens and answers as it is told. */
async function parent(answer: (socket: Socket, chunk: Buffer) => void): Promise<Parent> {
  const received: Buffer[] = []
  const asked: unknown[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received.push(chunk)
      answer(socket, chunk)
    })
  })
  const path = join(folder, `${count++}`)
  server.listen(path)
  await once(server, 'listening')
  return {
    received,
    asked,
    sockets,
    async connect({ cid, port }) {
      asked.push({ cid, port })
      const socket = connectNet(path)
      await once(socket, 'connect')
      return socket
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('sendHeartbeat', () => {
  test('sends 0xB7 to CID 3, port 9000, reads it back, and closes', async () => {
    await using at = await parent((socket, chunk) => socket.write(chunk))
    await sendHeartbeat({ connect: at.connect })
    expect(at.asked).toEqual([{ cid: 3, port: 9000 }])
    expect(Buffer.concat(at.received)).toEqual(Buffer.from([0xb7]))
    const [socket] = at.sockets
    if (socket?.destroyed === false) await once(socket, 'close')
    await sendHeartbeat({ connect: at.connect, cid: 2, port: 9001 })
    expect(at.asked.at(-1)).toEqual({ cid: 2, port: 9001 })
  })

  test.each<[string, (socket: Socket, chunk: Buffer) => void, RegExp]>([
    ['another byte', (socket) => socket.write(Uint8Array.of(0x07)), /the answer was 0x07/],
    ['an end', (socket) => socket.end(), /ended before the answer/],
    ['a death', (socket) => socket.destroy(), /before the answer/],
  ])('%s in place of the answer', async (_name, answer, message) => {
    await using at = await parent(answer)
    const failed = sendHeartbeat({ connect: at.connect })
    await expect(failed).rejects.toThrow(message)
    await expect(failed).rejects.toMatchObject({ name: 'VsockError', code: 'ERR_VSOCK_HEARTBEAT' })
  })

  test('no answer within the timeout: the connection is closed', async () => {
    await using at = await parent(() => {})
    const failed = sendHeartbeat({ connect: at.connect, timeout: 50 })
    await expect(failed).rejects.toMatchObject({
      code: 'ERR_VSOCK_HEARTBEAT',
      cause: { name: 'TimeoutError' },
    })
    const [socket] = at.sockets
    if (socket?.destroyed === false) await once(socket, 'close')
  })

  test('no connection: the cause says why', async () => {
    const failed = sendHeartbeat({
      connect: async () => {
        const socket = connectNet(join(folder, 'absent'))
        await once(socket, 'connect')
        return socket
      },
    })
    await expect(failed).rejects.toMatchObject({
      code: 'ERR_VSOCK_HEARTBEAT',
      message: expect.stringContaining('CID 3, port 9000') as string,
      cause: { code: 'ENOENT' },
    })
  })

  test('connect that does not heed its signal: what comes late is destroyed', async () => {
    await using at = await parent(() => {})
    let give: (stream: Duplex) => void = () => {}
    const connect = (): Promise<Duplex> => new Promise((resolve) => (give = resolve))
    await expect(sendHeartbeat({ connect, timeout: 20 })).rejects.toMatchObject({
      code: 'ERR_VSOCK_HEARTBEAT',
    })
    const late = await at.connect({ cid: 3, port: 9000, signal: AbortSignal.timeout(1000) })
    give(late)
    await once(late, 'close')
    expect(at.received).toHaveLength(0)
  })

  test.each([{ cid: -1 }, { port: 2 ** 32 }, { timeout: 0 }])('option %j', async (options) => {
    await expect(sendHeartbeat(options)).rejects.toThrow(RangeError)
  })

  test('what a polluted prototype has is no option', async () => {
    await using at = await parent((socket, chunk) => socket.write(chunk))
    Reflect.set(Object.prototype, 'cid', 99)
    let sent: Promise<void>
    try {
      sent = sendHeartbeat({ connect: at.connect })
    } finally {
      Reflect.deleteProperty(Object.prototype, 'cid')
    }
    await sent
    expect(at.asked).toEqual([{ cid: 3, port: 9000 }])
  })

  test.each([{ connect: 5 }, { deadline: 5 }, { cid: '3' }])('option %j', async (options) => {
    await expect(sendHeartbeat(options as object)).rejects.toThrow(TypeError)
  })
})

test('by default over vsock: of the simulator', async () => {
  const end = registerVsock()
  try {
    await expect(sendHeartbeat()).rejects.toMatchObject({
      code: 'ERR_VSOCK_HEARTBEAT',
      cause: { code: 'ECONNRESET' },
    })
    const server = createVsockServer((socket) => socket.pipe(socket))
    server.listen({ port: 9000 })
    await once(server, 'listening')
    await sendHeartbeat()
    server.close()
    await once(server, 'close')
  } finally {
    end()
  }
})
