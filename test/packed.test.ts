// The packages as a user gets them: packed as for publishing, installed by npm into an empty project, on every Node that is promised.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pack, type PackedPackage } from '../scripts/packed-package.ts'
import { entries } from '../scripts/workspace-package.ts'
import { Project } from './packed/project.ts'
import { ABSENT, installed } from './runtimes/stage.ts'
import { repository } from './temporary-tree.ts'

const nodes = [
  { name: 'Node 22', program: installed('node-22/bin/node'), version: /^v22\./ },
  { name: 'Node 24', program: process.execPath, version: /^v24\./ },
  { name: 'Node 26', program: installed('node-26/bin/node'), version: /^v26\./ },
]

const NO_REGISTRY =
  'NOT TESTED: npm reaches no registry, and what the packages depend on is not in its cache'

/** npm may have to wait for its registry, and three of them for each other. */
const LONG = { timeout: 180_000 }

let folder: string
let packages: readonly PackedPackage[]
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'packed-'))
  packages = await pack(repository, folder)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.concurrent.each(nodes)('installed by npm on $name', ({ name, program, version }) => {
  it('imports every entry, runs its command, and does the main job', LONG, async (context) => {
    if (program === undefined) return context.skip(ABSENT)
    const path = join(folder, name.replace(' ', '-'))
    mkdirSync(path)
    const project = new Project(path, program)
    expect((await project.run('node', ['--version'])).output).toMatch(version)

    const outcome = await project.install(packages.map(({ tarball }) => tarball))
    if (outcome === 'unreachable') return context.skip(NO_REGISTRY)
    expect(outcome.status, outcome.output).toBe(0)
    const found = project.installed()
    for (const { manifest } of packages) {
      expect(found.get(manifest.name)?.resolved).toMatch(/^file:/)
      // npm asks its user about each of these, or does not run it at all.
      expect(found.get(manifest.name)?.hasInstallScript).toBeUndefined()
    }
    expect([...found.keys()].filter((one) => /enclavejs.*enclavejs/.test(one))).toEqual([])
    expect(project.commands()).toContain('enclavejs')

    // The two ends of the simulator are of two processes.
    const all = packages.flatMap(entries)
    const parent = '@enclavejs/simulator/register/parent'
    expect(all).toContain(parent)
    for (const some of [all.filter((one) => one !== parent), [parent]]) {
      writeFileSync(join(path, 'entries.js'), some.map((one) => `import '${one}'\n`).join(''))
      const { status, output } = await project.run('node', ['entries.js'])
      expect(status, output).toBe(0)
    }

    for (const file of ['main-job.js', 'native.js']) {
      copyFileSync(join(repository, 'test/packed', file), join(path, file))
    }
    const native = await project.run('node', ['native.js'])
    expect(native).toEqual({ status: 0, output: 'loaded 3 addons, found 2 inits\n' })
    const command = ['enclavejs', 'simulate', '--dir', 'sim', '--', 'node', 'main-job.js', 'sim']
    const job = await project.run('npx', ['--no-install', ...command])
    expect(job.output).toMatch(/^verified \d{4} bytes with Node \d+\./m)
    expect(job.status).toBe(0)
  })
})
