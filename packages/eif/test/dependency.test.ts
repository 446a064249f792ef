import { execFileSync } from 'node:child_process'
import { cp, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { programPackages } from '../src/node/program/dependency.ts'
import { isPublished, type PackageManifest } from '../src/node/program/package-manifest.ts'
import { outcome } from './fixture.ts'
import { writeFiles, type Files } from './program-fixture.ts'

const folder = await realpath(await mkdtemp(join(tmpdir(), 'enclavejs-dependency-')))
afterAll(() => rm(folder, { recursive: true }))
let count = 0
const write = (files: Files): Promise<string> => writeFiles(join(folder, `${count++}`), files)

const pack = (name: string, more: object = {}): object => ({ name, version: '1.0.0', ...more })
const needs = (...names: string[]): object => ({
  dependencies: Object.fromEntries(names.map((name) => [name, '*'])),
})
const places = async (program: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await programPackages(program, 'x86_64')).map(({ place, manifest, installed }) => [
      place,
      `${manifest.name} ${manifest.version}${installed ? '' : ' linked'}`,
    ]),
  )

test('a program with its own node_modules', async () => {
  const program = await write({
    'package.json': pack('p', needs('a', '@s/b')),
    'node_modules/a/package.json': pack('a', needs('c')),
    'node_modules/a/node_modules/c/package.json': pack('c', { version: '2.0.0' }),
    'node_modules/@s/b/package.json': pack('@s/b', needs('c')),
    'node_modules/c/package.json': pack('c'),
    'node_modules/unused/package.json': pack('unused'),
  })
  expect(await places(program)).toEqual({
    '': 'p 1.0.0 linked',
    'node_modules/a': 'a 1.0.0',
    'node_modules/a/node_modules/c': 'c 2.0.0',
    'node_modules/@s/b': '@s/b 1.0.0',
    'node_modules/c': 'c 1.0.0',
  })
})

test('a workspace: links are followed, what only a linked package sees stands below it', async () => {
  const root = await write({
    'examples/p/package.json': pack('p', needs('@w/a', 'c')),
    'examples/p/node_modules/c/package.json': pack('c', { version: '2.0.0' }),
    'node_modules/@w/a': { link: '../../packages/a' },
    'packages/a/package.json': pack('@w/a', needs('c', 'd')),
    'packages/a/node_modules/d/package.json': pack('d'),
    'node_modules/c/package.json': pack('c'),
  })
  expect(await places(join(root, 'examples/p'))).toEqual({
    'examples/p': 'p 1.0.0 linked',
    'examples/p/node_modules/c': 'c 2.0.0',
    'node_modules/@w/a': '@w/a 1.0.0 linked',
    'node_modules/@w/a/node_modules/d': 'd 1.0.0',
    'node_modules/c': 'c 1.0.0',
  })
})

test('links into a store, in a circle', async () => {
  const store = 'node_modules/.store'
  const program = await write({
    'package.json': pack('p', needs('a')),
    'node_modules/a': { link: '.store/a@1/node_modules/a' },
    [`${store}/a@1/node_modules/a/package.json`]: pack('a', needs('b')),
    [`${store}/a@1/node_modules/b`]: { link: '../../b@1/node_modules/b' },
    [`${store}/b@1/node_modules/b/package.json`]: pack('b', needs('a')),
    [`${store}/b@1/node_modules/a`]: { link: '../../a@1/node_modules/a' },
  })
  expect(await places(program)).toEqual({
    '': 'p 1.0.0 linked',
    'node_modules/a': 'a 1.0.0',
    'node_modules/a/node_modules/b': 'b 1.0.0',
  })
})

test('optional packages: those that are installed and for the image; peers of the program too', async () => {
  const program = await write({
    'package.json': pack('p', {
      dependencies: { both: '*' },
      optionalDependencies: { both: '*', linux: '*', mac: '*', missing: '*', musl: '*', arm: '*' },
      peerDependencies: { peer: '*', absent: '*', chance: '*' },
      peerDependenciesMeta: { chance: { optional: true } },
      devDependencies: { dev: '*' },
    }),
    'node_modules/both/package.json': pack('both'),
    'node_modules/linux/package.json': pack('linux', { os: ['linux'], cpu: 'x64' }),
    'node_modules/mac/package.json': pack('mac', { os: ['!linux'] }),
    'node_modules/musl/package.json': pack('musl', { libc: ['musl'] }),
    'node_modules/arm/package.json': pack('arm', { cpu: ['arm64'] }),
    'node_modules/peer/package.json': pack('peer'),
    'node_modules/chance/package.json': pack('chance'),
    'node_modules/dev/package.json': pack('dev'),
  })
  const names = Object.keys(await places(program)).map((place) =>
    place.replace('node_modules/', ''),
  )
  expect(names.sort()).toEqual(['', 'both', 'linux', 'peer'])
})

