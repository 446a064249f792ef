import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  arm64Node,
  muslLoader,
  SANITIZERS,
  sanitizer,
  type Built,
} from '../../../test/native/addon.ts'
import { addon, buildFake, home } from './native/build.ts'

const folder = mkdtempSync(join(tmpdir(), 'nsm-native-'))
afterAll(() => rmSync(folder, { recursive: true }))

const works = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
const output = (command: string, ...args: string[]): string =>
  spawnSync(command, args, { encoding: 'utf8' }).stdout
const sha256 = (file: string): string =>
  createHash('sha256').update(readFileSync(file)).digest('hex')

/** A build of the addon as it is published, in a copy of the sources elsewhere. */
function copyAndBuild(name: string, args: readonly string[] = [], out = 'out.node'): Built {
  return addon.copy(join(folder, name), args, out)
}

const first = copyAndBuild('first')
const noCompiler = first.file === undefined ? first.output : ''

describe.skipIf(noCompiler !== '')(`the published addon ${noCompiler}`, () => {
  test('has the same bytes from another build in another folder', () => {
    const second = copyAndBuild('a-longer-name/second')
    expect(sha256(second.file ?? '')).toBe(sha256(first.file ?? ''))
    expect(readFileSync(first.file ?? '').includes(folder)).toBe(false)
  })

  test('has no fake device in it', () => {
    expect(readFileSync(first.file ?? '').includes('fake:')).toBe(false)
    expect(readFileSync(buildFake().file ?? '').includes('fake:')).toBe(true)
  })

  test.skipIf(!works('readelf', '--version'))(
    'needs libc alone, no newer than Node itself does',
    () => {
      const dynamic = output('readelf', '-dW', first.file ?? '')
      expect(dynamic.match(/Shared library: \[.*\]/g)).toEqual(['Shared library: [libc.so.6]'])
      expect(dynamic).toMatch(/NOW NODELETE/) // a stuck thread outlives the worker that loaded it
      const symbols = output('readelf', '--dyn-syms', '-W', first.file ?? '')
      const versions = [...symbols.matchAll(/@GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor))
      expect(versions.length).toBeGreaterThan(20)
      expect(Math.max(...versions)).toBeLessThanOrEqual(17) // Node 22 asks for glibc 2.28
      const exported = [...symbols.matchAll(/GLOBAL\s+DEFAULT\s+\d+\s+(\S+)/g)].map(
        ([, name]) => name,
      )
      expect(exported.toSorted((a = '', b = '') => a.localeCompare(b))).toEqual([
        'napi_register_module_v1',
        'node_api_module_get_api_version_v1',
      ])
      const segments = output('readelf', '-lW', first.file ?? '')
      expect(segments).toMatch(/GNU_RELRO/)
      expect(segments).toMatch(/GNU_STACK.* RW /)
    },
  )

  const loader = muslLoader()
  test.skipIf(loader === undefined)(
    `loads under musl, and its thread runs there${loader !== undefined ? '' : ' (Debian package musl is not installed)'}`,
    () => {
      const host = join(folder, 'host')
      const sources = [
        'test/native/host.c',
        'native/device.c',
        'native/exchange.c',
        'test/native/fake.c',
      ]
      const flags = [
        '-std=gnu11',
        '-O1',
        '-Wall',
        '-Wextra',
        '-Werror',
        '-rdynamic',
        '-pthread',
        '-Inative',
      ]
      const built = spawnSync('cc', [...flags, '-o', host, ...sources], {
        cwd: home,
        encoding: 'utf8',
      })
      expect(built.stderr).toBe('')
      const ran = spawnSync(loader ?? '', [host, first.file ?? ''], {
        encoding: 'utf8',
        timeout: 20_000,
      })
      expect(ran.stdout).toBe('open: errno 2\ndevice: errno 0\n')
      expect(ran.status).toBe(0)
    },
  )
})

const arm64 = arm64Node()

describe.skipIf(arm64.reason !== '')(`the addon on arm64 ${arm64.reason}`, () => {
  test('loads in an arm64 Node, opens, and runs its thread', () => {
    const arch = ['--arch', 'arm64']
    const published = copyAndBuild('arm64', arch)
    cpSync(join(home, 'test/native'), join(folder, 'arm64/packages/nsm/fake'), { recursive: true })
    const replaced = [...arch, '--with', 'ioctl.c=fake/fake.c']
    const fake = copyAndBuild('arm64', replaced, 'fake.node')
    const source = `
      const published = require(process.argv[1])
      const fake = require(process.argv[2])
      const random = Buffer.from('6947657452616e646f6d', 'hex')
      const answered = []
      const handle = fake.open('fake:instant', (id, answer) => answered.push(answer.length))
      const sync = fake.requestSync(handle, random).length
      for (let id = 0; id < 100; id++) fake.submit(handle, id, random, 5000)
      fake.close(handle)
      const wait = setInterval(() => {
        if (answered.length < 100) return
        clearInterval(wait)
        console.log(process.arch, published.open('/nonexistent', () => {}), sync, new Set(answered))
      }, 5)`
    const files = [published.file ?? '', fake.file ?? '']
    const [emulator = '', ...before] = arm64.command
    const command = [...before, '-e', source, ...files]
    const ran = spawnSync(emulator, command, { encoding: 'utf8', timeout: 50_000 })
    expect(ran.stdout + ran.stderr).toBe('arm64 2 278 Set(1) { 278 }\n')
    expect(readFileSync(published.file ?? '').readUInt16LE(18)).toBe(183) // EM_AARCH64
  })
})

describe('under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
  const { reason, env } = sanitizer()

  function run(args: readonly string[]): Promise<{ status: number | null; output: string }> {
    const child = spawn(process.execPath, ['--conditions=@enclavejs/source', ...args], {
      env: { ...process.env, ...env },
      timeout: 55_000,
    })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    return new Promise((resolve) =>
      child.on('close', (status) => resolve({ status, output: said })),
    )
  }

  test.skipIf(reason !== '')(`the whole exercise is clean ${reason}`, async () => {
    const fake = buildFake(SANITIZERS).file ?? ''
    const ran = await run(['--expose-gc', join(home, 'test/native/exercise.ts'), fake, '1'])
    expect(ran).toEqual({ status: 0, output: 'clean\n' })
  })

  test.skipIf(reason !== '')(
    `a write one byte beyond the response is caught ${reason}`,
    async () => {
      const fake = buildFake(SANITIZERS).file ?? ''
      const source = `require(${JSON.stringify(fake)}).requestSync(require(${JSON.stringify(fake)}).open('fake:overrun', () => {}), new Uint8Array(1))`
      const ran = await run(['-e', source])
      expect(ran.status).not.toBe(0)
      expect(ran.output).toMatch(/AddressSanitizer: stack-buffer-overflow/)
    },
  )
})
