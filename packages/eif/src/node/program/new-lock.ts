import { EifError } from '../../error.ts'
import type { EifArchitecture } from '../../header.ts'
import { sha256, type BuildLock, type LockedLibrary, type LockedPackage } from './build-lock.ts'
import { packageOfFile } from './found-package.ts'
import type { NodeBinary } from './node-binary.ts'
import { findLibrary, type FoundLibrary, type ProvideLibrary } from './linked-library.ts'

/** Gives the libraries of a root file system as they are, for a lock that is made of them. */
export function machineLibraries(root: string, architecture: EifArchitecture): ProvideLibrary {
  return async (name) => {
    const found = await findLibrary(root, name, architecture)
    if (found !== undefined) return found
    throw new EifError(
      'ERR_EIF_LIBRARY',
      `No ${name} for ${architecture} in ${root}: install it, or give a root file system that has it`,
    )
  }
}

/** A lock of what is here: Node, the init, the compressors of this Node, and each library with its package. */
export async function makeBuildLock(
  from: {
    readonly architecture: EifArchitecture
    readonly node: NodeBinary
    readonly init: Uint8Array
    readonly root: string
  },
  found: readonly FoundLibrary[],
): Promise<BuildLock> {
  const packages = new Map<string, LockedPackage>()
  const libraries: LockedLibrary[] = []
  for (const { name, path, bytes } of found) {
    const owner = from.root === '/' ? await packageOfFile(path) : undefined
    if (owner !== undefined) packages.set(owner.name, owner)
    const entry = { name, path, sha256: sha256(bytes) }
    libraries.push(owner === undefined ? entry : { ...entry, package: owner.name })
  }
  const { version, bytes } = from.node
  return {
    lockVersion: 1,
    architecture: from.architecture,
    node: { ...(version !== undefined && { version }), sha256: sha256(bytes) },
    init: { sha256: sha256(from.init) },
    compressors: {
      zlib: process.versions.zlib ?? '',
      zstd: process.versions['zstd'] ?? '',
    },
    packages: [...packages.values()].sort(byName),
    libraries: libraries.sort(byName),
  }
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1
}
