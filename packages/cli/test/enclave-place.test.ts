// `proxy` and `credentials serve` with the name of an enclave, which runs on the simulator: what they lead to and give is its.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { listenerOf } from '../src/enclave-place.ts'
import { withEnclave } from '../src/proxy-enclave.ts'
import { enclavejs, enclavejsHere, Workspace, wrongUse } from './process.ts'

const workspace = new Workspace()
const repository = fileURLToPath(new URL('../../../', import.meta.url))
const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const env = {
  ...{ ENCLAVEJS_RUN_DIR: join(workspace.path, 'run'), NITRO_QEMU_DIR: '/nonexistent' },
  ...{ AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'none'.repeat(10) },
}
/** Says at port 9 what credentials it is given, and at port 10 what it hears at the parent's port 8000. */
const PROGRAM = `
import { connect, createServer } from '@enclavejs/vsock'
import { createVsockCredentials } from '@enclavejs/kms-enclave'
const atParent = ({ signal }) => connect({ port: 8002, signal })
createServer((socket) => socket.end()).listen({ port: 7 })
createServer((socket) => {
  const credentials = createVsockCredentials({ connect: atParent })
  credentials({}).then(({ accessKeyId }) => socket.end(accessKeyId), ({ code }) => socket.end(code))
}).listen({ port: 9 })
createServer((socket) => {
  connect({ port: 8000 }).then((far) => far.pipe(socket), ({ code }) => socket.end(code))
}).listen({ port: 10 })
`
const running: ChildProcess[] = []

beforeAll(async () => {
  symlinkSync(join(repository, 'node_modules'), join(workspace.path, 'node_modules'))
  const program = workspace.file('program.mjs', PROGRAM)
  Object.assign(process.env, env)
  const started = await enclavejs(
    ['run', program, '--name', 'web', '--ready-port', '7', '--detach'],
    { env },
  )
  expect(started).toMatchObject({ status: 0 })
})
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await enclavejsHere(['stop', '--all'])
  workspace.remove()
})

/** Runs a command until it has said something. */
async function start(args: readonly string[], said: string): Promise<() => string> {
  const node = ['--conditions=@enclavejs/source', bin, ...args]
  const child = spawn(process.execPath, node, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  }
  await expect.poll(() => output, { timeout: 20_000 }).toContain(said)
  return () => output
}

/** The TCP ports of a proxy that tells its events, in the order of its configuration. */
async function startProxy(args: readonly string[], count: number): Promise<number[]> {
  const output = await start(['proxy', '--json', ...args], '"listening"')
  const ports = (): number[] =>
    [...output().matchAll(/"type":"listening","listener":"[^"]*","port":(\d+)/g)].map(([, port]) =>
      Number(port),
    )
  await expect.poll(() => ports().length, { timeout: 20_000 }).toBe(count)
  return ports()
}

const hear = (port: number): Promise<string> =>
  text(connect({ host: '127.0.0.1', port, allowHalfOpen: true }))

