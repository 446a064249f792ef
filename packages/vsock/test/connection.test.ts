import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect as connectNet, createServer as createNetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { connect, createConnection, createServer, getLocalCid, listenVsock } from '@enclavejs/vsock'
import type { VsockConnectionOptions, VsockListenOptions } from '@enclavejs/vsock'
import { registeredSimulator } from '../src/simulator.ts'
import { registerVsock } from './simulated-vsock.ts'

const SIMULATOR = Symbol.for('enclavejs.simulator')
const folder = mkdtempSync(join(tmpdir(), 'hybrid-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const sockets = new Set<Socket>()
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
})

/** A virtual machine monitor: calls `answer` with each line that it is sent. */
async function monitor(answer: (line: string, socket: Socket) => void): Promise<string> {
  const path = join(folder, `vmm-${sockets.size}-${Math.random()}`)
  const server = createNetServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', (chunk: Buffer) => answer(chunk.toString(), socket))
  }).listen(path)
  closing.push(() => server.close())
  await once(server, 'listening')
  return path
}

describe('the options of a connection', () => {
  const wrong: readonly (readonly [string, object, RegExp | typeof TypeError])[] = [
    ['no port', {}, /^port: expected an integer, got undefined/],
    ['a port above 32 bits', { port: 2 ** 32 }, /^port: expected 0 to 4294967295, got 4294967296/],
    ['a port as text', { port: '5000' }, /^port: expected an integer, got string/],
    ['a negative CID', { port: 1, cid: -1 }, /^cid: expected 0 to 4294967295, got -1/],
    ['a fraction', { port: 1.5 }, /^port: expected an integer, got 1.5/],
    ['a CID and a path', { port: 1, cid: 3, path: '/x' }, /^cid and path: expected one of them/],
    [
      'no time to connect',
      { port: 1, connectTimeout: 0 },
      /^connectTimeout: expected 1 to 3600000/,
    ],
    ['a tiny buffer', { port: 1, bufferSize: 127 }, /^bufferSize: expected 128 to 1073741824/],
    ['yes for true', { port: 1, toHost: 'yes' }, /^toHost: expected true or false/],
    ['toHost and a path', { port: 1, toHost: true, path: '/x' }, /^toHost and path: expected one/],
    ['a host, as for node:net', { port: 1, host: 'parent' }, /^host is not an option/],
  ]
  test.each(wrong)('%s', (_, options, expected) => {
    expect(() => createConnection(options as VsockConnectionOptions)).toThrow(expected)
  })

  test.skipIf(process.platform !== 'linux')('onread that throws leaves nothing open', () => {
    const options: VsockConnectionOptions = { path: join(folder, 'nowhere'), port: 1 }
    const thrown = (): never => {
      throw new Error('on purpose')
    }
    const callback = (): boolean => true
    const getter = {
      callback,
      get buffer(): never {
        return thrown()
      },
    }
    const before = readdirSync('/proc/self/fd').length
    for (const onread of [getter, { callback, buffer: thrown }]) {
      for (let count = 0; count < 20; count++) {
        expect(() => createConnection({ ...options, onread })).toThrow('on purpose')
      }
    }
    expect(readdirSync('/proc/self/fd').length).toBe(before)
  })

  test('onread reads into the buffers that it makes, the first one included', async () => {
    const path = await monitor((_, socket) => socket.end('OK 1\nfirst and second'))
    const made: Uint8Array[] = []
    const read: string[] = []
    const socket = createConnection({
      ...{ path, port: 1 },
      onread: {
        buffer: () => {
          made.push(new Uint8Array(9))
          return made.at(-1) as Uint8Array
        },
        callback: (count, buffer) => {
          expect(buffer.buffer).toBe(made.find((one) => one.buffer === buffer.buffer)?.buffer)
          read.push(Buffer.from(buffer.subarray(0, count)).toString())
          return true
        },
      },
    })
    await once(socket, 'close')
    expect(read.join('')).toBe('first and second')
    expect(made.length).toBeGreaterThan(1)
  })

  test('of a listener', () => {
    const listen = (options: object) => (): unknown =>
      listenVsock(createNetServer(), options as VsockListenOptions)
    expect(listen({ port: 1, host: '::' })).toThrow(/^host is not an option of a vsock listener/)
    expect(listen({ port: 1, backlog: 0 })).toThrow(/^backlog: expected 1 to 65535/)
    expect(listen({ port: 1, allowedCids: [-1] })).toThrow(/^cid: expected 0 to/)
    expect(listen({ port: 1, path: '/x', cid: 3 })).toThrow(/^cid and path/)
    expect(listen({ port: 1, path: '/x', allowedCids: [3] })).toThrow(/^allowedCids and path/)
    const list = /^allowedCids: expected a list of CIDs/
    for (const allowedCids of [null, 16, '16', { 0: 16, length: 1 }]) {
      expect(listen({ port: 1, allowedCids })).toThrow(list)
    }
    expect(listen({ port: 1, allowedCids: Object.assign([], { length: 1 }) })).toThrow(
      /^cid: expected an integer/,
    )
    for (const value of [[99], null]) {
      const inherited = Object.assign(Object.create({ allowedCids: value }) as object, { port: 1 })
      expect(listen(inherited)).toThrow(/^allowedCids: expected an own property/)
    }
    const hidden = Object.defineProperty({ port: 1 }, 'allowedCids', { value: [99] })
    expect(listen(hidden)).toThrow(/^allowedCids: expected an own property/)
    for (const make of [{ allowedCids: [99] }, Object.create({ allowedCids: [99] }) as object]) {
      expect(() => createServer(make)).toThrow(/^allowedCids: an option of listen/)
    }
    expect(() => createServer().listen(8080)).toThrow(/this server listens on vsock/)
    expect(() => createServer().listen({ path: '/tmp/x' })).toThrow(/^port: expected an integer/)
  })
})

