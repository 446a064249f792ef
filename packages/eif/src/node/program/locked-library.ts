import { EifError } from '../../error.ts'
import { readBytes } from '../../source.ts'
import { normalizePath, quote, type FileTree, type TreeNode } from '../../tree.ts'
import { checkPinned, sha256, type BuildLock, type LockedLibrary } from './build-lock.ts'
import { fetchPackage } from './debian-package.ts'
import { findLibrary, libraryFolders, type ProvideLibrary } from './linked-library.ts'

/** Where libraries of a lock may be taken from. */
export interface LibrarySource {
  /** A root file system that is looked through first. */
  readonly root: string
  /** A mirror of Debian packages, instead of those that this machine is configured for. */
  readonly mirror: string | undefined
}

/**
 * Gives the libraries of a lock: from the root file system where it has the very file, else from the package that the
 * lock names. Where they come from makes no difference, because the hash of each is the lock's.
 *
 * @throws {EifError} (when a library is asked for) `ERR_EIF_LOCK`, `ERR_EIF_LIBRARY`.
 */
export function lockedLibraries(lock: BuildLock, source: LibrarySource): ProvideLibrary {
  const packages = new Map<string, Promise<FileTree>>()
  return async (asked) => {
    const name = asked.slice(asked.lastIndexOf('/') + 1)
    const locked = lock.libraries.find((library) => library.name === name)
    if (locked === undefined || (asked.startsWith('/') && asked !== locked.path)) {
      throw new EifError(
        'ERR_EIF_LOCK',
        `${quote(asked)} is linked and not in the lock: --update-lock adds it`,
      )
    }
    const here = await findLibrary(source.root, asked, lock.architecture)
    if (here !== undefined && sha256(here.bytes) === locked.sha256) {
      return { name, path: locked.path, bytes: here.bytes }
    }
    const pinned = lock.packages.find((entry) => entry.name === locked.package)
    if (pinned === undefined) {
      throw new EifError(
        'ERR_EIF_LIBRARY',
        `${name} with SHA-256 ${locked.sha256} expected in ${source.root}, ` +
          `${here === undefined ? 'none of that name' : 'another one'} seen; the lock names no package that has it`,
      )
    }
    let tree = packages.get(pinned.name)
    if (tree === undefined) {
      tree = fetchPackage(pinned, source.mirror)
      packages.set(pinned.name, tree)
    }
    const bytes = await libraryOfPackage(await tree, locked, lock)
    checkPinned(bytes, locked.sha256, `${name} of ${pinned.name} ${pinned.version}`)
    return { name, path: locked.path, bytes }
  }
}

async function libraryOfPackage(
  tree: FileTree,
  { name, path, package: package_ }: LockedLibrary,
  { architecture }: BuildLock,
): Promise<Uint8Array> {
  const places = [path, ...libraryFolders(architecture).map((folder) => `${folder}/${name}`)]
  for (const place of places) {
    const node = followLinks(tree, place.slice(1))
    if (node?.type === 'file') return readBytes(node.content, 0, node.content.size)
  }
  throw new EifError('ERR_EIF_LIBRARY', `The package ${package_} of the lock has no ${name}`)
}

/** The node at a path, a symbolic link at its end followed too. */
function followLinks(tree: FileTree, path: string): TreeNode | undefined {
  let at = tree.resolve(path)
  for (let links = 0; links < 8; links++) {
    const node = tree.get(at)
    if (node?.type !== 'symlink') return node
    const { target } = node
    const from = target.startsWith('/') ? [] : at.split('/').slice(0, -1)
    at = tree.resolve(normalizePath([...from, ...target.split('/')].join('/').replace(/^\/+/, '')))
  }
  return undefined
}
