import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { enclavejsHere, wrongUse, Workspace } from './process.ts'

const workspace = new Workspace()
const running: ChildProcess[] = []
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})
afterAll(() => workspace.remove())

const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const path = join(workspace.path, 'v.sock')

/** `enclavejs proxy` in a process of its own. */
class Running {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], { limit }: { readonly limit?: number } = {}) {
    const node = [process.execPath, '--conditions=@enclavejs/source', bin, 'proxy', ...args]
    const limited = `ulimit -n ${limit ?? '"$(ulimit -n)"'}; exec "$0" "$@"`
    this.child = spawn('sh', ['-c', limited, ...node], { stdio: ['ignore', 'pipe', 'pipe'] })
    running.push(this.child)
    this.child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()))
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
  }

  async until(text: string): Promise<void> {
    const end = performance.now() + 20_000
    while (!this.stderr.includes(text)) {
      if (performance.now() > end) throw new Error(`no ${text} in ${this.stderr}`)
      await sleep(10)
    }
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    const closed = once(this.child, 'close')
    this.child.kill(signal)
    return ((await closed) as [number | null])[0]
  }
}

/** A TCP server on loopback that ends with the tests. */
async function backend(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    serve(socket)
  })
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function dial(port: number): Socket {
  return connect({ path: `${path}_${port}`, allowHalfOpen: true }).on('error', () => undefined)
}

