import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Outcome } from '../../../test/vsock/case.ts'
import { cases } from '../../../test/vsock/cases.ts'
import { makeCertificate } from '../../../test/vsock/certificate.ts'
import { compareOutcome } from '../../../test/vsock/difference.ts'
import { differences } from '../../../test/vsock/differences.ts'
import {
  arm64Node,
  muslLoader,
  SANITIZERS,
  sanitizer,
  type Built,
} from '../../../test/native/addon.ts'
import { addon, buildFake, home } from './native/build.ts'
import { Stage } from './native/stage.ts'

const folder = mkdtempSync(join(tmpdir(), 'vsock-native-'))
const stages: Stage[] = []
afterAll(() => {
  rmSync(folder, { recursive: true })
  for (const stage of stages) stage.close()
})

const works = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
const output = (command: string, ...args: string[]): string =>
  spawnSync(command, args, { encoding: 'utf8' }).stdout
const sha256 = (file: string): string =>
  createHash('sha256').update(readFileSync(file)).digest('hex')

/** A build of the addon as it is published, in a copy of the sources elsewhere. */
function copyAndBuild(name: string, args: readonly string[] = [], out = 'out.node'): Built {
  return addon.copy(join(folder, name), args, out)
}

interface Ran {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** Runs a program of a stage. The sockets of each run have a name space of their own. */
function run(
  node: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ran> {
  const child = spawn(node, ['--conditions=@enclavejs/source', ...args], {
    env: { ...process.env, VITEST: '', ENCLAVEJS_FAKE_VSOCK: crypto.randomUUID(), ...env },
    timeout: 110_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, out, err })))
}

const first = copyAndBuild('first')
const noCompiler = first.file === undefined ? first.output : ''

describe.skipIf(noCompiler !== '')(`the published addon ${noCompiler}`, () => {
  test('has the same bytes from another build in another folder', () => {
    const second = copyAndBuild('a-longer-name/second')
    expect(sha256(second.file ?? '')).toBe(sha256(first.file ?? ''))
    expect(readFileSync(first.file ?? '').includes(folder)).toBe(false)
  })

  test('has no stand-in for AF_VSOCK in it', () => {
    expect(readFileSync(first.file ?? '').includes('enclavejs-')).toBe(false)
    expect(readFileSync(buildFake().file ?? '').includes('enclavejs-')).toBe(true)
  })

  test.skipIf(!works('readelf', '--version'))(
    'needs libc alone, no newer than Node itself does',
    () => {
      const dynamic = output('readelf', '-dW', first.file ?? '')
      expect(dynamic.match(/Shared library: \[.*\]/g)).toEqual(['Shared library: [libc.so.6]'])
      expect(dynamic).toMatch(/NOW NODELETE/)
      const symbols = output('readelf', '--dyn-syms', '-W', first.file ?? '')
      const versions = [...symbols.matchAll(/@GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor))
      expect(versions.length).toBeGreaterThan(15)
      expect(Math.max(...versions)).toBeLessThanOrEqual(17) // Node 22 asks for glibc 2.28
      const exported = [...symbols.matchAll(/GLOBAL\s+DEFAULT\s+\d+\s+(\S+)/g)].map(
        ([, name]) => name,
      )
      expect(exported.toSorted((a = '', b = '') => a.localeCompare(b))).toEqual([
        'napi_register_module_v1',
        'node_api_module_get_api_version_v1',
      ])
      // Of libuv what has been the same since its first release.
      const uv = [...symbols.matchAll(/UND (uv_\w+)/g)].map(([, name]) => name)
      expect(uv.toSorted((a = '', b = '') => a.localeCompare(b))).toEqual([
        ...['uv_close', 'uv_poll_init', 'uv_poll_start', 'uv_poll_stop', 'uv_ref', 'uv_unref'],
      ])
      const segments = output('readelf', '-lW', first.file ?? '')
      expect(segments).toMatch(/GNU_RELRO/)
      expect(segments).toMatch(/GNU_STACK.* RW /)
    },
  )

  const loader = muslLoader()
  test.skipIf(loader === undefined)(
    `loads under musl, and its sockets open there${loader !== undefined ? '' : ' (Debian package musl is not installed)'}`,
    () => {
      const host = join(folder, 'host')
      const flags = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-rdynamic']
      const built = spawnSync('cc', [...flags, '-o', host, 'test/native/host.c'], {
        cwd: home,
        encoding: 'utf8',
      })
      expect(built.stderr).toBe('')
      const ran = spawnSync(loader ?? '', [host, first.file ?? ''], {
        encoding: 'utf8',
        timeout: 20_000,
      })
      // The peer of a placeholder is AF_UNIX (EAFNOSUPPORT), a listener has none (ENOTCONN); closed, both are gone (EBADF).
      const lines = [97, 107].map(
        (errno) => `placeholder: open, name: -${errno}, close: 0, again: -9\n`,
      )
      expect(ran.stdout).toBe(`functions: 11\n${lines.join('')}`)
      expect(ran.status).toBe(0)
    },
  )
})

const certificate = makeCertificate()
const runtimes = join(home, '../../test/runtimes/node_modules')
const nodes: readonly (readonly [name: string, program: string])[] = [
  ['this Node', process.execPath],
  ['Node 22', join(runtimes, 'node-22/bin/node')],
  ['Node 26', join(runtimes, 'node-26/bin/node')],
]

/** Runs a part of load.ts, and expects what it says of itself. */
async function expectLoad(action: string, said: object): Promise<void> {
  const stage = new Stage(buildFake().file ?? '', certificate)
  stages.push(stage)
  const load = join(stage.folder, 'test/native/load.ts')
  const ran = await run(process.execPath, ['--expose-gc', load, action, stage.certificate])
  expect(ran).toEqual({ status: 0, out: `${JSON.stringify(said)}\n`, err: '' })
}

