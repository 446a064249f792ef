import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { LIBRARIES, NODE, writeFiles } from '../../eif/test/program-fixture.ts'
import { enclavejs, enclavejsHere } from './process.ts'

const folder = await mkdtemp(join(tmpdir(), 'enclavejs-cli-build-'))
afterAll(() => rm(folder, { recursive: true }))
const at = (...names: string[]): string => join(folder, ...names)
await writeFiles(folder, { node: NODE, kernel: 'a kernel', init: 'an init' })
await writeFiles(at('libraries'), LIBRARIES)
await writeFiles(at('program'), {
  'package.json': { name: '@me/program', version: '1.2.3', main: 'main.js', files: ['main.js'] },
  'main.js': 'main',
})
const FLAGS = ['--kernel', 'kernel', '--node', 'node', '--init', 'init', '--libraries', 'libraries']
const build = (...flags: string[]) =>
  enclavejs(['build', 'program', ...FLAGS, '--architecture', 'x86_64', ...flags], { cwd: folder })

test('a lock is made, then the same image comes of it, with its size and PCRs', async () => {
  const first = await build('--update-lock')
  expect(first.status).toBe(0)
  const [head, ...pcrs] = first.stdout.trimEnd().split('\n')
  const image = await readFile(at('program.eif'))
  expect(head).toMatch(new RegExp(`^program\\.eif: ${image.length} bytes \\(\\d+\\.\\d MB\\)$`))
  const measured = await enclavejs(['eif', 'measure', 'program.eif'], { cwd: folder })
  const { Measurements } = JSON.parse(measured.stdout) as { Measurements: Record<string, string> }
  expect(pcrs).toEqual([0, 1, 2].map((pcr) => `PCR${pcr} ${Measurements[`PCR${pcr}`] ?? ''}`))
  expect(first.stderr).toMatch(/3 libraries; packages: none; ramdisks: cpio/)
  expect(await build('--output', 'again.eif')).toMatchObject({ status: 0 })
  expect((await readFile(at('again.eif'))).equals(image)).toBe(true)
})

test('--json says what is in it', async () => {
  const { status, stdout } = await build(
    ...['--json', '--update-lock', '--argument', 'x', '--env', 'A=1', '--compress'],
  )
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ file: 'program.eif', name: '@me/program', version: '1.2.3', packages: [] },
    Measurements: { PCR0: expect.stringMatching(/^[0-9a-f]{96}$/) as string },
    ramdisks: [{ format: 'gzip' }, { format: 'gzip' }],
    lock: { lockVersion: 1, libraries: [{}, {}, { name: 'libm.so.6' }] },
  })
})

test('signed', async () => {
  const [key, certificate] = [at('key.pem'), at('certificate.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes', '-sha384']
  const files = ['-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=test']
  execFileSync('openssl', ['req', '-x509', ...curve, ...files], { stdio: 'ignore' })
  const signing = ['--certificate', certificate, '--private-key', key]
  const { status, stdout } = await build('--update-lock', ...signing)
  expect(status).toBe(0)
  expect(stdout).toMatch(/^PCR8 [0-9a-f]{96}$/m)
})

test('a refusal has its code on stderr, and in JSON where that was asked for', async () => {
  expect(await build('--lock', 'gone')).toMatchObject({
    ...{
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('refused: ERR_EIF_LOCK') as string,
    },
  })
  const { status, stdout } = await build('--lock', 'gone', '--json')
  expect({ status, error: JSON.parse(stdout) as object }).toMatchObject({
    ...{ status: 1, error: { error: { code: 'ERR_EIF_LOCK' } } },
  })
  await build('--update-lock')
  await writeFile(at('init'), 'another init')
  expect(await build()).toMatchObject({ status: 1, stdout: '' })
  await writeFile(at('init'), 'an init')
})

test('an image with the simulator in it is refused', async () => {
  await mkdir(at('simulated'))
  await writeFiles(at('simulated'), {
    'package.json': {
      ...{ name: 'simulated', main: 'main.js', files: ['main.js'] },
      dependencies: { '@enclavejs/simulator': '*' },
    },
    'main.js': '',
    'node_modules/@enclavejs/simulator/package.json': { name: '@enclavejs/simulator' },
  })
  const args = ['build', 'simulated', ...FLAGS, '--update-lock']
  const { status, stderr } = await enclavejs(args, { cwd: folder })
  expect({ status, stderr }).toMatchObject({
    ...{ status: 1, stderr: expect.stringContaining('ERR_EIF_SIMULATOR') as string },
  })
})

test('a library that is not here comes from the mirror that is named', async () => {
  await build('--update-lock')
  const lock = JSON.parse(await readFile(at('program/enclave.lock.json'), 'utf8')) as {
    packages: object[]
    libraries: { package?: string }[]
  }
  lock.packages.push({
    ...{ name: 'libm', version: '1', architecture: 'amd64', filename: 'pool/libm.deb' },
    ...{ size: 9, sha256: '0'.repeat(64) },
  })
  for (const library of lock.libraries) library.package = 'libm'
  await writeFile(at('other.lock'), JSON.stringify(lock))
  const asked: string[] = []
  const server = createServer(({ url = '' }, response) => {
    asked.push(url)
    response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const flagsHere = [...FLAGS.slice(0, -1), 'empty', '--lock', 'other.lock']
  const args = ['build', 'program', ...flagsHere]
  const env = { ENCLAVEJS_DEBIAN_MIRROR: `${mirror}/one` }
  for (const flags of [[], ['--mirror', `${mirror}/two/`]]) {
    const { status, stderr } = await enclavejs([...args, ...flags], { cwd: folder, env })
    expect(status).toBe(1)
    expect(stderr).toContain('refused: ERR_EIF_LIBRARY')
    expect(stderr).toContain('from the mirror given: status 404')
  }
  server.close()
  expect(asked).toEqual(['/one/pool/libm.deb', '/two/pool/libm.deb'])
})

test.each([
  [['build'], 'PATH is missing'],
  [['build', 'a', 'b', '--kernel', 'k'], 'one PATH expected'],
  [['build', 'a'], '--kernel'],
  [['build', 'a', '--kernel', 'k', '--architecture', 'x'], '--architecture is'],
  [['build', 'a', '--kernel', 'k', '--certificate', 'c'], 'needs --private-key'],
  [['build', 'a', '--kernel', 'k', '--private-key', 'c'], 'needs --certificate'],
  [['build', 'a', '--kernel', 'k', '--certificate', 'c', '--private-key', 'k'], 'ENOENT'],
  [['build', 'a', '--kernel', 'k', '--unknown'], 'unknown'],
])('wrong use: %j', async (args, message) => {
  const { status, stderr } = await enclavejsHere(args)
  expect(status).toBe(2)
  expect(stderr).toContain(message)
})
