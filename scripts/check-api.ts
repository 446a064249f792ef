// Refuses a public surface that differs from its committed copy in api/: a symbol that appears, vanishes or changes its
// type must be a line that somebody reviewed. `npm run check -- build api --update-api` writes the copies anew.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publicPackages, type WorkspacePackage } from './workspace-package.ts'

export function refusals(root: string): readonly string[] {
  const found: string[] = []
  const expected = new Set<string>()
  for (const one of packagesWithTypes(root)) {
    const name = `${one.folder}.d.ts`
    expected.add(name)
    const surface = readSurface(root, one)
    if (surface === undefined) {
      found.push(`packages/${one.folder}/dist has no declarations: build it first`)
      continue
    }
    const copy = join(root, 'api', name)
    const committed = existsSync(copy) ? readFileSync(copy, 'utf8') : undefined
    if (committed === surface) continue
    found.push(
      `api/${name} ${committed === undefined ? 'is absent' : firstDifference(committed, surface)}`,
    )
  }
  for (const name of existing(root)) {
    if (!expected.has(name)) found.push(`api/${name} belongs to no public package`)
  }
  if (found.length > 0) {
    found.push('if the change is meant: npm run check -- build api --update-api, and a changeset')
  }
  return found
}

/** Writes every copy anew. */
export function update(root: string): void {
  const folder = join(root, 'api')
  mkdirSync(folder, { recursive: true })
  for (const name of existing(root)) rmSync(join(folder, name))
  for (const one of packagesWithTypes(root)) {
    const surface = readSurface(root, one)
    if (surface !== undefined) writeFileSync(join(folder, `${one.folder}.d.ts`), surface)
  }
}

function existing(root: string): readonly string[] {
  const folder = join(root, 'api')
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.d.ts')) : []
}

function packagesWithTypes(root: string): readonly WorkspacePackage[] {
  return publicPackages(root).filter(({ manifest }) =>
    /"types"/.test(JSON.stringify(manifest.exports)),
  )
}

/** All declarations of a package, as built. The bundler's hash in the name of a shared file follows its contents. */
function readSurface(root: string, { folder }: WorkspacePackage): string | undefined {
  const dist = join(root, 'packages', folder, 'dist')
  if (!existsSync(dist)) return undefined
  const names = readdirSync(dist).filter((name) => name.endsWith('.d.ts'))
  if (names.length === 0) return undefined
  const hashed = /(-[\w-]{8})(?=\.d\.ts$|\.js['"])/
  const sections = names.map((name) => {
    const text = readFileSync(join(dist, name), 'utf8')
    const plain = text.replace(/(['"]\.\/[^'"]*['"])/g, (path) => path.replace(hashed, ''))
    return `// ${name.replace(hashed, '')}\n\n${plain.trim()}\n`
  })
  return sections.sort().join('\n')
}

function firstDifference(committed: string, surface: string): string {
  const [before, after] = [committed.split('\n'), surface.split('\n')]
  const line = after.findIndex((text, index) => text !== before[index])
  const at = line < 0 ? after.length : line
  return `differs from line ${at + 1}: committed ${shown(before[at])}, built ${shown(after[at])}`
}

function shown(line: string | undefined): string {
  return line === undefined ? 'nothing' : JSON.stringify(line.trim().slice(0, 120))
}
