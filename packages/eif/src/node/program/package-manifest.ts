import { readFile } from 'node:fs/promises'
import { join, matchesGlob } from 'node:path'
import { EifError } from '../../error.ts'
import type { EifArchitecture } from '../../header.ts'

/** What is read of a package.json. */
export interface PackageManifest {
  readonly name: string
  readonly version: string
  readonly main: string | undefined
  /** What a published package holds; undefined where it does not say. */
  readonly files: readonly string[] | undefined
  readonly dependencies: readonly string[]
  /** Packages that may be missing: optional ones and those of the package's host. */
  readonly optional: readonly string[]
  /** Whether `os`, `cpu` and `libc` allow Linux with GNU's C library on an architecture. */
  suits(architecture: EifArchitecture): boolean
}

const CPUS: Readonly<Record<EifArchitecture, string>> = { x86_64: 'x64', aarch64: 'arm64' }

/**
 * Reads the package.json of a folder.
 *
 * @throws {EifError} `ERR_EIF_PROGRAM` when there is none, or it is not one.
 */
export async function readManifest(folder: string): Promise<PackageManifest> {
  const path = join(folder, 'package.json')
  try {
    const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
    const names = (field: string): string[] => Object.keys((json[field] ?? {}) as object)
    const text = (field: string): string | undefined =>
      typeof json[field] === 'string' ? json[field] : undefined
    const list = (field: string): string[] | undefined => {
      const value = typeof json[field] === 'string' ? [json[field]] : json[field]
      return Array.isArray(value) ? value.map(String) : undefined
    }
    const meta = (json['peerDependenciesMeta'] ?? {}) as Record<string, { optional?: unknown }>
    // npm installs no peer that is optional; one that lies there is there for another reason, and is no part of this.
    const peers = names('peerDependencies').filter((name) => meta[name]?.optional !== true)
    const optional = [...names('optionalDependencies'), ...peers]
    return {
      name: text('name') ?? '',
      version: text('version') ?? '0.0.0',
      main: text('main'),
      files: list('files'),
      dependencies: names('dependencies').filter((name) => !optional.includes(name)),
      optional,
      suits: (architecture) =>
        allows(list('os'), 'linux') &&
        allows(list('cpu'), CPUS[architecture]) &&
        allows(list('libc'), 'glibc'),
    }
  } catch (cause) {
    const message = `${path} cannot be read: ${(cause as Error).message}`
    throw new EifError('ERR_EIF_PROGRAM', message, { cause })
  }
}

/** npm's rule for `os`, `cpu` and `libc`: a list of what is allowed, or of what is not. */
function allows(list: readonly string[] | undefined, value: string): boolean {
  if (list === undefined || list.length === 0 || list.includes('any')) return true
  if (list.includes(`!${value}`)) return false
  const positive = list.filter((item) => !item.startsWith('!'))
  return positive.length === 0 || positive.includes(value)
}

/** Whether a package is published with a file: package.json, what `main` names, and what `files` lists, in its order. */
export function isPublished(path: string, { files = [], main }: PackageManifest): boolean {
  const plain = (pattern: string): string => pattern.replace(/^(?:\.?\/)+|\/+$/g, '')
  if (path === 'package.json' || (main !== undefined && path === plain(main))) return true
  let published = false
  for (const entry of files) {
    const negated = entry.startsWith('!')
    const pattern = plain(negated ? entry.slice(1) : entry)
    const covered =
      pattern === '' ||
      pattern === '.' ||
      path === pattern ||
      path.startsWith(`${pattern}/`) ||
      (/[*?[{]/.test(pattern) && (matchesGlob(path, pattern) || matchesGlob(path, `${pattern}/**`)))
    if (covered) published = !negated
  }
  return published
}
