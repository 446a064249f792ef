import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as api from '../scripts/check-api.ts'
import * as packages from '../scripts/check-packages.ts'
import * as packed from '../scripts/check-packed.ts'
import { manifest, repository, sound, TemporaryTree, type Files } from './temporary-tree.ts'

let tree: TemporaryTree
beforeEach(() => {
  tree = new TemporaryTree()
})
afterEach(() => tree[Symbol.dispose]())

describe('check-api', () => {
  const declarations = 'packages/attestation/dist/index.d.ts'
  it('accepts what it wrote, and a shared file whose hash changed', () => {
    tree.write(sound)
    tree.write({
      [declarations]: `export { A } from './a-DOGo39lw.js';\n`,
      'packages/attestation/dist/a-DOGo39lw.d.ts': 'export type A = 1;\n',
    })
    expect(api.refusals(tree.root)).toContain('api/attestation.d.ts is absent')
    api.update(tree.root)
    expect(api.refusals(tree.root)).toEqual([])
    rmSync(tree.path('packages/attestation/dist/a-DOGo39lw.d.ts'))
    tree.write({
      [declarations]: `export { A } from './a-Bx_0-3Qz.js';\n`,
      'packages/attestation/dist/a-Bx_0-3Qz.d.ts': 'export type A = 1;\n',
    })
    expect(api.refusals(tree.root)).toEqual([])
  })
  it('refuses a surface that changed, a copy without a package, and a package that is not built', () => {
    tree.write(sound)
    api.update(tree.root)
    tree.write({
      [declarations]: 'export declare const verify: () => string;\n',
      'api/gone.d.ts': '',
      'packages/nsm/package.json': manifest('nsm'),
    })
    const found = api.refusals(tree.root)
    expect(found[0]).toMatch(
      /api\/attestation\.d\.ts differs from line 3: .*number;", built .*string;"/,
    )
    expect(found[1]).toMatch(/packages\/nsm\/dist has no declarations/)
    expect(found[2]).toMatch(/api\/gone\.d\.ts belongs to no public package/)
  })
})

describe('check-packages', () => {
  it('accepts a sound package', async () => {
    tree.write(sound)
    expect(await packages.refusals(tree.root)).toEqual([])
  })
  it('refuses an export that the tarball lacks', async () => {
    tree.write(sound)
    rmSync(tree.path('packages/attestation/dist/index.js'))
    expect((await packages.refusals(tree.root)).join()).toMatch(
      /publint.*\.default is .*does not exist/s,
    )
  })
  it('refuses types that resolve to nothing', async () => {
    tree.write(sound)
    tree.write({ 'packages/attestation/dist/index.d.ts': `export { verify } from './verify'\n` })
    expect((await packages.refusals(tree.root)).join()).toMatch(/Internal resolution error/i)
  })
})

describe('check-packed', () => {
  const types = 'packages/attestation/dist/index.d.ts'
  beforeEach(() => {
    tree.write(sound)
    tree.borrow()
  })
  it('accepts a sound package', async () => {
    expect(await packed.refusals(tree.root)).toEqual([])
  })
  it.each([
    [
      'a leaked private type',
      { [types]: `export type { A } from '@enclavejs/cbor'\n` },
      /Cannot find module '@enclavejs\/cbor'/,
    ],
    [
      'a type of Node in a package for browsers',
      { [types]: 'export declare const verify: () => Buffer;\n' },
      /index\.d\.ts.*Cannot find name 'Buffer'/,
    ],
    [
      'an import that package.json does not declare',
      { 'packages/attestation/dist/index.js': `import 'cbor-x'\n` },
      /running attestation-0\.ts with .*Cannot find package 'cbor-x'/s,
    ],
  ] satisfies [string, Files, RegExp][])('refuses %s', async (_, change, refusal) => {
    tree.write(change)
    expect((await packed.refusals(tree.root)).join('\n')).toMatch(refusal)
  })
})

describe('the lint configuration', () => {
  it.each([
    ['an import of Node in a package for browsers', `import 'node:fs'\n`, 'no-restricted-imports'],
    ['Buffer there', 'export const a = Buffer.alloc(1)\n', 'no-restricted-globals'],
    [
      'a floating promise',
      'export async function f(): Promise<void> {}\nexport function g(): void { f() }\n',
      'no-floating-promises',
    ],
    ['a cycle', `import './cycle.ts'\nexport const a = 1\n`, 'no-cycle'],
    ['a default export', 'export default 1\n', 'no-default-export'],
    ['a thrown text', `export function f(): never { throw 'no' }\n`, 'only-throw-error'],
    ['any', 'export const a = (b: any): unknown => b\n', 'no-explicit-any'],
  ])('refuses %s', (_, text, rule) => {
    tree.write({
      'packages/attestation/src/a.ts': text,
      'packages/attestation/src/cycle.ts': `import './a.ts'\nexport const cycle = 1\n`,
      'tsconfig.json': {
        compilerOptions: { strict: true, noEmit: true, types: [], lib: ['es2023'] },
      },
    })
    tree.borrow('.oxlintrc.json')
    const { status, output } = tree.execute(join(repository, 'node_modules/oxlint/bin/oxlint'), [
      'packages',
    ])
    expect(output).toContain(rule)
    expect(status).toBe(1)
  })
})

describe('the size limit', () => {
  const file = 'packages/attestation/dist/index.js'
  it.each([
    [8_000, 0],
    [12_500, 1],
  ])('of %i random bytes ends with status %i', (size, expected) => {
    tree.write({
      [file]: `export const a = '${randomBytes(size).toString('base64')}'\n`,
      'packages/attested-tls/dist/browser.js': 'export const b = 1\n',
    })
    tree.borrow('.size-limit.json', 'package.json')
    const { status, output } = tree.execute(join(repository, 'node_modules/size-limit/bin.js'), [])
    expect(output).toContain('12 kB')
    expect(status).toBe(expected)
  })
})
