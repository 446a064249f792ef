import { EifError } from './error.ts'
import { printable } from './bytes.ts'
import type { EifSource } from './source.ts'

interface Attributes {
  /** Permissions, 0 to 0o7777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Seconds since 1970. */
  readonly mtime: number
}

/** A regular file. The same object at several paths is one file with several names: hard links. */
export interface FileNode extends Attributes {
  readonly type: 'file'
  readonly content: EifSource
}

/** A directory. */
export interface DirectoryNode extends Attributes {
  readonly type: 'directory'
}

/** A symbolic link. */
export interface SymlinkNode extends Attributes {
  readonly type: 'symlink'
  readonly target: string
}

/** A character or block device, or a FIFO with numbers 0. */
export interface SpecialNode extends Attributes {
  readonly type: 'char' | 'block' | 'fifo'
  readonly major: number
  readonly minor: number
}

export type TreeNode = FileNode | DirectoryNode | SymlinkNode | SpecialNode

/** PATH_MAX with the NUL. */
const MAX_PATH = 4095
const MAX_LINKS = 40

/**
 * A file system in memory: paths and what stands there; contents stay in their sources. Paths are relative to its root,
 * without `.`, `..` or a slash at either end.
 */
export class FileTree {
  readonly #nodes = new Map<string, TreeNode>()

  get size(): number {
    return this.#nodes.size
  }

  get(path: string): TreeNode | undefined {
    return this.#nodes.get(path)
  }

  /** All entries, a directory before what it holds, names in byte order. */
  entries(): [path: string, node: TreeNode][] {
    return [...this.#nodes]
      .map(([path, node]) => ({ path, node, key: sortKey(path) }))
      .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      .map(({ path, node }) => [path, node])
  }

  /**
   * Puts a node at a path, as unpacking an archive does: symbolic links on the way are followed inside of the tree,
   * missing directories are made, a directory keeps what it holds, anything else replaces what was there.
   *
   * @throws {EifError} `ERR_EIF_PATH` when the way leads out of the tree or through something that is no directory.
   */
  put(path: string, node: TreeNode): void {
    const place = this.#resolveParent(path)
    const before = this.#nodes.get(place)
    if (before?.type === 'directory' && node.type !== 'directory') this.clear(place)
    this.#nodes.set(place, node)
  }

  /** The node at a path, symbolic links on the way (not at its end) followed inside of the tree. */
  find(path: string): TreeNode | undefined {
    return this.#nodes.get(this.#resolveParent(path, false))
  }

  /** Takes away what stands at a path, and what it holds. */
  remove(path: string): void {
    if (this.#nodes.get(path)?.type === 'directory') this.clear(path)
    this.#nodes.delete(path)
  }

  /** Takes away what a directory holds. The empty path is the root. */
  clear(path: string): void {
    const prefix = path === '' ? '' : `${path}/`
    for (const key of [...this.#nodes.keys()]) {
      if (key.startsWith(prefix) && key !== path) this.#nodes.delete(key)
    }
  }

  /** Where a path's last name stands when the way to it is walked. */
  resolve(path: string): string {
    return this.#resolveParent(path, false)
  }

  #resolveParent(path: string, make = true): string {
    let rest = path.split('/')
    let at: string[] = []
    let links = 0
    while (rest.length > 1) {
      const name = rest.shift() as string
      if (name === '' || name === '.') continue
      if (name === '..') {
        if (at.length === 0) throw outside(path)
        at.pop()
        continue
      }
      const here = [...at, name].join('/')
      const node = this.#nodes.get(here)
      if (node?.type === 'symlink') {
        if (++links > MAX_LINKS) throw refuse(`${quote(path)} leads through a circle of links`)
        if (node.target.startsWith('/')) at = []
        rest = [...node.target.split('/').filter((part) => part !== ''), ...rest]
        continue
      }
      if (node === undefined) {
        if (make) this.#nodes.set(here, IMPLIED)
      } else if (node.type !== 'directory') {
        throw refuse(`${quote(path)} leads through ${quote(here)}, which is no directory`)
      }
      at.push(name)
    }
    return [...at, rest[0] as string].join('/')
  }
}

const IMPLIED: DirectoryNode = { type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 }

/**
 * A path of an archive in a tree's form: `./a//b/` becomes `a/b`. The root itself is the empty string.
 *
 * @throws {EifError} `ERR_EIF_PATH` for an absolute path, one with `..`, or one that is too long.
 */
export function normalizePath(path: string): string {
  if (path.startsWith('/')) throw refuse(`${quote(path)} is an absolute path`)
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  if (names.includes('..')) throw outside(path)
  const normal = names.join('/')
  if (normal.includes('\0') || new TextEncoder().encode(normal).length > MAX_PATH) {
    throw refuse(`${quote(path)} has a NUL, or more than ${MAX_PATH} bytes`)
  }
  return normal
}

/** Sorts by bytes, name by name, so that what a directory holds stands right behind it. */
function sortKey(path: string): string {
  // No name has a byte below a NUL; a string of bytes sorts as they do.
  let key = ''
  for (const byte of new TextEncoder().encode(path)) {
    key += String.fromCharCode(byte === 0x2f ? 0 : byte)
  }
  return key
}

function refuse(message: string): EifError {
  return new EifError('ERR_EIF_PATH', message)
}

function outside(path: string): EifError {
  return refuse(`${quote(path)} leads out of the archive`)
}

export function quote(path: string): string {
  return JSON.stringify(printable(path))
}
