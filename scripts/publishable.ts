// `node scripts/publishable.ts TAG`: the first thing that publishing does. It refuses, before anything is built or sent, a
// package that npm would not take with provenance or that nobody could trace: no `repository`, one that is not where the
// workflow runs, a version that is not the tag's. Provenance names the repository, npm compares it with package.json, and
// refuses; by then other packages of the release would be public.
import { parseArgs } from 'node:util'
import { publicPackages, type Manifest, type WorkspacePackage } from './workspace-package.ts'

/** Where the release comes from. */
export interface Release {
  /** `v` and the version of all packages. */
  readonly tag: string
  /** `OWNER/NAME`, as GITHUB_REPOSITORY says it; undefined elsewhere. */
  readonly repository: string | undefined
}

/** One sentence for each thing that must be mended before a release. */
export function refusals(root: string, release: Release): readonly string[] {
  const packages = publicPackages(root)
  if (packages.length === 0) return ['There is no public package in packages/: nothing to publish.']
  const without = packages.filter(({ manifest }) => urlOf(manifest) === undefined)
  const found = packages.flatMap((one) => [...refusalsOf(one, release)])
  if (without.length === 0) return found
  const names = without.map(({ folder }) => `packages/${folder}/package.json`).join(', ')
  return [
    `No "repository" in ${names}: npm takes no provenance without it, and nothing was published. ` +
      'Add { "type": "git", "url": "git+https://github.com/OWNER/NAME.git", "directory": "packages/…" } ' +
      'to each, with the address of the repository that the release is made in.',
    ...found,
  ]
}

function* refusalsOf(
  { folder, manifest }: WorkspacePackage,
  { repository, tag }: Release,
): Iterable<string> {
  const file = `packages/${folder}/package.json`
  const { name, version } = manifest
  if (`v${version}` !== tag) {
    yield `${file}: ${name} has version ${version}, and the tag is ${tag || 'not given'}.`
  }
  const url = urlOf(manifest)
  if (url === undefined) return
  const place = /^(?:git\+)?https:\/\/github\.com\/([\w.-]+\/[\w.-]+?)(?:\.git)?$/.exec(url)?.[1]
  if (place === undefined) {
    yield `${file}: "repository" has the address ${url}; git+https://github.com/OWNER/NAME.git expected.`
  } else if (repository !== undefined && place.toLowerCase() !== repository.toLowerCase()) {
    yield `${file}: "repository" is ${place}, and the release is made in ${repository}: npm would refuse its provenance.`
  }
  const { directory } = manifest.repository as { directory?: string }
  if (directory !== `packages/${folder}`) {
    yield `${file}: "repository" has the directory ${directory ?? 'of none'}; packages/${folder} expected.`
  }
}

function urlOf({ repository }: Manifest): string | undefined {
  const url = typeof repository === 'string' ? repository : repository?.url
  return url === '' ? undefined : url
}

if (import.meta.main) {
  const [tag = ''] = parseArgs({ allowPositionals: true }).positionals
  const found = refusals(process.cwd(), { tag, repository: process.env['GITHUB_REPOSITORY'] })
  for (const sentence of found) console.error(`publish: ${sentence}`)
  process.exitCode = found.length === 0 ? 0 : 1
}
