import { EifError } from './error.ts'
import { readTar, type TarEntry } from './tar.ts'
import { normalizePath, quote, type FileTree, type TreeNode } from './tree.ts'
import type { EifSource } from './source.ts'

const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'

/** Unpacks a tar archive into a tree, over what is there. Names of layers have no meaning in it. */
export async function addTar(tree: FileTree, source: EifSource): Promise<void> {
  for await (const entry of readTar(source)) addEntry(tree, normalizePath(entry.path), entry)
}

/**
 * Lays an image layer over those below it (OCI image-spec, layer.md): `.wh.NAME` takes NAME of a lower layer away,
 * `.wh..wh..opq` everything that lower layers have in its directory; the layer's own entries stay, whatever their order.
 *
 * @throws {EifError} `ERR_EIF_PATH`, `ERR_EIF_TAR`, `ERR_EIF_ENTRY`.
 */
export async function addLayer(tree: FileTree, source: EifSource): Promise<void> {
  const entries: [path: string, entry: TarEntry][] = []
  for await (const entry of readTar(source)) {
    const path = normalizePath(entry.path)
    const slash = path.lastIndexOf('/')
    const name = path.slice(slash + 1)
    if (!name.startsWith(WHITEOUT)) {
      entries.push([path, entry])
      continue
    }
    const folder = path.slice(0, Math.max(slash, 0))
    if (name === OPAQUE) tree.clear(folder === '' ? '' : tree.resolve(folder))
    else if (name.startsWith('.wh..wh.'))
      continue // aufs bookkeeping, which no layer needs
    else {
      const hidden = name.slice(WHITEOUT.length)
      if (hidden === '' || hidden === '.' || hidden === '..') {
        throw new EifError('ERR_EIF_PATH', `${quote(path)} is no whiteout of a name`)
      }
      tree.remove(tree.resolve(folder === '' ? hidden : `${folder}/${hidden}`))
    }
  }
  for (const [path, entry] of entries) addEntry(tree, path, entry)
}

function addEntry(tree: FileTree, path: string, entry: TarEntry): void {
  if (path === '') {
    if (entry.type === 'directory') return
    throw new EifError('ERR_EIF_PATH', 'An entry other than a directory has the name of the root')
  }
  tree.put(path, nodeOf(tree, path, entry))
}

function nodeOf(tree: FileTree, path: string, entry: TarEntry): TreeNode {
  const { mode, uid, gid, mtime, type } = entry
  const attributes = { mode, uid, gid, mtime }
  switch (type) {
    case 'link': {
      const node = tree.find(normalizePath(entry.target))
      if (node === undefined || node.type === 'directory') {
        throw new EifError(
          'ERR_EIF_ENTRY',
          `The hard link ${quote(path)} leads to ${quote(entry.target)}, which is no file here`,
        )
      }
      return node
    }
    case 'symlink':
      if (entry.target === '')
        throw new EifError('ERR_EIF_ENTRY', `The link ${quote(path)} is empty`)
      return { ...attributes, type, target: entry.target }
    case 'file':
      return { ...attributes, type, content: entry.content }
    case 'directory':
      return { ...attributes, type }
    case 'fifo':
      return { ...attributes, type, major: 0, minor: 0 }
    default:
      return { ...attributes, type, major: entry.major, minor: entry.minor }
  }
}
