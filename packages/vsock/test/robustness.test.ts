import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect as connectNet, createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { connect, createConnection, createServer, listenVsock } from '@enclavejs/vsock'
import type { VsockConnectionOptions } from '@enclavejs/vsock'
import { registerVsock } from './simulated-vsock.ts'

const folder = mkdtempSync(join(tmpdir(), 'robust-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let unregister: () => void
beforeAll(() => (unregister = registerVsock()))
afterAll(() => unregister())

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const linux = process.platform === 'linux'
const descriptors = (): number => readdirSync('/proc/self/fd').length

describe('an option that is wrong', () => {
  const wrong: readonly (readonly [string, object])[] = [
    ['highWaterMark', { highWaterMark: -1 }],
    ['timeout', { timeout: -1 }],
    ['signal', { signal: {} }],
    ['path, empty', { path: '' }],
    ['path, a number', { path: 5 }],
    ['path, with a NUL', { path: '/tmp/a\0b' }],
  ]
  test.skipIf(!linux).each(wrong)('%s is refused before anything is open', (_, option) => {
    const before = descriptors()
    for (let count = 0; count < 20; count++) {
      const options = { port: 1, ...option } as VsockConnectionOptions
      expect(() => createConnection(options)).toThrow(/: expected/)
    }
    expect(descriptors()).toBeLessThan(before + 5)
  })

  test('a polluted prototype adds none', () => {
    Object.assign(Object.prototype, { path: '/nowhere' })
    closing.push(() => {
      Reflect.deleteProperty(Object.prototype, 'path')
    })
    const socket = createConnection({ port: 1 })
    socket.on('error', () => undefined).destroy()
  })
})

test('connect of a socket would open TCP, and is refused', () => {
  const socket = createConnection({ port: 1 }).on('error', () => undefined)
  expect(() => socket.connect({ port: 80, host: '127.0.0.1' })).toThrow(/^connect: this socket/)
  socket.destroy()
})

describe('no descriptor left', () => {
  test.skipIf(!linux)('is an event of the socket, not an exception', () => {
    const program = `import { openSync } from 'node:fs'
      import { createConnection } from '@enclavejs/vsock'
      await createConnection({ path: '/nowhere', port: 1 }).on('error', () => {}).destroy()
      const warm = createConnection({ path: '/nowhere', port: 1 })
      warm.on('error', () => {
        try { for (;;) openSync('/dev/null') } catch {}
        for (const at of [{ path: '/nowhere', port: 1 }, { cid: 3, port: 1 }]) {
          createConnection(at).on('error', ({ code, syscall }) => console.log(code, syscall))
        }
      })`
    const { stdout, stderr } = spawnSync(
      'sh',
      [
        '-c',
        'ulimit -n 64; exec "$@"',
        'sh',
        process.execPath,
        '--conditions=@enclavejs/source',
      ].concat('--input-type=module', '--eval', program),
      { cwd: import.meta.dirname, encoding: 'utf8' },
    )
    expect({ stdout, stderr }).toEqual({ stdout: 'EMFILE socket\nEMFILE socket\n', stderr: '' })
  })
})

describe('a path that is taken', () => {
  test('by a file is left alone', async () => {
    const path = join(folder, 'file')
    writeFileSync(`${path}_1`, 'precious')
    const server = createServer().listen({ path, port: 1 })
    expect((await once(server, 'error'))[0]).toMatchObject({ code: 'EADDRINUSE' })
    expect(existsSync(`${path}_1`)).toBe(true)
  })

  test('by a socket that was left behind is taken over', async () => {
    const path = join(folder, 'stale')
    const left = `require('net').createServer().listen('${path}_1', () => process.kill(process.pid, 9))`
    spawnSync(process.execPath, ['--eval', left])
    expect(existsSync(`${path}_1`)).toBe(true)
    const server = createServer((socket) => socket.end('here')).listen({ path, port: 1 })
    closing.push(() => server.close())
    await once(server, 'listening')
    expect(await text(connectNet(`${path}_1`))).toBe('here')
  })
})

describe('a server that is told to listen twice', () => {
  test.each([
    ['on the simulator', {}],
    ['on a hybrid path', { path: join(folder, 'twice') }],
  ])('%s refuses, while it begins and after', async (_, where) => {
    const server = createServer()
    closing.push(() => server.close())
    server.listen({ port: 3, ...where })
    const again = (): unknown => server.listen({ port: 4, ...where })
    const refused = expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }) as Error
    expect(again).toThrow(refused)
    await once(server, 'listening')
    expect(again).toThrow(refused)
  })

  test('keeps its admission', async () => {
    const server = createServer(() => expect.unreachable())
    closing.push(() => server.close())
    server.listen({ port: 5, allowedCids: [99] })
    await once(server, 'listening')
    expect(() => server.listen({ port: 5 })).toThrow()
    const socket = await connect({ port: 5 })
    expect(await text(socket)).toBe('')
  })
})

describe('the event connection', () => {
  test('of a stream that the application emits is left alone', async () => {
    const server = createNetServer((socket) => socket.end('emitted'))
    closing.push(() => server.close())
    listenVsock(server, { port: 6, allowedCids: [99] })
    await once(server, 'listening')
    const door = createNetServer((socket) => server.emit('connection', socket))
    door.listen(join(folder, 'door'))
    closing.push(() => door.close())
    await once(door, 'listening')
    expect(await text(connectNet(join(folder, 'door')))).toBe('emitted')
  })

  test('is the own one again when the server was closed and listens elsewhere', async () => {
    const server = createNetServer((socket) => socket.end('over TCP'))
    listenVsock(server, { port: 7, allowedCids: [99] })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    server.listen(0, '127.0.0.1')
    closing.push(() => server.close())
    await once(server, 'listening')
    const address = server.address() as { port: number; family: string }
    expect(address.family).toBe('IPv4')
    expect(await text(connectNet(address.port, '127.0.0.1'))).toBe('over TCP')
  })
})

describe('an error of something else that destroys a socket', () => {
  test('keeps its words, and a frozen one does not keep the socket open', async () => {
    const server = createServer((socket) => socket.resume()).listen({ port: 8 })
    closing.push(() => server.close())
    await once(server, 'listening')
    const connected = await connect({ port: 8 })
    const failed = pipeline(createReadStream(join(folder, 'missing')), connected)
    const error = (await failed.catch((one: unknown) => one)) as NodeJS.ErrnoException
    expect(error.message).not.toContain('vsock')
    expect(error).not.toHaveProperty('port')
    const socket = await connect({ port: 8 })
    socket.on('error', () => undefined)
    socket.destroy(
      Object.freeze(Object.assign(new Error('read'), { code: 'ECONNRESET', syscall: 'read' })),
    )
    await new Promise((resolve) => socket.once('close', resolve))
  })
})
