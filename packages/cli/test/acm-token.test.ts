import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { certificateId, createToken, type AcmToken } from '@enclavejs/acm-enclave/token'
import { MadeAuthority } from '../../acm-enclave/test/token/made-key.ts'
import { absent, MODULE, Workplace } from '../../acm-enclave/test/token/program.ts'

const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const PIN = 'a pin of 18 bytes.'
let workplace: Workplace
let token: AcmToken
const children = new Set<ChildProcess>()

interface Run {
  readonly child: ChildProcess
  stderr: string
  readonly status: Promise<number | null>
}

function enclavejs(...args: string[]): Run {
  const child = spawn(process.execPath, ['--conditions=@enclavejs/source', bin, ...args])
  children.add(child)
  const status = new Promise<number | null>((resolve) => child.once('close', resolve))
  const run: Run = { child, stderr: '', status }
  child.stderr?.on('data', (chunk: Buffer) => (run.stderr += chunk.toString()))
  return run
}

const authority = new MadeAuthority()
const made = () => {
  const key = authority.issue('ec', 1, 'acm-key')
  return { ...key, id: certificateId(key.certificate) }
}

beforeEach(async () => {
  workplace = new Workplace()
  token = createToken({ label: 'inner', pin: PIN, keys: [made()] })
  const server = createServer()
  token.listen(server)
  await new Promise<void>((resolve) => server.listen(workplace.path('enclave.sock'), resolve))
  server.unref()
  workplace.write('pin', `${PIN}\n`)
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  token.close()
  await workplace.close()
})

describe('acm agent', () => {
  const agent = (...more: string[]): Run =>
    enclavejs(
      ...['acm', 'agent', '--socket', workplace.socket, '--pin-file', workplace.path('pin')],
      ...['--enclave-unix', workplace.path('enclave.sock'), ...more],
    )

  test('writes the files, answers clients, follows a renewal, ends with a signal', async () => {
    const run = agent(
      ...['--module-file', workplace.path('p11.module'), '--certificate', workplace.path('c.pem')],
      ...['--nginx-stanza', workplace.path('stanza.conf'), '--interval', '1'],
      ...['--reload', `touch ${workplace.path('reloaded')}`],
    )
    await expect.poll(() => run.stderr, { timeout: 10_000 }).toContain('1 keys on')
    expect(statSync(workplace.socket).mode & 0o777).toBe(0o600)
    expect(readFileSync(workplace.path('p11.module'), 'utf8')).toContain(
      `remote:unix:path=${workplace.socket}\n`,
    )
    const stanza = (): string => readFileSync(workplace.path('stanza.conf'), 'utf8')
    const hex = (id: Uint8Array): string => Buffer.from(id).toString('hex').replace(/../g, '%$&')
    expect(stanza()).toContain(`id=${hex(token.ids[0] as Uint8Array)};object=acm-key`)
    expect(stanza()).toContain('pin-value=a%20pin%20of%2018%20bytes.')
    if (absent('pkcs11-tool') === undefined) {
      const tool = ['--module', MODULE, '--list-objects', '--login', '--pin', PIN]
      const { stdout } = await workplace.run('/usr/bin/pkcs11-tool', tool)
      expect(stdout.toString()).toContain('Private Key Object; EC')
    }
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const renewed = authority.issue('ec', 1, 'acm-key')
    const id = certificateId(renewed.certificate)
    token.addKey({ ...renewed, id })
    token.removeKey(token.ids[0] as Uint8Array)
    await expect.poll(stanza, { timeout: 5000 }).toContain(hex(id))
    await expect.poll(() => existsSync(workplace.path('reloaded'))).toBe(true)
    expect(readFileSync(workplace.path('c.pem'), 'utf8')).toContain(renewed.certificate)
    run.child.kill('SIGTERM')
    expect(await run.status).toBe(0)
  })

  test('says when the enclave refuses the PIN, or is away', async () => {
    workplace.write('pin', 'another\n')
    const refused = agent()
    expect(await refused.status).toBe(1)
    expect(refused.stderr).toContain('ERR_ACM_TOKEN_PIN')
    const away = enclavejs(
      ...['acm', 'agent', '--socket', workplace.socket, '--pin-file', workplace.path('pin')],
      ...['--enclave-unix', workplace.path('nobody.sock'), '--start-timeout', '0'],
    )
    expect(await away.status).toBe(1)
    expect(away.stderr).toContain('ERR_ACM_TOKEN_ENCLAVE')
  })

  test.each([
    [['--socket', '/tmp/x'], '--pin-file is missing'],
    [['--pin-file', 'PIN', '--socket', '/tmp/x'], '--enclave or --enclave-unix is missing'],
    [['--pin-file', 'PIN', '--enclave', '16'], '--socket is missing'],
    [['--pin-file', 'PIN', '--socket', '/tmp/x', '--enclave', 'x'], 'CID or CID:PORT expected'],
    [
      ['--pin-file', 'PIN', '--socket', '/tmp/x', '--nginx-stanza', '/tmp/x'],
      '--certificate is missing',
    ],
    [['--pin-file', 'PIN', 'more'], 'flags alone'],
  ])('wrong use: %j', async (args, message) => {
    const own = args.map((word) => (word === 'PIN' ? workplace.path('pin') : word))
    const run = enclavejs('acm', 'agent', ...own)
    expect(await run.status).toBe(2)
    expect(run.stderr).toContain(message)
  })
})

test.each([
  [['--pin-file', 'PIN'], 'acm token needs --bucket'],
  [['--pin-file', 'PIN', '--allow-cid', 'parent'], '--allow-cid: a number expected'],
  [['--pin-file', 'PIN', '--allow-cid', '3', '--any-cid'], '--allow-cid and --any-cid: one of'],
  [['--pin-file', 'PIN', '--unix', '/tmp/x', '--any-cid'], 'are of vsock'],
  [[], '--pin-file is missing'],
])('acm token, wrong use: %j', async (args, message) => {
  const own = args.map((word) => (word === 'PIN' ? workplace.path('pin') : word))
  const run = enclavejs('acm', 'token', ...own)
  expect(await run.status).toBe(2)
  expect(run.stderr).toContain(message)
})
