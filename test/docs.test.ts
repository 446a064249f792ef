// The site: it builds, no link in it leads nowhere, and a code that a package can throw has its place on the page of codes.
import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { readErrorEntries } from '../docs/errors-page.ts'

const root = join(import.meta.dirname, '..')
const docs = join(root, 'docs')

test.skipIf(!existsSync(join(docs, 'node_modules')))(
  'the site builds (needs npm ci in docs)',
  async () => {
    rmSync(join(docs, '.vitepress/dist'), { recursive: true, force: true })
    await promisify(execFile)(process.execPath, ['build.ts'], { cwd: docs, maxBuffer: 1 << 24 })
    const page = (name: string): string => readFileSync(join(docs, '.vitepress/dist', name), 'utf8')
    expect(page('guide/concepts.html')).toContain('The parent is the attacker')
    expect(page('api/attestation/src.html')).toContain('verifyAttestation')
    expect(page('errors.html')).toContain('id="err-attestation-pcr"')
  },
  600_000,
)

const codes = (name: string): string[] =>
  globSync(`packages/${name}/src/**/*.ts`, { cwd: root }).flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/'(ERR_[A-Z]+_[A-Z0-9_]+)'/g)].map(
      ([, code]) => code as string,
    ),
  )

test.each(
  globSync('packages/*/README.md', { cwd: root }).map((file) => file.split('/')[1] as string),
)('every code of %s is explained in its README', (name) => {
  const readme = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8')
  const explained = new Set(readErrorEntries(readme).map(({ code }) => code))
  const prefixes = new Set([...explained].map((code) => /^ERR_[A-Z]+_/.exec(code)?.[0] as string))
  const own = codes(name).filter((code) => prefixes.has(/^ERR_[A-Z]+_/.exec(code)?.[0] as string))
  expect(own.filter((code) => !explained.has(code))).toEqual([])
})

test('troubleshooting speaks of codes that exist', () => {
  const text = readFileSync(join(docs, 'guide/troubleshooting.md'), 'utf8')
  const existing = new Set(
    globSync('packages/*', { cwd: root }).flatMap((path) => codes(path.slice(9))),
  )
  const named = [...text.matchAll(/ERR_[A-Z0-9_]+/g)].map(([code]) => code)
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((code) => !existing.has(code))).toEqual([])
})
