import { constants, lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { EifError } from '../error.ts'
import type { EifSource } from '../source.ts'
import { FileTree, normalizePath, quote } from '../tree.ts'

/**
 * The files below a directory, as they would be in any checkout of it: owners and times are zero, permissions 0755 for
 * directories and whatever the owner may execute, 0644 for other files. Names are sorted when they are written.
 *
 * @throws {EifError} `ERR_EIF_ENTRY` for a socket, a device, or a name that is not UTF-8; `ERR_EIF_READ` when the directory cannot be read.
 */
export async function treeOfDirectory(path: string): Promise<FileTree> {
  return treeOfSome(path, () => true)
}

/** The same of those below it that are wanted; a directory that is not is not looked into. */
export async function treeOfSome(
  path: string,
  wanted: (path: string) => boolean,
): Promise<FileTree> {
  const tree = new FileTree()
  try {
    await walk(path, '', tree, wanted)
  } catch (cause) {
    if (cause instanceof EifError) throw cause
    throw new EifError('ERR_EIF_READ', `Cannot read ${path}: ${(cause as Error).message}`, {
      cause,
    })
  }
  return tree
}

async function walk(
  root: string,
  folder: string,
  tree: FileTree,
  wanted: (path: string) => boolean,
): Promise<void> {
  for (const entry of await readdir(join(root, folder))) {
    if (entry.includes('\ufffd')) {
      throw new EifError('ERR_EIF_ENTRY', `${quote(entry)} has a name that is not UTF-8`)
    }
    const path = normalizePath(folder === '' ? entry : `${folder}/${entry}`)
    if (!wanted(path)) continue
    const full = join(root, path)
    const stat = await lstat(full)
    const owner = { uid: 0, gid: 0, mtime: 0 }
    if (stat.isSymbolicLink()) {
      tree.put(path, { ...owner, type: 'symlink', mode: 0o777, target: await readlink(full) })
    } else if (stat.isDirectory()) {
      tree.put(path, { ...owner, type: 'directory', mode: 0o755 })
      await walk(root, path, tree, wanted)
    } else if (stat.isFile()) {
      const mode = (stat.mode & 0o100) === 0 ? 0o644 : 0o755
      tree.put(path, { ...owner, type: 'file', mode, content: lazyFile(full, stat.size) })
    } else {
      throw new EifError('ERR_EIF_ENTRY', `${quote(path)} is no file, directory or symbolic link`)
    }
  }
}

/** A file that is open only while it is read, because a tree may have more files than descriptors are allowed. */
export function lazyFile(path: string, size: number): EifSource {
  return {
    size,
    async read(offset, buffer) {
      const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        const { size: now } = await handle.stat()
        if (now !== size) throw new Error(`${path} had ${size} bytes and now has ${now}`)
        return (await handle.read(buffer, 0, buffer.length, offset)).bytesRead
      } finally {
        await handle.close()
      }
    },
  }
}
