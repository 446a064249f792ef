// Refuses what would tie the repository to one machine or one person (absolute paths of a workplace, registry hosts, the
// tools somebody typed it with), and habits that nobody remembers at midnight: a refusal code that no test provokes, a
// package without a README, a decision without its number, a version that is not exact, a check that does not say why.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeFiles, sourceFiles } from './source-file.ts'
import { readManifest, SCOPE, workspacePackages, type Manifest } from './workspace-package.ts'

// Written so that this file does not contain what it looks for.
const FOREIGN: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/(?:^|[^\w.])\/(?:work|root|farm|home\/\w+|Users\/\w+)\//, 'a path of one machine'],
  [/\/tmp\/[b]ash_jobs|\/tmp\/[b]rief/, 'a path of one machine'],
  [/[r]egistry\.npmjs\.org|[d]eb\.debian\.org|[r]egistry\.yarnpkg\.com/, 'a registry host'],
  [
    /\b(?:[c]laude|[a]nthropic|[c]hatgpt|[o]penai|[c]opilot|[s]ubagents?|[l]anguage model)\b/i,
    'a tool of whoever typed it',
  ],
]

export function refusals(root: string): readonly string[] {
  return [
    ...refuseForeign(root),
    ...refuseLock(root),
    ...refuseScripts(root),
    ...refuseUntestedCodes(root),
    ...refusePackages(root),
    ...refuseDecisions(root),
  ]
}

function refuseForeign(root: string): readonly string[] {
  return sourceFiles(root)
    .filter(({ path }) => !path.endsWith('package-lock.json'))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, index) =>
          FOREIGN.filter(([pattern]) => pattern.test(line)).map(
            ([pattern, what]) => `${path}:${index + 1}: ${what}: ${pattern.exec(line)?.[0].trim()}`,
          ),
        ),
    )
}

/** A lock that names a host would send everyone to one mirror. */
function refuseLock(root: string): readonly string[] {
  return sourceFiles(root)
    .filter(
      ({ path, text }) => path.endsWith('package-lock.json') && /"resolved": "\w+:/.test(text),
    )
    .map(({ path }) => `${path}: it names a registry host; see omit-lockfile-registry-resolved`)
}

function refuseScripts(root: string): readonly string[] {
  return codeFiles(root, ['scripts'])
    .filter(({ path }) => !path.startsWith('scripts/packed/'))
    .flatMap(({ path, text }) => {
      const comment = /^(?:#!.*\n)?((?:\/\/.*\n)+)/.exec(text)?.[1]
      if (comment === undefined)
        return [`${path}: it begins with a comment that says what it is for`]
      if (!/(?:^|\/)check[.-]/.test(path) || /\b[Rr]efuse/.test(comment)) return []
      return [`${path}: its first comment says what it refuses and why`]
    })
}

function refuseUntestedCodes(root: string): readonly string[] {
  const packages = readdirSync(join(root, 'packages'))
  const tests = sourceFiles(root, ['test', ...packages.map((name) => `packages/${name}/test`)])
    .map(({ text }) => text)
    .join('\n')
  return packages.flatMap((name) =>
    sourceFiles(root, [`packages/${name}/src/error.ts`]).flatMap(({ path, text }) =>
      [...new Set(text.match(/\bERR_[A-Z0-9_]+[A-Z0-9]\b/g))]
        .filter((code) => !new RegExp(`\\b${code}\\b`).test(tests))
        .map((code) => `${path}: no test provokes ${code}`),
    ),
  )
}

function refusePackages(root: string): readonly string[] {
  const manifests: (readonly [string, Manifest])[] = [['package.json', readManifest(root)]]
  const found: string[] = []
  for (const { folder, manifest } of workspacePackages(root)) {
    manifests.push([`packages/${folder}/package.json`, manifest])
    if (!existsSync(join(root, 'packages', folder, 'README.md'))) {
      found.push(`packages/${folder}: no README.md`)
    }
    if (manifest.name !== `${SCOPE}${folder}`) {
      found.push(`packages/${folder}/package.json: its name is ${SCOPE}${folder}`)
    }
    if (manifest.license !== 'Apache-2.0') {
      found.push(`packages/${folder}/package.json: license is Apache-2.0`)
    }
    if (manifest.private !== true && !sameLicense(root, folder)) {
      found.push(
        `packages/${folder}: no LICENSE, or another than the root's; npm packs only its own`,
      )
    }
    if (manifest.private !== true && manifest.engines?.['node'] === undefined) {
      found.push(`packages/${folder}/package.json: engines.node is missing`)
    }
  }
  return [...found, ...manifests.flatMap(([path, manifest]) => refuseRanges(path, manifest))]
}

function sameLicense(root: string, folder: string): boolean {
  const file = join(root, 'packages', folder, 'LICENSE')
  return existsSync(file) && readFileSync(file).equals(readFileSync(join(root, 'LICENSE')))
}

/** Of our own packages a range is wanted: changesets moves it. */
function refuseRanges(path: string, manifest: Manifest): readonly string[] {
  const all = {
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.optionalDependencies,
  }
  return Object.entries(all)
    .filter(([name]) => !name.startsWith(SCOPE))
    .filter(
      ([, version]) => !/^(?:npm:[^@]+@|npm:@[^@]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version),
    )
    .map(([name, version]) => `${path}: ${name} ${version}: versions are exact`)
}

function refuseDecisions(root: string): readonly string[] {
  const folder = join(root, 'decisions')
  if (!existsSync(folder)) return ['decisions/: absent']
  return readdirSync(folder)
    .sort()
    .flatMap((name, index) => {
      const number = String(index + 1).padStart(3, '0')
      if (/^\d{3}-[a-z0-9]+(?:-[a-z0-9]+)*\.md$/.test(name) && name.startsWith(number)) return []
      return [`decisions/${name}: ${number}-title.md expected here, numbered without gaps`]
    })
}
