import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { repository, sound, TemporaryTree } from './temporary-tree.ts'

let tree: TemporaryTree
beforeEach(() => {
  tree = new TemporaryTree()
})
afterEach(() => tree[Symbol.dispose]())

describe('npm run check', () => {
  const script = join(repository, 'scripts/check.ts')
  it('goes on after a refusal, and counts', () => {
    tree.write({ ...sound, 'packages/cbor/src/utils.ts': '' })
    const { status, output, last } = tree.execute(script, ['arrows', 'names', 'habits'])
    expect(output).toMatch(
      /arrows .* ok\nnames .* FAILED\n {4}.*utils\.ts: a drawer.*\nhabits .* ok/,
    )
    expect(last).toBe('2 passed, 1 failed')
    expect(status).toBe(1)
  })
  it('takes a step that cannot run for a refusal', () => {
    tree.write({ ...sound, 'packages/attestation/package.json': '{' })
    const { status, last } = tree.execute(script, ['arrows'])
    expect(last).toBe('0 passed, 1 failed')
    expect(status).toBe(1)
  })
  it('refuses a step that does not exist', () => {
    tree.write(sound)
    const { status, output } = tree.execute(script, ['arows'])
    expect(output).toContain('unknown step arows')
    expect(status).toBe(2)
  })
})

describe('npm test', () => {
  const script = join(repository, 'scripts/test.ts')
  const head = `import { beforeAll, describe, expect, it } from 'vitest'\n`
  const good = `it('passes', () => expect(1).toBe(1))\n`
  const skip = `it('waits', (ctx) => ctx.skip('no vectors on this machine'))\n`
  const runTests = (text: string, env: Record<string, string> = {}) => {
    tree.write({ 'a.test.ts': head + text })
    tree.borrow()
    return tree.execute(script, [], env)
  }
  it('counts what passed', () => {
    const { status, last } = runTests(good)
    expect(last).toBe('1 passed, 0 failed')
    expect(status).toBe(0)
  })
  it('names a skip and its reason', () => {
    const { status, output, last } = runTests(good + skip)
    expect(output).toContain('skipped: a.test.ts > waits: no vectors on this machine')
    expect(last).toBe('1 passed, 0 failed, 1 skipped')
    expect(status).toBe(0)
  })
  it('refuses a skip in CI with data beside the clone, and where it is told so', () => {
    mkdirSync(join(tree.beside, 'shared'), { recursive: true })
    const { status, last } = runTests(good + skip, { CI: 'true' })
    expect(last).toBe('1 passed, 0 failed, 1 skipped')
    expect(status).toBe(1)
    expect(tree.execute(script, [], { ENCLAVEJS_NO_SKIPS: '1' }).status).toBe(1)
    rmSync(join(tree.beside, 'shared'), { recursive: true })
    expect(tree.execute(script, [], { CI: 'true' }).status).toBe(0)
  })
  it.each([
    ['a failure', `it('fails', () => expect(1).toBe(2))\n`, '1 passed, 1 failed'],
    ['a file that does not load', `import './absent.ts'\n`, '0 passed, 1 failed'],
    [
      'a hook that throws',
      `describe('a', () => { beforeAll(() => { throw new Error('no') }); it('b', () => {}) })\n`,
      '1 passed, 1 failed, 1 skipped',
    ],
    [
      'a rejection that nobody awaits',
      `it('b', () => { void Promise.reject(new Error('no')) })\n`,
      '2 passed, 1 failed',
    ],
    ['a forgotten .only', `it.only('b', () => {})\n`, '0 passed, 1 failed, 1 skipped'],
  ])('refuses %s', (_, text, expected) => {
    const { status, last } = runTests(good + text)
    expect(last).toBe(expected)
    expect(status).toBe(1)
  })
  it('refuses to have tested nothing', () => {
    tree.write({ 'package.json': {} })
    tree.borrow()
    const { status, last } = tree.execute(script, [])
    expect(last).toBe('0 passed, 1 failed')
    expect(status).toBe(1)
  })
})

describe('.ci/run', () => {
  /** Runs it with stand-ins for npm and dpkg-query, so that what is tested is its counting. */
  function ci(
    lines: Readonly<Record<string, string>>,
    statuses: Readonly<Record<string, number>> = {},
    machine = 'aarch64',
  ) {
    mkdirSync(tree.path('.ci'), { recursive: true })
    copyFileSync(join(repository, '.ci/run'), tree.path('.ci/run'))
    const cases = Object.entries({ ci: '', ...lines }).map(
      ([name, line]) => `*" ${name}") printf '%b' '${line}'; exit ${statuses[name] ?? 0};;`,
    )
    tree.write({
      'bin/npm': `#!/bin/sh\ncase " $*" in\n${cases.join('\n')}\nesac\nexit 9\n`,
      'bin/dpkg-query': '#!/bin/sh\nprintf installed\n',
      'bin/uname': `#!/bin/sh\necho ${machine}\n`,
    })
    for (const name of ['npm', 'dpkg-query', 'uname']) chmodSync(tree.path(`bin/${name}`), 0o755)
    const path = `${tree.path('bin')}:${process.env['PATH']}`
    const { status, stdout } = spawnSync('bash', [tree.path('.ci/run')], {
      encoding: 'utf8',
      env: { ...process.env, PATH: path },
    })
    return { status, output: stdout, last: stdout.trimEnd().split('\n').at(-1) }
  }
  const green = {
    check: '3 passed, 0 failed\\n',
    test: 'a\\n20 passed, 0 failed\\n',
    'test:guest': '4 passed, 0 failed\\n',
  }

  it('sums the counts', () => {
    expect(ci(green)).toMatchObject({ status: 0, last: '27 passed, 0 failed' })
  })
  it('goes on after a failure and reports it', () => {
    const lines = { ...green, check: '2 passed, 1 failed\\n' }
    expect(ci(lines, { check: 1 })).toMatchObject({ status: 1, last: '26 passed, 1 failed' })
  })
  it('takes a command without a count for a failure', () => {
    const lines = { ...green, test: '20 passed, 0 failed\\nand a word more\\n' }
    expect(ci(lines)).toMatchObject({ status: 1, last: '7 passed, 1 failed' })
  })
  it('takes a status that contradicts the count for a failure', () => {
    expect(ci(green, { test: 1 })).toMatchObject({ status: 1, last: '27 passed, 1 failed' })
  })
  it('takes a failed installation for a failure', () => {
    expect(ci(green, { ci: 1 })).toMatchObject({ status: 1, last: '27 passed, 1 failed' })
  })
  it('takes a Node for arm64 that the lock file does not vouch for as a failure', () => {
    expect(ci(green, {}, 'x86_64')).toMatchObject({ status: 1, last: '27 passed, 1 failed' })
  })
  it('reports a skip, and refuses it with data beside the clone', () => {
    const lines = { ...green, 'test:guest': '0 passed, 0 failed, 4 skipped\\n' }
    expect(ci(lines)).toMatchObject({ status: 0, last: '23 passed, 0 failed, 4 skipped' })
    mkdirSync(join(tree.beside, 'shared'))
    expect(ci(lines)).toMatchObject({ status: 1, last: '23 passed, 0 failed, 4 skipped' })
  })
})