describe.skipIf(noCompiler !== '')('with AF_UNIX in the place of AF_VSOCK', () => {
  // It waits, mostly, beside the others.
  test('a reader that stops for 30 seconds', { concurrent: true, timeout: 120_000 }, () =>
    expectLoad('stop', { stopped: 30_000 }),
  )

  for (const [name, node] of nodes) {
    const missing = !existsSync(node)
      ? `${name} is not installed: run \`npm ci\` in test/runtimes`
      : certificate === undefined
        ? 'the program openssl is not installed'
        : ''
    test.skipIf(missing !== '')(
      `${name} has the semantics of its node:net ${missing}`,
      { concurrent: true, timeout: 120_000 },
      async ({ expect }) => {
        const stage = new Stage(buildFake().file ?? '', certificate)
        stages.push(stage)
        const suite = join(stage.folder, 'suite/main.ts')
        const [reference, seen] = await Promise.all(
          ['tcp', 'vsock'].map(async (spec) => {
            const ran = await run(node, [suite, spec, stage.certificate])
            expect(ran.err).toBe('')
            return outcomes(ran.out)
          }),
        )
        expect(seen?.size).toBe(cases.length)
        for (const [one, outcome] of seen ?? []) {
          const expected = reference?.get(one) as Outcome
          const wrong = compareOutcome(one, 'stand-in', expected, outcome, differences)
          expect.soft(wrong, one).toBe(undefined)
        }
      },
    )
  }
})

const noTls = noCompiler !== '' || certificate === undefined

describe.skipIf(noTls)('at full numbers', () => {
  test.each([
    ['1 GiB through TLS, with checksums', 'tls', { bytes: 2 ** 30, protocol: 'TLSv1.3' }],
    ['5,000 connections opened and closed', 'many', { connections: 5000 }],
  ])('%s', { timeout: 120_000 }, (_, action, said) => expectLoad(action, said))
})

describe.skipIf(noCompiler !== '')('allowedCids', () => {
  test('refuses a peer whose name is gone', async () => {
    const stage = new Stage(buildFake().file ?? '', undefined)
    stages.push(stage)
    const ran = await run(process.execPath, [join(stage.folder, 'test/native/nameless.ts')])
    const out = '["","taken from 1","taken from undefined","taken from 1"]\n'
    expect(ran).toEqual({ status: 0, out, err: '' })
  })
})

function outcomes(text: string): Map<string, Outcome> {
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => {
        const { name, call, serve } = JSON.parse(line) as Outcome & { name: string }
        return [name, { call, serve }] as const
      }),
  )
}

describe('under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
  const { reason, env } = sanitizer()

  test.skipIf(reason !== '')(
    `the whole exercise is clean ${reason}`,
    { timeout: 120_000 },
    async () => {
      const stage = new Stage(buildFake(SANITIZERS).file ?? '', undefined)
      stages.push(stage)
      const exercise = join(stage.folder, 'test/native/exercise.ts')
      const ran = await run(process.execPath, ['--expose-gc', exercise, '2'], env)
      expect(ran).toEqual({ status: 0, out: 'clean\n', err: '' })
    },
  )

  test.skipIf(reason !== '')(`a fault of the code is caught ${reason}`, async () => {
    const fake = buildFake(SANITIZERS).file ?? ''
    const source = `require(${JSON.stringify(fake)}).connect(0, 60, 0, 0, 0, 0, () => {})`
    const ran = await run(process.execPath, ['-e', source], env)
    expect(ran.status).not.toBe(0)
    expect(ran.err).toMatch(/out of bounds/)
  })
})

const arm64 = arm64Node()

describe.skipIf(arm64.reason !== '')(`the addon on arm64 ${arm64.reason}`, () => {
  test('loads in an arm64 Node, and connections go through it', () => {
    const arch = ['--arch', 'arm64']
    const published = copyAndBuild('arm64', arch)
    cpSync(join(home, 'test/native'), join(folder, 'arm64/packages/vsock/fake'), {
      recursive: true,
    })
    const fake = copyAndBuild('arm64', [...arch, '--with', 'socket.c=fake/fake.c'], 'fake.node')
    const source = `
      const { Socket, Server } = require('node:net')
      const fd = require(process.argv[1]).placeholder(false)
      const fake = require(process.argv[2])
      const listening = fake.listen(0xffffffff, 5000, 0, 10)
      const place = fake.placeholder(true)
      const server = new Server((socket) => socket.pipe(socket)).listen({ fd: place })
      const became = fake.become(place, listening)
      const own = fake.placeholder(false)
      const socket = new Socket({ fd: own, readable: true, writable: true, manualStart: true })
      fake.connect(own, 1, 5000, 0, 0, 2000, (result) => {
        socket.end('through ')
        socket.on('data', (data) => console.log(process.arch, fd > 2, became, result, String(data)))
        socket.on('close', () => server.close())
      })`
    const files = [published.file ?? '', fake.file ?? '']
    const [emulator = '', ...before] = arm64.command
    const command = [...before, '-e', source, ...files]
    const ran = spawnSync(emulator, command, {
      ...{ encoding: 'utf8', timeout: 50_000 },
      env: { ...process.env, ENCLAVEJS_FAKE_VSOCK: crypto.randomUUID() },
    })
    expect(ran.stdout + ran.stderr).toBe('arm64 true 0 0 through \n')
    expect(readFileSync(published.file ?? '').readUInt16LE(18)).toBe(183) // EM_AARCH64
  })
})
