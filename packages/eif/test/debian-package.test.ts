import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import type { BuildLock, LockedPackage } from '../src/node/program/build-lock.ts'
import { packageOfFile } from '../src/node/program/found-package.ts'
import { lockedLibraries } from '../src/node/program/locked-library.ts'
import { findLibrary } from '../src/node/program/linked-library.ts'
import { tarOf } from './archive.ts'
import { bytes, outcome } from './fixture.ts'
import { elfOf } from './program-fixture.ts'

const folder = await mkdtemp(join(tmpdir(), 'enclavejs-debian-'))
const served = new Map<string, Uint8Array>()
const asked: string[] = []
const server = createServer(({ url = '' }, response) => {
  asked.push(url)
  const body = served.get(decodeURIComponent(url))
  response.writeHead(body === undefined ? 404 : 200).end(body)
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`
afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex')
const library = elfOf({ needed: ['libc.so.6'] })
const DATA = tarOf([
  { path: './usr/lib/x86_64-linux-gnu/', type: '5', mode: 0o755 },
  { path: './usr/lib/x86_64-linux-gnu/libx.so.1.2', data: library },
  { path: './usr/lib/x86_64-linux-gnu/libx.so.1', type: '2', target: 'libx.so.1.2' },
  { path: './lib64/libabsolute.so', type: '2', target: '/usr/lib/x86_64-linux-gnu/libx.so.1' },
  { path: './lib64/libcircle.so', type: '2', target: 'libcircle.so' },
])

/** A package as deb(5) has it. */
function debOf(members: readonly (readonly [name: string, data: Uint8Array])[]): Buffer {
  const parts: Uint8Array[] = [bytes('!<arch>\n')]
  for (const [name, data] of members) {
    const fields = [`${name}/`.padEnd(16), '0'.padEnd(12), '0'.padEnd(6), '0'.padEnd(6)]
    parts.push(
      bytes(`${fields.join('')}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`),
    )
    parts.push(data, new Uint8Array(data.length % 2).fill(10))
  }
  return Buffer.concat(parts)
}

const control: readonly [string, Uint8Array][] = [
  ['debian-binary', bytes('2.0\n')],
  ['control.tar.gz', bytes('odd')],
]
const good = debOf([...control, ['data.tar.gz', gzipSync(DATA)]])
const FILENAME = 'pool/main/x/libx/libx1_1.0+b1~2_amd64.deb'

const lockFor = (deb: Uint8Array, change: Partial<LockedPackage> = {}): BuildLock => ({
  ...{ lockVersion: 1, architecture: 'x86_64', node: { sha256: '' }, init: { sha256: '' } },
  compressors: { zlib: '', zstd: '' },
  packages: [
    {
      ...{ name: 'libx1', version: '1.0+b1~2', architecture: 'amd64', filename: FILENAME },
      ...{ size: deb.length, sha256: sha256(deb), ...change },
    },
  ],
  libraries: ['libx.so.1', 'libabsolute.so', 'libcircle.so', 'libgone.so'].map((name) => ({
    ...{ name, path: `/lib/x86_64-linux-gnu/${name}`, sha256: sha256(library), package: 'libx1' },
  })),
})

const serve = (deb: Uint8Array): Map<string, Uint8Array> => served.set(`/debian/${FILENAME}`, deb)
const provide = (lock: BuildLock, name = 'libx.so.1') =>
  lockedLibraries(lock, { root: folder, mirror })(name)

test.each<[string, Uint8Array]>([
  ['gzip', gzipSync(DATA)],
  ['zstd', zstdCompressSync(DATA)],
  ['nothing', DATA],
])('a library of a package that is compressed with %s', async (kind, data) => {
  const name = { gzip: 'data.tar.gz', zstd: 'data.tar.zst', nothing: 'data.tar' }[kind] as string
  const deb = debOf([...control, [name, data]])
  serve(deb)
  const found = await provide(lockFor(deb))
  expect(found).toMatchObject({ name: 'libx.so.1', path: '/lib/x86_64-linux-gnu/libx.so.1' })
  expect(Buffer.compare(found.bytes, library)).toBe(0)
  expect(asked.at(-1)).toBe('/debian/pool/main/x/libx/libx1_1.0%2Bb1~2_amd64.deb')
})

const xz = ((): boolean => {
  try {
    execFileSync('xz', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

test.skipIf(!xz)(`xz${xz ? '' : ' (there is no xz on this machine)'}`, async () => {
  const deb = debOf([...control, ['data.tar.xz', execFileSync('xz', ['-c'], { input: DATA })]])
  serve(deb)
  expect(Buffer.compare((await provide(lockFor(deb))).bytes, library)).toBe(0)
  const damaged = debOf([...control, ['data.tar.xz', bytes('no xz')]])
  serve(damaged)
  expect(await outcome(() => provide(lockFor(damaged)))).toBe('ERR_EIF_LIBRARY')
})

test('links in a package are followed; one package is fetched once', async () => {
  serve(good)
  const library_ = lockedLibraries(lockFor(good), { root: folder, mirror })
  const before = asked.length
  for (const name of ['libx.so.1', 'libabsolute.so']) {
    expect(Buffer.compare((await library_(name)).bytes, library)).toBe(0)
  }
  expect(asked.length - before).toBe(1)
  expect(await outcome(() => library_('libcircle.so'))).toBe('ERR_EIF_LIBRARY')
  expect(await outcome(() => library_('libgone.so'))).toBe('ERR_EIF_LIBRARY')
})

const flipped = Buffer.from(good)
flipped[good.length - 1] = (flipped[good.length - 1] as number) ^ 1

test.each<[string, Uint8Array, Partial<LockedPackage>, string, RegExp]>([
  ['is another', flipped, { sha256: sha256(good) }, 'ERR_EIF_LOCK', /package libx1 1.0/],
  ['is longer than the lock says', good, { size: good.length - 1 }, 'ERR_EIF_LIBRARY', /more than/],
  ['is not on the mirror', good, { filename: 'pool/gone.deb' }, 'ERR_EIF_LIBRARY', /status 404/],
  ['is no archive', bytes('no archive'), {}, 'ERR_EIF_LIBRARY', /no ar archive/],
  ['is cut', good.subarray(0, -30), {}, 'ERR_EIF_LIBRARY', /damaged ar/],
  ['has no data', debOf(control), {}, 'ERR_EIF_LIBRARY', /no data.tar/],
  [
    'is compressed in a way of its own',
    debOf([['data.tar.lz', DATA]]),
    {},
    'ERR_EIF_LIBRARY',
    /not known/,
  ],
  ['has damaged data', debOf([['data.tar.gz', DATA]]), {}, 'ERR_EIF_LIBRARY', /cannot be unpacked/],
])('refused: a package that %s', async (_name, deb, change, code, message) => {
  serve(deb)
  const lock = lockFor(deb, change)
  expect(await outcome(() => provide(lock))).toBe(code)
  await expect(provide(lock)).rejects.toThrow(message)
})

test('refused: a library that is another than the lock says, in the package that it names', async () => {
  serve(good)
  const lock = lockFor(good)
  const libraries = lock.libraries.map((entry) => ({ ...entry, sha256: '0'.repeat(64) }))
  expect(await outcome(() => provide({ ...lock, libraries }))).toBe('ERR_EIF_LOCK')
})

const debian = await packageOfFile('/lib/x86_64-linux-gnu/libgcc_s.so.1')
const reachable = ((): boolean => {
  if (debian === undefined) return false
  try {
    const { name, architecture, version } = debian
    execFileSync('apt-get', ['-q', 'download', `${name}:${architecture}=${version}`], {
      ...{ cwd: folder, stdio: 'ignore', timeout: 30_000 },
    })
    return true
  } catch {
    return false
  }
})()
const reason = reachable ? '' : ' (apt on this machine cannot download libgcc-s1)'

test.skipIf(!reachable)(
  `the package that apt has is the file that is installed${reason}`,
  async () => {
    const pinned = debian as LockedPackage
    expect(pinned).toMatchObject({ name: 'libgcc-s1', architecture: 'amd64' })
    expect(pinned.filename).toMatch(/^pool\//)
    const installed = await findLibrary('/', 'libgcc_s.so.1', 'x86_64')
    const bytesHere = installed?.bytes as Uint8Array
    const entry = { name: 'libgcc_s.so.1', path: '/lib/x86_64-linux-gnu/libgcc_s.so.1' }
    const lock: BuildLock = {
      ...lockFor(good),
      packages: [pinned],
      libraries: [{ ...entry, sha256: sha256(bytesHere), package: 'libgcc-s1' }],
    }
    const empty = { root: join(folder, 'empty'), mirror: undefined }
    const found = await lockedLibraries(lock, empty)('libgcc_s.so.1')
    expect(Buffer.compare(found.bytes, bytesHere)).toBe(0)
  },
)

test('apt does not have what nobody published', async () => {
  const lock = lockFor(good)
  const call = lockedLibraries(lock, { root: folder, mirror: undefined })('libx.so.1')
  await expect(call).rejects.toThrow(/cannot be had by apt-get on this machine/)
})

test('a file that belongs to no package is in none', async () => {
  expect(await packageOfFile(join(folder, 'gone'))).toBeUndefined()
})