async function greeter(): Promise<number> {
  const server = createServer((socket) => void socket.end('from outside')).unref()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe('--enclave NAME', () => {
  it('stands for the CID that a configuration leaves out, and gives credentials to that enclave', async () => {
    const port = await greeter()
    const file = workspace.json('named.yaml', {
      inbound: [
        { name: 'asks', listen: { port: 0 }, to: { port: 9 } },
        { name: 'reads', listen: { port: 0 }, to: { port: 10 } },
      ],
      outbound: [{ name: 'out', listen: { port: 8000 }, to: { host: '127.0.0.1', port } }],
    })
    const ports = await startProxy(['--config', file, '--enclave', 'web'], 3)
    const tcp = ports.filter((one) => one !== 8000)
    expect(await hear(tcp[1] ?? 0)).toBe('from outside')
    expect(await hear(tcp[0] ?? 0)).toMatch(/^ERR_KMS_/)
    await start(['credentials', 'serve', '--enclave', 'web'], 'are served')
    expect(await hear(tcp[0] ?? 0)).toBe('AKIAIOSFODNN7EXAMPLE')
  })

  it("stands for --allow-cid in AWS's form", async () => {
    const port = await greeter()
    const list = workspace.file('list.yaml', `allowlist:\n- {address: 127.0.0.1, port: ${port}}\n`)
    const aws = ['8000', '127.0.0.1', String(port), '--config', list, '--enclave', 'web']
    await start(['proxy', ...aws], 'listening on port 8000')
    const inwards = { inbound: [{ listen: { port: 0 }, to: { port: 10 } }] }
    const file = workspace.json('inwards.yaml', inwards)
    const [door = 0] = await startProxy(['--config', file, '--enclave', 'web'], 1)
    expect(await hear(door)).toBe('from outside')
  })

  it.each([
    ['none of the name', 'other', 'there is no enclave called other: known are web'],
    ['one that has ended', 'dead', 'dead: it has ended, and only its record is left'],
    ['one that is ending', 'ending', 'ending: it is being stopped'],
    ['one whose CID is not known', 'early', 'early: its CID is not known yet'],
  ])('is refused for %s', async (_what, name, message) => {
    const record = JSON.parse(
      readFileSync(join(env.ENCLAVEJS_RUN_DIR, 'web', 'enclave.json'), 'utf8'),
    ) as { supervisor: object }
    const { supervisor } = record
    const changes: Record<string, object> = {
      dead: { supervisor: { ...supervisor, startTime: '1' }, processes: [] },
      ending: { state: 'stopping' },
      early: { state: 'starting', cid: 0 },
    }
    const folder = join(env.ENCLAVEJS_RUN_DIR, name)
    if (changes[name] !== undefined) {
      mkdirSync(folder, { mode: 0o700 })
      const json = JSON.stringify({ ...record, name, ...changes[name] })
      writeFileSync(join(folder, 'enclave.json'), json)
    }
    const file = workspace.json('none.yaml', {
      inbound: [{ listen: { port: 0 }, to: { port: 9 } }],
    })
    for (const command of [
      ['proxy', '--config', file],
      ['credentials', 'serve'],
    ]) {
      const { status, stdout, stderr } = await enclavejsHere([...command, '--enclave', name])
      expect([status, stdout]).toEqual([1, ''])
      expect(stderr).toContain(`refused: ERR_LAUNCHER_NOT_FOUND\n${message}`)
    }
  })

  it.each<[string, string[], RegExp]>([
    ['beside --any-cid', ['8000', 'a.example', '1', '--any-cid'], /or --enclave NAME alone/],
    ['beside --allow-cid', ['8000', 'a.example', '1', '--allow-cid', '4'], /NAME alone/],
    ['with a configuration that names all', ['--config', 'full.yaml'], /leave out those of the/],
  ])('is wrong use %s', async (_what, args, message) => {
    const inbound = [{ listen: { port: 0 }, to: { port: 9, cid: 16 } }]
    workspace.json('full.yaml', { inbound })
    const given = args.map((one) => (one === 'full.yaml' ? join(workspace.path, one) : one))
    const outcome = await enclavejsHere(['proxy', '--check', ...given, '--enclave', 'web'])
    expect(outcome).toMatchObject(wrongUse(message))
  })

  it('is wrong use beside --any-cid, of credentials', async () => {
    const args = ['credentials', 'serve', '--any-cid', '--enclave', 'web']
    expect(await enclavejsHere(args)).toMatchObject(wrongUse(/one of --allow-cid, --any-cid/))
  })
})

describe('a configuration', () => {
  const source = `
# who calls KMS
outbound:
  - listen: { port: 8000 }
    to: { host: kms.eu-west-1.amazonaws.com, port: 443 }
  - listen: { port: 8001, allowedCids: [5] }
    to: { host: kms.eu-west-2.amazonaws.com, port: 443 }
connect:
  - listen: { port: 8002, anyCid: true }
    allow: []
inbound:
  - listen: { port: 443 }
    to: { port: 8443 }
  - listen: { port: 444 }
    to: { port: 8443, cid: 7 }
`
  it('is filled where it names nobody, and nowhere else', async () => {
    expect(await withEnclave(source, { cid: 16 })).toBe(
      source
        .slice(1)
        .replace('{ port: 8000 }', '{ port: 8000, allowedCids: [ 16 ] }')
        .replace('{ port: 8443 }', '{ port: 8443, cid: 16 }')
        .replace('[5]', '[ 5 ]'),
    )
    const filled = await withEnclave(source, { path: '/run/v.sock' })
    expect(filled).toContain('{ port: 8000, path: /run/v.sock }')
    expect(filled).toContain('{ port: 8443, path: /run/v.sock }')
    expect(listenerOf({ path: '/run/v.sock' })).toEqual({ path: '/run/v.sock' })
  })

  it.each([
    ['that is no YAML', 'outbound: [', 'outbound: ['],
    ['without entries', 'outbound: 1\n', undefined],
    ['that is a list', '- 1\n', undefined],
    ['of empty entries', 'outbound: [1, { listen: 2 }]\n', undefined],
  ])('%s is left to who reads it', async (_what, given, expected) => {
    expect(await withEnclave(given, { cid: 16 })).toBe(expected)
  })

  it('with aliases or tags is refused still', async () => {
    const file = workspace.file(
      'alias.yaml',
      'inbound:\n  - listen: &a { port: 0 }\n    to: { port: 9 }\n  - listen: *a\n    to: { port: 9 }\n',
    )
    const args = ['proxy', '--check', '--config', file, '--enclave', 'web']
    expect(await enclavejsHere(args)).toMatchObject(wrongUse(/without anchors and aliases/))
  })
})
