import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as arrows from '../scripts/check-arrows.ts'
import * as habits from '../scripts/check-habits.ts'
import * as names from '../scripts/check-names.ts'
import { manifest, sound, TemporaryTree, type Files } from './temporary-tree.ts'

let tree: TemporaryTree
beforeEach(() => {
  tree = new TemporaryTree()
})
afterEach(() => tree[Symbol.dispose]())

type Case = readonly [name: string, change: Files, ...refusals: readonly RegExp[]]

function refuses(check: (root: string) => readonly string[], cases: readonly Case[]): void {
  it('accepts a sound tree', () => {
    tree.write(sound)
    expect(check(tree.root)).toEqual([])
  })
  for (const [name, change, ...refusals] of cases) {
    it(`refuses ${name}`, () => {
      tree.write({ ...sound, ...change })
      const found = check(tree.root)
      for (const refusal of refusals) expect(found).toContainEqual(expect.stringMatching(refusal))
      expect(found.filter((text) => !refusals.some((refusal) => refusal.test(text)))).toEqual([])
    })
  }
}

describe('check-arrows', () => {
  const simulator = {
    'packages/simulator/package.json': manifest('simulator'),
    'packages/simulator/src/nsm.ts': 'export const nsm = 1\n',
  }
  const kms = {
    'packages/kms-enclave/package.json': manifest('kms-enclave', {
      dependencies: { '@enclavejs/nsm': '^0.1.0' },
    }),
    'packages/kms-enclave/src/defaults.ts': `import '@enclavejs/nsm'\n`,
    'packages/nsm/package.json': manifest('nsm'),
  }
  it('accepts one file of defaults', () => {
    tree.write({ ...sound, ...kms })
    expect(arrows.refusals(tree.root)).toEqual([])
  })
  refuses(arrows.refusals, [
    [
      'a verifier behind the door of the attester',
      {
        'packages/attested-tls/package.json': manifest('attested-tls', {
          dependencies: { '@enclavejs/attestation': '^0.1.0' },
        }),
        'packages/attested-tls/src/server.ts': `export { serve } from './serve.ts'\n`,
        'packages/attested-tls/src/serve.ts': `export { verify as serve } from '@enclavejs/attestation'\n`,
        'packages/attested-tls/src/client.ts': `export { serve } from './serve.ts'\n`,
      },
      /serve\.ts imports @enclavejs\/attestation, and src\/server\.ts, which may not, leads to it/,
    ],
    [
      'an import that the table does not allow, even of a type',
      {
        ...simulator,
        'packages/simulator/package.json': manifest('simulator', {
          devDependencies: { '@enclavejs/attestation': '^0.1.0' },
        }),
        'packages/simulator/src/nsm.ts': `export type A = import('@enclavejs/attestation').A\n`,
      },
      /nsm\.ts: simulator may not import attestation; it may import cbor/,
      /imports @enclavejs\/attestation: declare/,
    ],
    [
      'a dynamic import and its dependency',
      {
        ...simulator,
        'packages/simulator/package.json': manifest('simulator', {
          dependencies: { '@enclavejs/attestation': '^0.1.0' },
        }),
        'packages/simulator/src/nsm.ts': `export const load = () => import('@enclavejs/attestation')\n`,
      },
      /simulator may not import attestation/,
      /simulator may not depend on @enclavejs\/attestation/,
    ],
    [
      'a cycle',
      {
        'packages/cbor/package.json': manifest('cbor', {
          private: true,
          devDependencies: { '@enclavejs/attestation': '^0.1.0' },
        }),
        'packages/cbor/src/decode.ts': `import '@enclavejs/attestation'\nexport const decode = (): number => 1\n`,
      },
      /a cycle: attestation → cbor → attestation/,
      /cbor may not import attestation; it may import nothing of ours/,
      /imports @enclavejs\/attestation: declare it/,
    ],
    [
      'defaults in two files',
      { ...kms, 'packages/kms-enclave/src/client.ts': `import '@enclavejs/nsm'\n` },
      /kms-enclave: its defaults are offered by one file, and .*client\.ts, .*defaults\.ts import/,
    ],
    [
      'a way into another package around its exports',
      { 'packages/attestation/src/verify.ts': `import '../../cbor/src/decode.ts'\n` },
      /verify\.ts imports \.\.\/\.\.\/cbor\/src\/decode\.ts, which lies outside/,
    ],
    [
      'an import that is not declared',
      {
        ...simulator,
        'packages/simulator/src/nsm.ts': `import 'cbor-x'\n`,
      },
      /nsm\.ts imports cbor-x: declare it in dependencies of/,
    ],
    [
      'an inlined package that is not declared',
      { 'packages/attestation/package.json': manifest('attestation') },
      /imports @enclavejs\/cbor: declare it in devDependencies/,
    ],
    [
      'a package that does not exist',
      { 'packages/attestation/src/other.ts': `import '@enclavejs/asn1'\n` },
      /imports @enclavejs\/asn1, and there is no such package/,
      /attestation may not import asn1/,
    ],
    [
      'a runtime dependency of the verifier',
      {
        'packages/attestation/package.json': manifest('attestation', {
          devDependencies: { '@enclavejs/cbor': '0.0.0' },
          dependencies: { 'cbor-x': '1.6.8' },
        }),
      },
      /attestation has no runtime dependency, and this declares cbor-x/,
    ],
    [
      'a dependency on a package that is not published',
      {
        'packages/nsm/package.json': manifest('nsm', {
          dependencies: { '@enclavejs/cbor': '0.0.0' },
        }),
      },
      /@enclavejs\/cbor is private and not on npm/,
    ],
    [
      'a package without a row',
      { 'packages/tpm/package.json': manifest('tpm') },
      /tpm has no row in scripts\/check-arrows\.ts/,
    ],
  ])
})