describe('hybrid vsock', () => {
  test('asks for the port, gives the address, loses no byte behind the answer', async () => {
    const path = await monitor((line, socket) => {
      socket.write(`OK 1073741824\n${line}`)
      socket.pipe(socket)
    })
    const socket = createConnection({ path, port: 5000 })
    const written: string[] = []
    socket.write('queued before, ', () => written.push('first'))
    socket.end('and ended')
    expect({ connecting: socket.connecting, pending: socket.pending }).toEqual({
      connecting: true,
      pending: true,
    })
    await once(socket, 'connect')
    expect(socket).toMatchObject({ connecting: false, remotePort: 5000, localPort: 1073741824 })
    expect(socket).toMatchObject({ remoteCid: undefined, localCid: 2 })
    expect(await text(socket)).toBe('CONNECT 5000\nqueued before, and ended')
    expect(written).toEqual(['first'])
  })

  test.each([
    ['an end: nobody listens on that port', (socket: Socket) => socket.end(), 'ECONNRESET'],
    ['another answer', (socket: Socket) => socket.write('NO\n'), 'EPROTO'],
    ['an answer without a port', (socket: Socket) => socket.write('OK \n'), 'EPROTO'],
    ['a port that is none', (socket: Socket) => socket.write('OK 4294967296\n'), 'EPROTO'],
    ['an answer without an end', (socket: Socket) => socket.write('O'.repeat(100)), 'EPROTO'],
    ['silence', () => undefined, 'ETIMEDOUT'],
  ])('%s', async (_, answer, code) => {
    const path = await monitor((line, socket) => void answer(socket))
    const failed = connect({ path, port: 5000, connectTimeout: 500 })
    await expect(failed).rejects.toMatchObject({ code, syscall: 'connect', port: 5000 })
  })

  test('no virtual machine there', async () => {
    const path = join(folder, 'nowhere')
    await expect(connect({ path, port: 5000 })).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('aborted while the answer is awaited; destroyed while it is', async () => {
    const path = await monitor(() => undefined)
    const controller = new AbortController()
    const aborted = connect({ path, port: 5000, signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    await expect(aborted).rejects.toMatchObject({ code: 'ABORT_ERR' })
    const socket = createConnection({ path, port: 5000 })
    const lost = new Promise((resolve) => socket.write('lost', resolve))
    setTimeout(() => socket.destroy(), 50)
    await once(socket, 'close')
    expect(await lost).toMatchObject({ code: 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION' })
    expect(socket.connecting).toBe(false)
  })

  /** What the other end sees of a close while it has sent more than anybody read: 64 KiB are taken, the rest is not. */
  async function sendUnread(peer: Socket, destroy: () => unknown): Promise<unknown> {
    const seen = once(peer, 'end').then(
      () => 'end',
      (error: unknown) => (error as NodeJS.ErrnoException).code,
    )
    peer.resume()
    await new Promise((resolve) => peer.write(Buffer.alloc(120_000), resolve))
    destroy()
    return await seen
  }

  test.skipIf(process.platform !== 'linux')(
    'destroyed with bytes unread, both ends close with an end and no reset',
    async () => {
      let monitored: Socket | undefined
      const vmm = await monitor((_, socket) => {
        monitored = socket
        socket.write('OK 1\n')
      })
      const ours = await connect({ path: vmm, port: 5000 })
      expect(await sendUnread(monitored as unknown as Socket, () => ours.destroy())).toBe('end')
      const path = join(folder, 'unread')
      const accepted: Socket[] = []
      const server = createServer((socket) => void accepted.push(socket))
      server.listen({ path, port: 7000 })
      closing.push(() => server.close())
      await once(server, 'listening')
      const machine = connectNet(`${path}_7000`)
      sockets.add(machine)
      await once(server, 'connection')
      expect(await sendUnread(machine, () => accepted[0]?.destroy())).toBe('end')
    },
  )

  test('a listener of the host is where the machine connects', async () => {
    const path = join(folder, 'machine')
    const server = createServer((socket) => socket.end(`for ${String(socket.remoteCid)}`))
    server.listen({ path, port: 7000 })
    closing.push(() => server.close())
    await once(server, 'listening')
    expect(server.address()).toEqual({ address: '2', family: 'VSOCK', cid: 2, port: 7000 })
    const machine = (await import('node:net')).connect(`${path}_7000`)
    expect(await text(machine)).toBe('for undefined')
    const second = createServer().listen({ path, port: 7000 })
    expect((await once(second, 'error'))[0]).toMatchObject({ code: 'EADDRINUSE' })
  })
})

describe('a process that cannot', () => {
  const run = (program: string): string =>
    spawnSync(
      process.execPath,
      ['--conditions=@enclavejs/source', '--input-type=module', '--eval', program],
      { cwd: import.meta.dirname, encoding: 'utf8' },
    ).stdout.trim()
  const open = `import('@enclavejs/vsock').then(({ createConnection }) => createConnection({ port: 1 }))
    .catch((error) => console.log(error.code, error.message))`

  test.each([
    ['another system', 'platform', 'darwin', /^ERR_VSOCK_BINDING AF_VSOCK is Linux's .* darwin/],
    ['another machine', 'arch', 'mips', /^ERR_VSOCK_BINDING .*prebuilds\/linux-mips\.node/],
  ])('%s', (_, name, value, expected) => {
    const set = `Object.defineProperty(process, '${name}', { value: '${value}' });`
    expect(run(set + open)).toMatch(expected)
  })

  test('a worker of node:cluster', () => {
    const output = run(`import cluster from 'node:cluster'
      import { createServer } from '@enclavejs/vsock'
      cluster.isWorker = true
      try { createServer().listen({ port: 1 }) } catch (error) { console.log(error.code) }`)
    expect(output).toBe('ERR_VSOCK_CLUSTER')
  })
})

describe('the registration of a simulator', () => {
  const register = (value: unknown): void => {
    Object.defineProperty(globalThis, SIMULATOR, { configurable: true, value })
    closing.push(() => Reflect.deleteProperty(globalThis, SIMULATOR))
  }
  const vsock = { directory: folder, localCid: 3, parentCid: 3 }

  test.each([
    ['another version', { version: 2, vsock }],
    ['no vsock', { version: 1 }],
    ['no directory', { version: 1, vsock: { ...vsock, directory: undefined } }],
    ['a CID that is none', { version: 1, vsock: { ...vsock, localCid: '3' } }],
    ['inherited members', Object.create({ version: 1, vsock }) as object],
    ['nothing', undefined],
  ])('%s is refused', (_, value) => {
    register(value)
    const refused = expect.objectContaining({ code: 'ERR_VSOCK_SIMULATOR_INVALID' }) as Error
    expect(() => createConnection({ port: 1 })).toThrow(refused)
    expect(() => createServer().listen({ port: 1 })).toThrow(refused)
    expect(() => getLocalCid()).toThrow(refused)
  })

  test('a real device beside it', () => {
    register({ version: 1, vsock })
    expect(registeredSimulator(join(folder, 'no-device'))).toEqual(vsock)
    expect(() => registeredSimulator(folder)).toThrow(
      expect.objectContaining({ code: 'ERR_VSOCK_SIMULATOR_CONFLICT' }) as Error,
    )
  })

  test('a listener at a foreign CID', async () => {
    closing.push(registerVsock())
    const server = createServer().listen({ port: 1, cid: 17 })
    expect((await once(server, 'error'))[0]).toMatchObject({ code: 'EADDRNOTAVAIL', cid: 17 })
  })

  test.each([
    ['another port', 'CONNECT 5001 16 9\n'],
    ['no address', 'CONNECT 5000\n'],
    ['no words', '\n'],
    ['a line without an end', 'CONNECT '.repeat(20)],
  ])('a first line with %s is nobody', async (_, line) => {
    const end = registerVsock()
    const registered = (globalThis as unknown as Record<symbol, { vsock: typeof vsock }>)[SIMULATOR]
    const directory = registered?.vsock.directory ?? ''
    const server = createServer(() => expect.unreachable()).listen({ port: 5000 })
    closing.push(() => server.close(), end)
    await once(server, 'listening')
    const socket = (await import('node:net')).connect(join(directory, '3_5000'))
    socket.on('error', () => undefined)
    socket.write(line)
    expect(await text(socket)).toBe('')
  })
})
