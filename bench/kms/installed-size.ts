import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly files?: readonly string[]
}

/** The disk that `npm install NAME` takes, in whole blocks: the package and all it depends on, without optional peers. */
export function installedSize(name: string): { readonly bytes: number; readonly packages: number } {
  const seen = new Map<string, number>()
  const visit = (one: string, from: string): void => {
    const folder = locate(one, from)
    if (seen.has(folder)) return
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
    // Of a workspace only what it publishes counts.
    const ours = one.startsWith('@enclavejs/')
    const published = ours
      ? [...(manifest.files ?? []), 'package.json', 'README.md', 'LICENSE']
      : ['.']
    seen.set(
      folder,
      published.reduce((sum, path) => sum + size(join(folder, path)), 0),
    )
    for (const dependency of Object.keys(manifest.dependencies ?? {})) visit(dependency, folder)
  }
  visit(name, root)
  return {
    bytes: [...seen.values()].reduce((sum, bytes) => sum + bytes, 0),
    packages: seen.size,
  }
}

/** As Node resolves it: the nearest node_modules. */
function locate(name: string, from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name)
    try {
      statSync(join(candidate, 'package.json'))
      return realpathSync(candidate)
    } catch {
      if (folder === dirname(folder)) throw new Error(`${name} is not installed`)
    }
  }
}

function size(path: string): number {
  const stats = lstatSync(path)
  if (!stats.isDirectory()) return stats.blocks * 512
  return readdirSync(path)
    .filter((entry) => entry !== 'node_modules')
    .reduce((sum, entry) => sum + size(join(path, entry)), 0)
}
