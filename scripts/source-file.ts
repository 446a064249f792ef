// Lists the text files of the repository for the checks. It looks at the folder and not at git, so that a file which is
// not yet committed is refused as well.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

export interface SourceFile {
  /** Relative to the root, with `/`. */
  readonly path: string
  readonly text: string
}

const IGNORED = new Set([...['node_modules', '.git', 'dist', 'build', 'prebuilds', 'coverage']])
const TEXT =
  /\.(?:ts|mts|js|mjs|cjs|json|jsonc|md|c|h|sh|yml|yaml|html|txt|toml|pem|capnp)$|\/(?:run|Dockerfile|LICENSE|\.[a-z]+rc|\.gitignore)$/
const CODE = /\.(?:ts|mts|js|mjs|cjs|c|h|sh)$/
const MAX_SIZE = 4 * 1024 * 1024

/** All text files below the given folders (or files), sorted. A folder that does not exist has none. */
export function sourceFiles(root: string, places: readonly string[] = ['']): readonly SourceFile[] {
  return places
    .flatMap((place) => walk(root, place))
    .filter((path) => TEXT.test(`/${path}`))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** The files of {@link sourceFiles} that are program text. */
export function codeFiles(root: string, places?: readonly string[]): readonly SourceFile[] {
  return sourceFiles(root, places).filter(({ path }) => CODE.test(path))
}

function walk(root: string, place: string): string[] {
  const info = statSync(join(root, place), { throwIfNoEntry: false })
  if (info === undefined) return []
  if (!info.isDirectory()) return info.size <= MAX_SIZE ? [place] : []
  return readdirSync(join(root, place), { withFileTypes: true })
    .filter((entry) => !IGNORED.has(entry.name) && !entry.isSymbolicLink())
    .flatMap(({ name }) => walk(root, place === '' ? name : `${place}/${name}`))
}
