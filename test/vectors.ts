import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Where data lies that nobody on this project made: `ENCLAVEJS_VECTORS`, or `../shared/vectors` beside the clone. */
const folder = process.env['ENCLAVEJS_VECTORS'] ?? join(root, '..', 'shared', 'vectors')

/** The absolute path of a vector file or folder; undefined where this machine has none, and the test skips. */
export function vectors(path: string): string | undefined {
  const absolute = join(folder, path)
  return existsSync(absolute) ? absolute : undefined
}
