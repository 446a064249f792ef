// run, ps, console, logs and stop as processes, with programs on the simulator. Images are for the guest tests.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { enclavejs, enclavejsHere, Workspace, wrongUse, type Outcome } from './process.ts'

const workspace = new Workspace()
const repository = fileURLToPath(new URL('../../../', import.meta.url))
const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const env = {
  ...{ ENCLAVEJS_RUN_DIR: join(workspace.path, 'run'), NITRO_QEMU_DIR: '/nonexistent' },
  ...{ AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'none' },
}
const running: ChildProcess[] = []

const SERVE = `
import { createServer } from '@enclavejs/vsock'
import { createLog } from '@enclavejs/vsock/log'
import { createVsockCredentials } from '@enclavejs/kms-enclave'
import { connect } from '@enclavejs/vsock'
const log = createLog({ events: ['started', 'credentials'], fields: { ok: { type: 'boolean' } } })
const credentials = createVsockCredentials({ connect: ({ signal }) => connect({ port: 8002, signal }) })
createServer((socket) => socket.pipe(socket)).listen({ port: 7 })
console.log('hello \\u001b]0;x\\u0007')
log.info('started', { ok: true, token: 'secret' })
const { accessKeyId } = await credentials({}).catch((error) => ({ accessKeyId: error.code }))
log.info('credentials', { ok: accessKeyId === 'AKIAIOSFODNN7EXAMPLE' })
`
let serve: string
let short: string

beforeAll(() => {
  symlinkSync(join(repository, 'node_modules'), join(workspace.path, 'node_modules'))
  const program = (name: string, source: string): string => {
    const folder = join(workspace.path, name)
    mkdirSync(folder)
    writeFileSync(join(folder, 'index.mjs'), source)
    writeFileSync(join(folder, 'package.json'), '{"name":"app","main":"index.mjs"}')
    return folder
  }
  serve = program('serve', SERVE)
  short = program('short', 'setTimeout(() => process.exit(4), 500)')
})
beforeAll(() => Object.assign(process.env, env))
afterEach(async () => {
  for (const one of running.splice(0)) one.kill('SIGKILL')
  await enclavejsHere(['stop', '--all'])
})
afterAll(() => workspace.remove())

interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Outcome>
  said(): string
}

function start(...args: string[]): Running {
  const child = spawn(process.execPath, ['--conditions=@enclavejs/source', bin, 'run', ...args], {
    env: { ...process.env, ...env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<Outcome>((resolve) => {
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
  return { child, ended, said: () => stdout + stderr }
}

const until = async (one: Running, text: string): Promise<void> => {
  await expect.poll(one.said, { timeout: 40_000 }).toContain(text)
}
const run = (...args: string[]): Promise<Outcome> => enclavejs(args, { env })
const here = (...args: string[]): Promise<Outcome> => enclavejsHere(args)

describe('enclavejs run', () => {
  it('says what it took, prints the log, gives credentials, and ends with 0 on a signal', async () => {
    const one = start(serve, '--ready-port', '7', '--logs', '--credentials', '--publish', '0:7')
    await until(one, 'credentials ok=')
    one.child.kill('SIGINT')
    const { status, stdout, stderr } = await one.ended
    expect(status).toBe(0)
    expect(stderr).toContain('the simulator: a program of this machine. Nothing is measured')
    expect(stderr).toContain('proven: nothing')
    expect(stderr).toMatch(/ready after \d+\.\d s \(port\)/)
    expect(stderr).toMatch(/TCP port \d+ leads to it/)
    expect(stderr).toContain('console: hello \\u{1b}]0;x\\u{7}')
    expect(stderr).toContain('ended as asked')
    expect(stdout).toMatch(/info {2}started ok=true\n/)
    expect(stdout).not.toContain('secret')
  }, 90_000)

  it('ends with 3 when the enclave ends by itself, and tells it in JSON', async () => {
    const { status, stdout, stderr } = await run('run', short, '--json', '--no-console', '--debug')
    expect(status).toBe(3)
    expect(stderr).toContain('DANGEROUS: debug mode')
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string })
    const types = events.map(({ type }) => type).filter((type) => type !== 'console')
    expect(types).toEqual([
      'backend',
      'starting',
      'started',
      'admitted',
      'ready',
      'stopping',
      'ended',
    ])
    expect(events.at(-1)).toMatchObject({ asked: false, status: 4 })
  })

  it('detaches when it is ready; ps, logs, console and stop find it by its name', async () => {
    const detached = await run('run', serve, '--name', 'web', '--ready-port', '7', '--detach')
    expect(detached).toMatchObject({ status: 0 })
    expect((await here('ps')).stdout).toMatch(/^NAME .*\nweb {3}simulator {2}running /)
    expect((await here('ps', 'web', '--cid')).stdout).toBe('16\n')
    expect(JSON.parse((await here('ps', '--json')).stdout)).toMatchObject({
      enclaves: [{ name: 'web', state: 'running', backend: 'simulator', cid: 16 }],
    })
    const logs = await run('logs', 'web')
    expect(logs.stdout).toMatch(/info {2}started ok=true\n/)
    const entries = (await run('logs', '--name', 'web', '--json')).stdout.trim().split('\n')
    expect(JSON.parse(entries[1] ?? '')).toMatchObject({ event: 'started', fields: { ok: true } })
    expect((await here('console')).stdout).toContain('hello \\u{1b}]0;x\\u{7}\n')
    const again = await run('run', serve, '--name', 'web')
    expect(again).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ERR_LAUNCHER_NAME') as string,
    })
    expect(await here('stop', 'web')).toMatchObject({
      status: 0,
      stderr: 'enclavejs: web: stopped\n',
    })
    expect((await here('ps')).stderr).toBe('enclavejs: no enclave runs\n')
  }, 120_000)

  it('killed leaves an enclave that ps and stop know', async () => {
    const one = start(serve, '--name', 'orphan', '--ready-port', '7', '--json')
    await until(one, '"type":"ready"')
    await until(one, '"console"')
    one.child.kill('SIGKILL')
    await one.ended
    const { enclaves } = JSON.parse((await here('ps', '--json')).stdout) as { enclaves: object[] }
    expect(enclaves).toMatchObject([{ name: 'orphan', state: 'unsupervised' }])
    expect((await here('console', 'orphan', '--follow')).stdout).toContain('hello')
    const stopped = await here('stop', 'orphan', '--json')
    expect(JSON.parse(stopped.stdout)).toEqual({ enclaves: [{ name: 'orphan', how: 'forced' }] })
    expect(existsSync(join(env.ENCLAVEJS_RUN_DIR, 'orphan'))).toBe(false)
  }, 90_000)

  it('is ended by a signal while it starts', async () => {
    const one = start(serve, '--ready-port', '99')
    await until(one, 'started, CID')
    one.child.kill('SIGTERM')
    expect(await one.ended).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('ended by SIGTERM while it started') as string,
    })
    expect((await here('ps')).stderr).toContain('no enclave runs')
  })
})