async function everything(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

function config(name: string, backendPort: number, more: object = {}): string {
  const to = { host: '127.0.0.1', port: backendPort }
  return workspace.json(name, {
    outbound: [{ name: 'it', listen: { port: 8000, path }, to }],
    ...more,
  })
}

const LIST = 'allowlist:\n- {address: kms.eu-west-1.amazonaws.com, port: 443}\n'

describe('enclavejs proxy', () => {
  it('serves, and lets what is open end after SIGTERM', async () => {
    const port = await backend((socket) => {
      socket.on('data', async (chunk: Buffer) => {
        for (let part = 0; part < 10; part++) {
          await sleep(20)
          socket.write(`${chunk.toString()}${part}`)
        }
        socket.end()
      })
    })
    const proxy = new Running(['--config', config('drain.yaml', port), '--json', '--verbose'])
    await proxy.until('it: listening on port 8000')
    const client = dial(8000)
    client.end('x')
    await once(client, 'data')
    expect(await Promise.all([proxy.stop('SIGTERM'), everything(client)])).toEqual([
      0,
      'x1x2x3x4x5x6x7x8x9',
    ])
    expect(proxy.stderr).toContain('SIGTERM: 1 connections open, none more taken')
    expect(proxy.stderr).toContain(`it: #1 to 127.0.0.1:${port} at 127.0.0.1`)
    const events = proxy.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; reason?: string })
    expect(events.map(({ type }) => type)).toEqual(['listening', 'open', 'close'])
    expect(events[2]).toMatchObject({ reason: 'end', bytesUp: 1, bytesDown: 20 })
  })

  it('cuts off what does not end: status 1', async () => {
    const port = await backend((socket) => void socket.pipe(socket))
    const proxy = new Running(['--config', config('cut.yaml', port), '--drain', '0.2'])
    await proxy.until('listening')
    const client = dial(8000)
    client.write('x')
    await once(client, 'data')
    expect(await proxy.stop('SIGTERM')).toBe(1)
    expect(proxy.stderr).toContain('1 connections cut off')
    client.destroy()
  })

  it('cuts off at once at a second signal', async () => {
    const port = await backend((socket) => void socket.pipe(socket))
    const proxy = new Running(['--config', config('twice.yaml', port)])
    await proxy.until('listening')
    const client = dial(8000)
    client.write('x')
    await once(client, 'data')
    proxy.child.kill('SIGINT')
    await proxy.until('SIGINT: 1 connections open')
    expect(await proxy.stop('SIGTERM')).toBe(1)
    client.destroy()
  })

  it('goes on when a destination is not reached, and says so', async () => {
    const proxy = new Running(['--config', config('dead.yaml', 1)])
    await proxy.until('listening')
    expect(await everything(dial(8000).end())).toBe('')
    await proxy.until('it: 127.0.0.1:1 not reached: ERR_VSOCK_PROXY_CONNECT')
    expect(await proxy.stop('SIGTERM')).toBe(0)
  })

  it('survives without descriptors, and serves again when there are some', async () => {
    const port = await backend((socket) => void socket.pipe(socket))
    const file = config('descriptors.yaml', port)
    const proxy = new Running(['--config', file], { limit: 64 })
    await proxy.until('listening')
    const clients = Array.from({ length: 100 }, () => dial(8000))
    const answers = clients.map((client) => everything(client.end('hello')).catch(() => 'cut'))
    const said = await Promise.all(answers)
    expect(said.filter((text) => text === 'hello').length).toBeGreaterThan(0)
    expect(await everything(dial(8000).end('again'))).toBe('again')
    expect(await proxy.stop('SIGTERM')).toBe(0)
  })

  it('refuses a port that is taken: status 1', async () => {
    const taken = await backend(() => undefined)
    const inbound = [{ listen: { port: taken }, to: { path, port: 1 } }]
    const outcome = await enclavejsHere([
      'proxy',
      '--config',
      workspace.json('taken.yaml', { inbound }),
    ])
    expect(outcome).toMatchObject({ status: 1, stdout: '' })
    expect(outcome.stderr).toContain('refused: EADDRINUSE')
  })

  it.each([
    ['good', {}, 0, 'the configuration is good'],
    ['unlisted', { allowlist: [] }, 1, 'refused: ERR_VSOCK_PROXY_NOT_ALLOWED'],
    ['unknown', { outbond: [] }, 2, 'outbond'],
  ] as const)('--check judges a configuration: %s', async (name, more, status, said) => {
    const file = config(`${name}.yaml`, 443, more)
    const outcome = await enclavejsHere(['proxy', '--config', file, '--check'])
    expect(outcome).toMatchObject({ status, stdout: '' })
    expect(outcome.stderr).toContain(said)
  })

  describe("in AWS's form", () => {
    const list = workspace.file('vsock-proxy.yaml', LIST)
    const check = (...args: readonly string[]) =>
      enclavejsHere(['proxy', '--check', '--config', list, ...args])
    const kms = ['8000', 'KMS.eu-west-1.amazonaws.com', '443']

    it('allows what the list names', async () => {
      const outcome = await check(...kms, '--allow-cid', '16', '--allow-cid', '17', '-4', '-w', '4')
      expect(outcome).toMatchObject({ status: 0 })
      expect(outcome.stderr).toContain('--num_workers is ignored')
      expect(await check(...kms, '--any-cid', '--allow-private-addresses')).toMatchObject({
        status: 0,
      })
    })

    it.each([
      ['another host', ['8000', 'kms.eu-west-2.amazonaws.com', '443']],
      ['another port', ['8000', 'kms.eu-west-1.amazonaws.com', '80']],
      ['an address', ['8000', '10.0.0.1', '443']],
    ])('refuses %s: status 1', async (_what, args) => {
      const outcome = await check(...args, '--any-cid')
      expect(outcome).toMatchObject({ status: 1, stdout: '' })
      expect(outcome.stderr).toContain('refused: ERR_VSOCK_PROXY_NOT_ALLOWED\n')
    })

    it.each([
      ['nobody who may connect', kms, /--allow-cid CID \(of the enclave\) or --any-cid/],
      ['both', [...kms, '--any-cid', '--allow-cid', '16'], /not both/],
      ['two arguments', kms.slice(0, 2), /LOCAL_PORT REMOTE_HOST REMOTE_PORT/],
      ['four arguments', [...kms, '1', '--any-cid'], /LOCAL_PORT REMOTE_HOST REMOTE_PORT/],
      ['a port that is none', ['x', ...kms.slice(1), '--any-cid'], /LOCAL_PORT: a number/],
      ['a port that is too large', ['4294967296', ...kms.slice(1), '--any-cid'], /listen\.port/],
      ['both families', [...kms, '--any-cid', '-4', '-6'], /one of -4 and -6/],
      ['a CID that is none', [...kms, '--allow-cid', 'a'], /--allow-cid: a number/],
    ])('%s is wrong use', async (_what, args, message) => {
      expect(await check(...args)).toMatchObject(wrongUse(message))
    })

    it('a list that is not understood is wrong use', async () => {
      const broken = workspace.file('broken.yaml', LIST.replace('allowlist', 'allow'))
      const args = ['proxy', '--check', ...kms, '--any-cid', '--config']
      expect(await enclavejsHere([...args, broken])).toMatchObject(wrongUse(/allowlist\.allow/))
      const missing = join(workspace.path, 'missing.yaml')
      expect(await enclavejsHere([...args, missing])).toMatchObject(wrongUse(/missing\.yaml/))
    })
  })

  it.each([
    ['no configuration', [], /--config FILE is missing/],
    ['a flag of the other form', ['--config', 'x', '--any-cid'], /the configuration says who/],
    ['a drain without end', ['--config', 'x', '--drain', '1e9'], /--drain/],
  ])('%s is wrong use', async (_what, args, message) => {
    expect(await enclavejsHere(['proxy', ...args])).toMatchObject(wrongUse(message))
  })

  it('has help', async () => {
    const { status, stdout } = await enclavejsHere(['proxy', '--help'])
    expect(status).toBe(0)
    expect(stdout).toContain('Exit status')
  })
})
