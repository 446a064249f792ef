import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectNet, createServer as createNetServer, Server } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, describe, expect, test } from 'vitest'
import { createServer, listenVsock, VsockSocket, type VsockListenOptions } from '@enclavejs/vsock'

const folder = mkdtempSync(join(tmpdir(), 'unix-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
writeFileSync(join(folder, 'file'), '')
writeFileSync(join(folder, 'taken_5'), '')

describe('a listener on a Unix socket that cannot be', () => {
  const long = join(folder, 'x'.repeat(100))
  test.each([
    ['a folder that is not there', join(folder, 'no/such'), 'ENOENT', /\(there is no such folder/],
    ['a folder that is a file', join(folder, 'file/x'), 'ENOTDIR', /\(a part of its folder is a/],
    ['a path that is too long', long, 'ENAMETOOLONG', /\(the path of a Unix socket has 107 bytes/],
    ['something else in its place', join(folder, 'taken'), 'EADDRINUSE', /or something that is no/],
  ])('%s', async (_, path, code, sentence) => {
    const server = createServer().listen({ path, port: 5 })
    const [error] = (await once(server, 'error')) as [Error]
    const told = { code, syscall: 'listen', cid: 2, port: 5, address: `${path}_5` }
    expect(error).toMatchObject(told)
    expect(error.message).toMatch(sentence)
    expect(server.listening).toBe(false)
  })

  test.skipIf(process.platform !== 'linux')(
    'what only listen(2) says has the address too',
    async () => {
      const server = createServer().listen({ path: '/proc/enclavejs', port: 5 })
      const [error] = (await once(server, 'error')) as [Error]
      const told = { syscall: 'listen', cid: 2, port: 5, address: '/proc/enclavejs_5' }
      expect(error).toMatchObject(told)
      expect(error.message).toMatch(/ at vsock cid 2 port 5 \(this user may not write/)
    },
  )
})

const SIMULATOR = Symbol.for('enclavejs.simulator')
const unregister = (): void => void Reflect.deleteProperty(globalThis, SIMULATOR)

function simulatorWithoutFolder(): VsockListenOptions {
  const vsock = { directory: join(folder, 'gone'), localCid: 3, parentCid: 3 }
  Object.defineProperty(globalThis, SIMULATOR, { configurable: true, value: { version: 1, vsock } })
  return { port: 5 }
}

test('a failure that nobody handles ends the process, as with node:net', () => {
  const program = `import { createServer } from '@enclavejs/vsock'
    process.on('uncaughtException', ({ code }) => console.log('uncaught', code))
    createServer().listen({ path: '/proc/enclavejs', port: 5 })
    createServer().listen({ path: '/no/such/folder', port: 5 })`
  const args = ['--conditions=@enclavejs/source', '--input-type=module', '--eval', program]
  const ran = spawnSync(process.execPath, args, { cwd: import.meta.dirname, encoding: 'utf8' })
  expect(ran.stdout.trim().split('\n').toSorted()).toEqual(['uncaught EACCES', 'uncaught ENOENT'])
})

describe('after a listener that failed', () => {
  const failing: readonly (readonly [string, () => VsockListenOptions, () => void])[] = [
    ['hybrid', () => ({ path: join(folder, 'no/such'), port: 5 }), () => {}],
    ['by listen(2)', () => ({ path: '/proc/enclavejs', port: 5 }), () => {}],
    ['the simulator', simulatorWithoutFolder, unregister],
  ]
  test.each(failing)('%s: the server is as it was', async (_, options, end) => {
    const server = createNetServer((socket) => socket.end(String(socket instanceof VsockSocket)))
    listenVsock(server, options())
    await once(server, 'error')
    end()
    expect([server.emit, server.address]).toEqual([Server.prototype.emit, Server.prototype.address])
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port, family } = server.address() as AddressInfo
    expect(family).toBe('IPv4')
    expect(await text(connectNet(port, '127.0.0.1'))).toBe('false')
    server.close()
  })

  test('and where it was tried again, sockets are admitted', async () => {
    const server = createServer((socket: Socket) =>
      socket.end(String(socket instanceof VsockSocket)),
    )
    await once(server.listen({ path: join(folder, 'no/such'), port: 5 }), 'error')
    await once(server.listen({ path: join(folder, 'now'), port: 5 }), 'listening')
    expect(await text(connectNet(`${join(folder, 'now')}_5`))).toBe('true')
    server.close()
  })
})
