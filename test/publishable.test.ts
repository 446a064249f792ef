// What stops a release before anything of it is public, and that the workflow asks first.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { manifest, repository, TemporaryTree } from './temporary-tree.ts'

let tree: TemporaryTree
beforeEach(() => {
  tree = new TemporaryTree()
})
afterEach(() => tree[Symbol.dispose]())

const script = join(repository, 'scripts/publishable.ts')
const url = 'git+https://github.com/example/enclaves.git'
const sound = (folder: string, rest: object = {}): Record<string, object> => ({
  [`packages/${folder}/package.json`]: manifest(folder, {
    repository: { type: 'git', url, directory: `packages/${folder}` },
    ...rest,
  }),
})
const publish = (tag = 'v0.1.0', place = 'example/enclaves') =>
  tree.execute(script, [tag], { GITHUB_REPOSITORY: place })

describe('a release', () => {
  it('is let on where every public package names the repository and has the version of the tag', () => {
    tree.write({ ...sound('nsm'), ...sound('vsock') })
    tree.write({
      'packages/cbor/package.json': manifest('cbor', { private: true, version: '0.0.0' }),
    })
    expect(publish()).toEqual({ status: 0, output: '', last: '' })
    // GitHub does not tell the case of names apart.
    expect(publish('v0.1.0', 'Example/Enclaves').status).toBe(0)
  })

  it.each<[string, Record<string, object>, RegExp]>([
    [
      'without a repository',
      { ...sound('nsm'), ...sound('vsock', { repository: undefined }) },
      /^publish: No "repository" in packages\/vsock\/package\.json: npm takes no provenance without it, and nothing was published\. Add \{.*\n$/,
    ],
    [
      'with an empty one',
      sound('nsm', { repository: { type: 'git', url: '', directory: 'packages/nsm' } }),
      /No "repository" in packages\/nsm/,
    ],
    [
      'of another repository',
      sound('nsm', {
        repository: { url: 'https://github.com/example/other', directory: 'packages/nsm' },
      }),
      /^publish: packages\/nsm\/package\.json: "repository" is example\/other, and the release is made in example\/enclaves/,
    ],
    [
      'of a place that is none',
      sound('nsm', { repository: { url: 'example/enclaves', directory: 'packages/nsm' } }),
      /has the address example\/enclaves; git\+https:/,
    ],
    [
      'of another directory',
      sound('nsm', { repository: { url, directory: 'packages/vsock' } }),
      /has the directory packages\/vsock; packages\/nsm expected/,
    ],
    [
      'of another version',
      sound('nsm', { version: '0.1.1' }),
      /^publish: packages\/nsm\/package\.json: @enclavejs\/nsm has version 0\.1\.1, and the tag is v0\.1\.0\.\n$/,
    ],
    [
      'of nothing',
      { 'packages/cbor/package.json': manifest('cbor', { private: true }) },
      /nothing to publish/,
    ],
  ])('%s is refused', (_what, files, sentence) => {
    tree.write(files)
    const { status, output } = publish()
    expect(output).toMatch(sentence)
    expect(status).toBe(1)
  })

  it('without a tag is refused', () => {
    tree.write(sound('nsm'))
    const { status, output } = tree.execute(script, [], { GITHUB_REPOSITORY: '' })
    expect(output).toContain('the tag is not given')
    expect(status).toBe(1)
  })
})

it('the workflow asks before it builds, tests or publishes anything', () => {
  const workflow = readFileSync(join(repository, '.github/workflows/publish.yml'), 'utf8')
  const steps = [...workflow.matchAll(/^ +(?:- )?run: (.*)$/gm)].map(([, command]) => command)
  expect(steps[0]).toBe('node scripts/publishable.ts "$GITHUB_REF_NAME"')
  expect(steps.at(-1)).toBe('npx --no-install changeset publish')
  expect(workflow).not.toContain('continue-on-error')
})
