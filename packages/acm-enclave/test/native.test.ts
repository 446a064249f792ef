import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { arm64Node, muslLoader, SANITIZERS, sanitizer } from '../../../test/native/addon.ts'
import { addon, faulty, home } from './native/build.ts'

const folder = mkdtempSync(join(tmpdir(), 'acm-native-'))
afterAll(() => rmSync(folder, { recursive: true }))

const first = addon.copy(join(folder, 'first'))
const noCompiler = first.file === undefined ? first.output : ''
const published = first.file ?? ''
const sha256 = (file: string): string =>
  createHash('sha256').update(readFileSync(file)).digest('hex')
const readelf = (...args: string[]): string =>
  spawnSync('readelf', args, { encoding: 'utf8' }).stdout ?? ''
const hasReadelf = spawnSync('readelf', ['--version']).status === 0
/** The symbols that something else has to bring, without those of libc. */
const foreign = (): string[] =>
  [...readelf('--dyn-syms', '-W', published).matchAll(/ UND ([A-Za-z]\w+)(?!\S)/g)].map(
    ([, name = '']) => name,
  )

interface Ran {
  readonly status: number | null
  readonly output: string
}

function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const child = spawn(process.execPath, ['--conditions=@enclavejs/source', ...args], {
    env: { ...process.env, ...env },
    timeout: 110_000,
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, output })))
}

describe.skipIf(noCompiler !== '')(`the published addon ${noCompiler}`, () => {
  test('has the same bytes from another build in another folder', () => {
    const second = addon.copy(join(folder, 'a-longer-name/second'))
    expect(sha256(second.file ?? '')).toBe(sha256(published))
    expect(readFileSync(published).includes(folder)).toBe(false)
  })

  test.skipIf(!hasReadelf)('needs libc, Node-API and few functions of OpenSSL', () => {
    const dynamic = readelf('-dW', published)
    expect(dynamic.match(/Shared library: \[.*\]/g)).toEqual(['Shared library: [libc.so.6]'])
    expect(dynamic).toMatch(/NOW NODELETE/)
    const symbols = readelf('--dyn-syms', '-W', published)
    const versions = [...symbols.matchAll(/@GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor))
    expect(Math.max(...versions)).toBeLessThanOrEqual(17) // Node 22 asks for glibc 2.28
    const openssl = foreign().filter((name) => !name.startsWith('napi_'))
    expect(openssl.toSorted((a, b) => a.localeCompare(b))).toEqual([
      ...['BN_bn2binpad', 'd2i_AutoPrivateKey', 'd2i_ECDSA_SIG', 'ECDSA_SIG_free'],
      ...['ECDSA_SIG_get0', 'ERR_pop_to_mark', 'ERR_set_mark', 'EVP_PKEY_CTX_free'],
      ...['EVP_PKEY_CTX_new', 'EVP_PKEY_CTX_set_rsa_mgf1_md', 'EVP_PKEY_CTX_set_rsa_padding'],
      ...['EVP_PKEY_CTX_set_rsa_pss_saltlen', 'EVP_PKEY_CTX_set_signature_md', 'EVP_PKEY_free'],
      ...['EVP_PKEY_get_bits', 'EVP_PKEY_sign', 'EVP_PKEY_sign_init', 'EVP_PKEY_up_ref'],
      ...['EVP_sha256', 'EVP_sha384', 'EVP_sha512', 'OPENSSL_cleanse'],
    ])
    const exported = [...symbols.matchAll(/GLOBAL\s+DEFAULT\s+\d+\s+(\S+)/g)].map(
      ([, name]) => name,
    )
    expect(exported.toSorted((a = '', b = '') => a.localeCompare(b))).toEqual([
      'napi_register_module_v1',
      'node_api_module_get_api_version_v1',
    ])
    const segments = readelf('-lW', published)
    expect(segments).toMatch(/GNU_RELRO/)
    expect(segments).toMatch(/GNU_STACK.* RW /)
  })

  const loader = muslLoader()
  const noMusl =
    loader === undefined
      ? '(Debian package musl is not installed)'
      : hasReadelf
        ? ''
        : '(no readelf)'
  test.skipIf(noMusl !== '')(`loads under musl ${noMusl}`, () => {
    const own = ['napi_create_function', 'napi_set_named_property']
    const stubs = foreign()
      .filter((name) => !own.includes(name))
      .map((name) => `__attribute__((visibility("default"))) int ${name}(void) { return 9; }\n`)
    writeFileSync(join(folder, 'stubs.c'), stubs.join(''))
    const host = join(folder, 'host')
    const flags = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-rdynamic', '-o', host]
    const built = spawnSync('cc', [...flags, 'test/native/host.c', join(folder, 'stubs.c')], {
      cwd: home,
      encoding: 'utf8',
    })
    expect(built.stderr).toBe('')
    const ran = spawnSync(loader ?? '', [host, published], { encoding: 'utf8', timeout: 20_000 })
    expect(ran.stdout).toBe('load\nrelease\nsign\n')
    expect(ran.status).toBe(0)
  })

  test('keys that are let go leave nothing', async () => {
    const leak = join(home, 'test/native/leak.ts')
    const { status, output } = await run(['--expose-gc', leak, published], {
      MALLOC_ARENA_MAX: '1',
    })
    expect(status, output).toBe(0)
    expect(Number(output)).toBeLessThan(500) // a key of P-256 takes more than a kilobyte
  })
})

const arm64 = arm64Node()

describe.skipIf(arm64.reason !== '')(`the addon on arm64 ${arm64.reason}`, () => {
  test('loads in an arm64 Node, and signs', () => {
    const built = addon.copy(join(folder, 'arm64'), ['--arch', 'arm64'])
    const source = `
      const { createHash, generateKeyPairSync, verify } = require('node:crypto')
      const binding = require(process.argv[1])
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const key = binding.load(new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' })))
      const digest = new Uint8Array(createHash('sha256').update('data').digest())
      const given = { key: publicKey, dsaEncoding: 'ieee-p1363' }
      binding.sign(key, 2, 256, digest).then((signature) =>
        console.log(process.arch, verify('sha256', 'data', given, signature)))`
    const [emulator = '', ...before] = arm64.command
    const command = [...before, '-e', source, built.file ?? '']
    const ran = spawnSync(emulator, command, { encoding: 'utf8', timeout: 50_000 })
    expect(ran.stdout + ran.stderr).toBe('arm64 true\n')
    expect(readFileSync(built.file ?? '').readUInt16LE(18)).toBe(183) // EM_AARCH64
  })
})

describe('under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
  const { reason, env } = sanitizer()

  test.skipIf(reason !== '')(
    `the whole exercise is clean ${reason}`,
    async () => {
      const sanitized = addon.fake(SANITIZERS).file ?? ''
      const exercise = join(home, 'test/native/exercise.ts')
      const ran = await run(['--expose-gc', exercise, sanitized], env)
      expect(ran).toEqual({ status: 0, output: 'clean\n' })
    },
    120_000,
  )

  test.skipIf(reason !== '')(
    `a write one byte beyond the signature is caught ${reason}`,
    async () => {
      const file = JSON.stringify(faulty.fake(SANITIZERS).file ?? '')
      const source = `const binding = require(${file})
      binding.sign(binding.load(new Uint8Array(1)), 2, 256, new Uint8Array(32))`
      const ran = await run(['-e', source], env)
      expect(ran.status).not.toBe(0)
      expect(ran.output).toMatch(/AddressSanitizer: heap-buffer-overflow/)
    },
  )
})
