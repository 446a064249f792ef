import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, createServer, type VsockSocket } from '@enclavejs/vsock'
import { readAccepted } from '../src/reader.ts'
import { registerVsock } from './simulated-vsock.ts'

let unregister: () => void
beforeAll(() => (unregister = registerVsock()))
afterAll(() => unregister())
const folder = mkdtempSync(join(tmpdir(), 'reader-'))
afterAll(() => rmSync(folder, { recursive: true }))

const runtimes = join(import.meta.dirname, '../../../test/runtimes/node_modules')
const nodes: readonly (readonly [name: string, program: string])[] = [
  ['this Node', process.execPath],
  ['Node 22', join(runtimes, 'node-22/bin/node')],
  ['Node 26', join(runtimes, 'node-26/bin/node')],
]

function run(node: string, program: string): string {
  const { stdout, stderr } = spawnSync(
    node,
    ['--conditions=@enclavejs/source', '--input-type=module', '--eval', program],
    { cwd: import.meta.dirname, encoding: 'utf8', timeout: 20_000 },
  )
  return stdout + stderr
}

describe('the sockets that node:net accepts', () => {
  for (const [name, node] of nodes) {
    const missing = existsSync(node) ? '' : `(${name} is not installed: npm ci in test/runtimes)`
    test.skipIf(missing !== '')(`are read by this package in ${name} ${missing}`, () => {
      const program = `
        import { connect, createServer } from 'node:net'
        import { readAccepted } from '../src/reader.ts'
        const path = ${JSON.stringify(join(folder, name.replace(' ', '-')))}
        const server = createServer((socket) => {
          const asked = []
          const { _handle: handle } = socket
          const use = handle.useUserBuffer
          handle.useUserBuffer = (buffer) => (asked.push(buffer.length), use.call(handle, buffer))
          console.log(readAccepted(socket), asked.join())
          socket.on('data', (data) => console.log(String(data), data.buffer.byteLength))
          socket.on('end', () => server.close())
        }).listen(path, () => connect(path).end('through'))`
      expect(run(node, program)).toBe('true 65536\nthrough 7\n')
    })
  }

  test('stay as they are where there is nothing to read from', () => {
    expect(readAccepted(new Socket())).toBe(false)
  })
})

describe('a listener that throws', () => {
  test('keeps the chunk it was given, and the connection goes on', () => {
    const program = `
      import { connect, createServer } from '@enclavejs/vsock'
      import { registerVsock } from './simulated-vsock.ts'
      const end = registerVsock()
      const caught = []
      process.on('uncaughtException', (error) => caught.push(error.message))
      const server = createServer((socket) => {
        for (let part = 1; part <= 40; part++) socket.write(Buffer.alloc(65_536, part))
        socket.end()
      }).listen({ port: 1 }, async () => {
        const socket = await connect({ port: 1 })
        const kept = []
        let large = 0
        socket.on('data', (chunk) => {
          kept.push([chunk, Buffer.from(chunk)])
          if (chunk.length === 65_536) large++
          throw new Error('on purpose')
        })
        socket.on('close', () => {
          console.log(kept.every(([chunk, copy]) => chunk.equals(copy)), large > 2)
          const all = Buffer.concat(kept.map(([chunk]) => chunk))
          console.log(all.length === 40 * 65_536, all.every((byte, at) => byte === 1 + (at >> 16)))
          console.log(caught.length === kept.length, new Set(caught))
          server.close(end)
        })
      })`
    expect(run(process.execPath, program)).toBe(
      "true true\ntrue true\ntrue Set(1) { 'on purpose' }\n",
    )
  })
})

describe('what a reader keeps', () => {
  /** A connection and its other end. */
  async function pair(port: number): Promise<readonly [VsockSocket, VsockSocket, () => void]> {
    const server = createServer().listen({ port })
    await once(server, 'listening')
    const accepted = once(server, 'connection')
    const socket = await connect({ port })
    const [other] = (await accepted) as [VsockSocket]
    return [socket, other, () => void (socket.destroy(), other.destroy(), server.close())]
  }

  test('is bounded while nobody reads, at both ends', async () => {
    const [one, other, close] = await pair(20)
    for (const [reading, writing] of [
      [one, other],
      [other, one],
    ] as const) {
      writing.on('error', () => undefined).write(Buffer.alloc(8 * 2 ** 20))
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(reading.readableLength).toBeGreaterThan(0)
      expect(reading.readableLength).toBeLessThanOrEqual(reading.readableHighWaterMark + 65_536)
    }
    close()
  })

  test('is in memory of its own length, whatever came in one read', async () => {
    const [one, other, close] = await pair(22)
    const lengths = [1, 64, 65, 5000, 65_535, 65_536, 65_537, 200_000]
    const total = lengths.reduce((sum, length) => sum + length, 0)
    for (const [reading, writing] of [
      [one, other],
      [other, one],
    ] as const) {
      const chunks: Buffer[] = []
      reading.on('data', (chunk: Buffer) => chunks.push(chunk))
      for (const length of lengths) {
        writing.write(Buffer.alloc(length))
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      while (chunks.reduce((sum, { length }) => sum + length, 0) < total)
        await once(reading, 'data')
      expect(chunks.every(({ buffer, length }) => buffer.byteLength === length)).toBe(true)
    }
    close()
  })

  test('goes to who listens, encoded when that is wanted, and later from the buffer', async () => {
    const [one, other, close] = await pair(21)
    const arrived = once(one.resume(), 'data')
    other.write('first')
    const [first] = (await arrived) as [Buffer]
    expect(String(first)).toBe('first')
    one.pause()
    one.setEncoding('utf8')
    const euro = Buffer.from('€')
    other.write(euro.subarray(0, 1))
    await new Promise((resolve) => setTimeout(resolve, 30))
    other.end(euro.subarray(1))
    let text = ''
    for await (const part of one) text += String(part)
    expect(text).toBe('€')
    close()
  })
})