test.each<[string, Files, RegExp]>([
  [
    'a dependency that is not installed',
    { 'package.json': pack('p', needs('a')) },
    /not installed/,
  ],
  ['no package.json', { file: '' }, /package.json cannot be read/],
  ['a package.json that is none', { 'package.json': '{' }, /cannot be read/],
  [
    'a dependency for another system',
    {
      'package.json': pack('p', needs('mac')),
      'node_modules/mac/package.json': pack('mac', { os: ['darwin'] }),
    },
    /not for Linux/,
  ],
  [
    'a place from which another version is found',
    {
      'package.json': pack('p', needs('a')),
      'node_modules/c/package.json': pack('c'),
      'node_modules/a': { link: '.store/a/node_modules/a' },
      'node_modules/.store/a/node_modules/a/package.json': pack('a', needs('b', 'c')),
      'node_modules/.store/a/node_modules/c/package.json': pack('c', { version: '2.0.0' }),
      'node_modules/.store/a/node_modules/b': { link: '../../b/node_modules/b' },
      // It finds the outer c from where it lies, and would find the c of a in the image.
      'node_modules/.store/b/node_modules/b/package.json': pack('b', needs('c')),
    },
    /b would find another c/,
  ],
])('refused: %s', async (_name, files, message) => {
  const program = await write(files)
  expect(await outcome(() => programPackages(program, 'x86_64'))).toBe('ERR_EIF_PROGRAM')
  await expect(programPackages(program, 'x86_64')).rejects.toThrow(message)
})

test('Node finds the same packages in the places as it does here', async () => {
  const says = (text: string): string => `module.exports = ${JSON.stringify(text)}`
  const through = (name: string): string => `module.exports = require(${JSON.stringify(name)})`
  const root = await write({
    'app/p/package.json': pack('p', needs('@w/a', 'b', 'c')),
    'app/p/index.js': 'console.log(require("@w/a"), require("b"), require("c"))',
    'app/p/node_modules/c/package.json': pack('c'),
    'app/p/node_modules/c/index.js': says('inner c'),
    'node_modules/@w/a': { link: '../../packages/a' },
    'packages/a/package.json': pack('@w/a', needs('c')),
    'packages/a/index.js': through('c'),
    'packages/a/node_modules/c/package.json': pack('c'),
    'packages/a/node_modules/c/index.js': says('c of a'),
    'node_modules/b/package.json': pack('b', needs('c')),
    'node_modules/b/index.js': through('c'),
    'node_modules/c/package.json': pack('c'),
    'node_modules/c/index.js': says('outer c'),
  })
  const target = join(folder, 'placed')
  for (const { folder: from, place } of await programPackages(join(root, 'app/p'), 'x86_64')) {
    const own = (path: string): boolean => !path.slice(from.length).includes('node_modules')
    await cp(from, join(target, place), { recursive: true, filter: own })
  }
  const run = (program: string): string =>
    execFileSync(process.execPath, [program], { encoding: 'utf8' })
  expect(run(join(target, 'app/p/index.js'))).toBe('c of a outer c inner c\n')
  expect(run(join(target, 'app/p/index.js'))).toBe(run(join(root, 'app/p/index.js')))
})

test('what a package is published with', () => {
  const manifest = (files: string[], main?: string): PackageManifest => ({
    ...{ name: 'p', version: '1', main, files, dependencies: [], optional: [] },
    suits: () => true,
  })
  const of = (path: string, ...files: string[]): boolean => isPublished(path, manifest(files))
  expect(of('package.json')).toBe(true)
  expect(of('a.js')).toBe(false)
  expect(of('dist/a/b.js', 'dist')).toBe(true)
  expect(of('dist/a/b.js', './dist/')).toBe(true)
  expect(of('distance.js', 'dist')).toBe(false)
  expect(of('dist/a.map', 'dist', '!dist/*.map')).toBe(false)
  expect(of('dist/a.js', 'dist', '!dist/*.map')).toBe(true)
  expect(of('src/a.ts', 'src/*.ts')).toBe(true)
  expect(of('src/a/b.ts', 'src/*.ts')).toBe(false)
  expect(of('src/a/b.ts', 'src/*')).toBe(true)
  expect(isPublished('lib/x.js', manifest([], './lib/x.js'))).toBe(true)
})