describe('refused', () => {
  it.each([
    ['ERR_LAUNCHER_IMAGE', ['run', 'none.eif']],
    ['ERR_LAUNCHER_BACKEND', ['run', bin.replace('bin.ts', '../package.json')]],
    ['ERR_VSOCK_PROXY_CONFIG', ['run', 'x.mjs', '--publish', '99999:1']],
    ['ERR_LAUNCHER_NOT_FOUND', ['ps', 'none']],
    ['ERR_LAUNCHER_NOT_FOUND', ['stop', 'none']],
    ['ERR_LAUNCHER_NOT_FOUND', ['console', 'none']],
    ['ERR_LAUNCHER_NOT_FOUND', ['logs']],
    ['ENOENT', ['logs', '--path', '/nonexistent/socket']],
  ])('with %s: %j', async (code, args) => {
    expect(await enclavejsHere(args)).toMatchObject({
      ...{ status: 1, stdout: '' },
      stderr: expect.stringContaining(`refused: ${code}\n`) as string,
    })
  })

  it.each<[RegExp, string[]]>([
    [/IMAGE or PROGRAM is missing/, ['run']],
    [/--backend: nitro-cli, qemu or simulator/, ['run', 'x', '--backend', 'docker']],
    [/--memory: MiB, 64 to/, ['run', 'x', '--memory', '1']],
    [/--cpus: CPUs, a whole number/, ['run', 'x', '--cpus', '1.5']],
    [/--publish: \[ADDRESS:\]PORT:VSOCKPORT/, ['run', 'x', '--publish', '443']],
    [/--allow: HOST:PORT/, ['run', 'x', '--allow', 'example.com']],
    [/--outbound: VSOCKPORT:HOST:PORT/, ['run', 'x', '--outbound', 'example.com:443']],
    [/--env: KEY=VALUE/, ['run', 'x', '--env', 'KEY']],
    [/--profile goes with --credentials/, ['run', 'x', '--profile', 'p']],
    [/name: expected 1 to 32/, ['run', 'x.mjs', '--name', '../x']],
    [/ps: one NAME/, ['ps', 'a', 'b']],
    [/stop: one NAME, or --all/, ['stop']],
    [/stop: one NAME, or --all/, ['stop', 'a', '--all']],
    [/console: one NAME/, ['console', 'a', 'b']],
    [/logs: one of NAME/, ['logs', 'a', '--cid', '16']],
  ])('wrong use %s', async (message, args) => {
    expect(await enclavejsHere(args)).toMatchObject(wrongUse(message))
  })
})