describe('check-names', () => {
  const source = (text: string): Files => ({ 'packages/attestation/src/verify.ts': text })
  it('lets tests speak the language of others', () => {
    tree.write({
      ...sound,
      'packages/cbor/test/limbo.test.ts': 'export const chain = 1\n',
    })
    expect(names.refusals(tree.root)).toEqual([])
  })
  it('lets a config file have a default export', () => {
    tree.write({ ...sound, 'packages/cbor/tsup.config.ts': 'export default {}\n' })
    expect(names.refusals(tree.root)).toEqual([])
  })
  refuses(names.refusals, [
    ['a file in camelCase', { 'test/hostileParent.ts': '' }, /hostileParent\.ts: file names/],
    ['utils', { 'packages/cbor/src/utils.ts': '' }, /utils\.ts: a drawer/],
    ['a folder of helpers', { 'test/helpers/time.ts': '' }, /helpers\/time\.ts: a drawer/],
    ['common code', { 'packages/cbor/src/common-bytes.ts': '' }, /common-bytes\.ts: a drawer/],
    [
      'an index below the package',
      { 'packages/cbor/src/map/index.ts': '' },
      /only a package has an/,
    ],
    [
      'code in index.ts',
      { 'packages/cbor/src/index.ts': 'export const one = 1\n' },
      /index\.ts:1: src\/index\.ts names every public symbol/,
    ],
    [
      'export * in index.ts',
      { 'packages/cbor/src/index.ts': `export * from './decode.ts'\n` },
      /index\.ts:1: src\/index\.ts names every public symbol/,
    ],
    ['export * elsewhere', source(`export * from './error.ts'\n`), /verify\.ts:1: export \*/],
    ['a default export', source('export default function verify() {}\n'), /a default export/],
    ['a default export by assignment', source('export default 1\n'), /a default export/],
    [
      'a default export by name',
      source('const a = 1\nexport { a as default }\n'),
      /a default export/,
    ],
    ['a Manager', source('export class KeyManager {}\n'), /KeyManager: Manager, Service/],
    ['an acronym in capitals', source('export class NSMDevice {}\n'), /NSMDevice: an acronym/],
    ['a type in camelCase', source('export type pcr = number\n'), /pcr: types are PascalCase/],
    ['golden values', source('export const goldenPcrs = 1\n'), /"golden" is not our word/],
    [
      'a chain',
      source('export const f = (caChain: number) => caChain\n'),
      /"chain" is not our word/,
    ],
    [
      'a quote',
      source('export const attestationQuote = 1\n'),
      /attestationQuote: say Evidence or attestation document/,
    ],
    ['a whitelist', source('export const PCR_WHITELIST = 1\n'), /"whitelist" is not our word/],
    ['PCR values', source('export interface A { pcrValues: number }\n'), /pcrValues: say pcrs/],
    ['a root store', source('export const { rootStore } = { rootStore: 1 }\n'), /say trustAnchors/],
    ['a file of 451 lines', source('\n'.repeat(451)), /verify\.ts: 451 lines/],
  ])
})

describe('check-habits', () => {
  const text = (line: string): Files => ({ 'README.md': `fine\n${line}\n` })
  refuses(habits.refusals, [
    [
      'a path of a workplace',
      text(`see ${['', 'work', 'main'].join('/')}`),
      /README\.md:2: a path of/,
    ],
    [
      'a home folder',
      text(`see ${['', 'home', 'ada', 'clone'].join('/')}`),
      /README\.md:2: a path of/,
    ],
    ['a registry host', text(`at ${['registry', 'npmjs', 'org'].join('.')}`), /2: a registry host/],
    ['the tool of whoever typed', text(`by ${['Co', 'pilot'].join('')}`), /2: a tool of whoever/],
    [
      'a lock that names a host',
      { 'package-lock.json': '{ "resolved": "https://mirror.example/a.tgz" }' },
      /package-lock\.json: it names a registry host/,
    ],
    [
      'a script without its reason',
      { 'scripts/check-it.ts': 'export const it = 1\n' },
      /begins with a/,
    ],
    [
      'a check that does not say what it refuses',
      { 'scripts/check-it.ts': '// Looks at it.\nexport const it = 1\n' },
      /says what it refuses and why/,
    ],
    [
      'a code that no test provokes',
      {
        'packages/attestation/src/error.ts': `export type Code = 'ERR_ATTESTATION_PCR' | 'ERR_ATTESTATION_PCR_ABSENT'\n`,
      },
      /error\.ts: no test provokes ERR_ATTESTATION_PCR_ABSENT$/,
    ],
    [
      'a code of which a test names only the beginning',
      { 'packages/attestation/test/verify.test.ts': `const code = 'ERR_ATTESTATION_PCR_ABSENT'\n` },
      /error\.ts: no test provokes ERR_ATTESTATION_PCR$/,
    ],
    [
      'a package without README, named otherwise, under another licence, without engines',
      { 'packages/nsm/package.json': { name: 'nsm', license: 'MIT' } },
      /^packages\/nsm: no README\.md/,
      /^packages\/nsm: no LICENSE/,
      /its name is @enclavejs\/nsm/,
      /license is Apache-2\.0/,
      /engines\.node is missing/,
    ],
    [
      'a version that is not exact',
      { 'package.json': { devDependencies: { vitest: '^5.1.0' } } },
      /^package\.json: vitest \^5\.1\.0: versions are exact/,
    ],
    [
      "a licence that is not the root's",
      { 'packages/attestation/LICENSE': 'MIT\n' },
      /attestation: no LICENSE, or another/,
    ],
    ['a gap in the decisions', { 'decisions/003-third.md': '' }, /003-third\.md: 002-title\.md/],
    ['a decision without a number', { 'decisions/second.md': '' }, /second\.md: 002-title\.md/],
  ])
})
