import type { EnclaveProcess } from './container-config.ts'
import type { CpioEntry } from './cpio.ts'
import { bytesSource, type EifSource } from './source.ts'
import { FileTree, type DirectoryNode, type FileNode, type TreeNode } from './tree.ts'

/** 2017-04-18T16:30:00Z, the time that linuxkit gives to what it makes itself. */
const LINUXKIT_TIME = 1_492_533_000

function directory(mode = 0o755, mtime = 0): DirectoryNode {
  return { type: 'directory', mode, uid: 0, gid: 0, mtime }
}

function file(content: EifSource | string, mode: number, mtime = 0): FileNode {
  const source =
    typeof content === 'string' ? bytesSource(new TextEncoder().encode(content)) : content
  return { type: 'file', mode, uid: 0, gid: 0, mtime, content: source }
}

/** What boots: an init, and the NSM driver where the kernel has it as a module. */
export interface BootFiles {
  /** A static program. */
  readonly init: EifSource
  readonly nsmModule?: EifSource
}

/** The first ramdisk as nitro-cli has linuxkit make it. With AWS's kernel and files, PCR1 is nitro-cli's. */
export function nitroCliBootEntries({ init, nsmModule }: BootFiles): CpioEntry[] {
  return [
    { name: 'dev', node: directory(0o755, LINUXKIT_TIME) },
    { name: 'init', node: file(init, 0o755, LINUXKIT_TIME) },
    ...(nsmModule ? [{ name: 'nsm.ko', node: file(nsmModule, 0o755, LINUXKIT_TIME) }] : []),
  ]
}

/** The first ramdisk for our init: a console that the kernel can open before `/dev` is mounted, and nothing else. */
export function ociBootEntries({ init, nsmModule }: BootFiles): CpioEntry[] {
  const console: TreeNode = {
    ...{ type: 'char', mode: 0o600, uid: 0, gid: 0, mtime: 0 },
    ...{ major: 5, minor: 1 },
  }
  return [
    { name: 'dev', node: directory() },
    { name: 'dev/console', node: console },
    { name: 'init', node: file(init, 0o755) },
    ...(nsmModule ? [{ name: 'nsm.ko', node: file(nsmModule, 0o644) }] : []),
  ]
}

/** Where the root of the application lies in its ramdisk, for AWS's init and ours. */
const ROOT = 'rootfs'

const MOUNT_POINTS = [
  ['dev', 0o755],
  ['proc', 0o755],
  ['run', 0o755],
  ['sys', 0o755],
  ['tmp', 0o1777],
] as const

/** The second ramdisk for our init: the root file system and what to run in it, one file per fact, NUL after each word. */
export function ociApplicationEntries(tree: FileTree, process: EnclaveProcess): CpioEntry[] {
  const words = (list: readonly string[]): string => list.map((word) => `${word}\0`).join('')
  const { command, environment, directory: cwd, uid, gid, groups } = process
  const entries: CpioEntry[] = [
    { name: 'enclave', node: directory(0o700) },
    { name: 'enclave/command', node: file(words(command), 0o400) },
    { name: 'enclave/directory', node: file(words([cwd]), 0o400) },
    { name: 'enclave/environment', node: file(words(environment), 0o400) },
    { name: 'enclave/user', node: file(words([uid, gid, ...groups].map(String)), 0o400) },
    { name: ROOT, node: directory() },
  ]
  const missing = MOUNT_POINTS.filter(([name]) => tree.get(name) === undefined)
  const whole = new FileTree()
  for (const [path, node] of tree.entries()) whole.put(path, withTime(node, 0))
  for (const [name, mode] of missing) whole.put(name, directory(mode))
  for (const [path, node] of whole.entries()) entries.push({ name: `${ROOT}/${path}`, node })
  return entries
}

const fixed = new WeakMap<TreeNode, TreeNode>()

/** Times of layers differ from build to build; a node that stands at several paths stays one node. */
function withTime(node: TreeNode, mtime: number): TreeNode {
  if (node.mtime === mtime) return node
  const known = fixed.get(node)
  if (known?.mtime === mtime) return known
  const changed = { ...node, mtime }
  fixed.set(node, changed)
  return changed
}

const HOSTS = `127.0.0.1       localhost
::1     localhost ip6-localhost ip6-loopback
fe00::0 ip6-localnet
ff00::0 ip6-mcastprefix
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
`
const RESOLV_CONF = '/run/resolvconf/resolv.conf'

/**
 * The second ramdisk as nitro-cli has linuxkit make it of an exported container: what Docker puts into every container,
 * what linuxkit replaces of that, directories with a slash behind their names, hard links as relative symbolic links,
 * then the mount points, and `cmd` and `env` with a newline after each word. Times are those of the image's layers.
 */
export function nitroCliApplicationEntries(
  tree: FileTree,
  process: { readonly command: readonly string[]; readonly environment: readonly string[] },
): CpioEntry[] {
  const entries: CpioEntry[] = [{ name: ROOT, node: directory(0o755, LINUXKIT_TIME) }]
  const firstNames = new Map<TreeNode, string>()
  for (const [path, node] of dockerExport(tree).entries()) {
    const name = `${ROOT}/${path}`
    const first = node.type === 'file' ? firstNames.get(node) : undefined
    if (first !== undefined) {
      entries.push({ name, node: { ...node, type: 'symlink', target: relative(name, first) } })
      continue
    }
    firstNames.set(node, name)
    entries.push({ name: node.type === 'directory' ? `${name}/` : name, node })
  }
  const lines = (list: readonly string[]): string => list.map((word) => `${word}\n`).join('')
  const made: [string, TreeNode][] = [[ROOT, directory(0o755, LINUXKIT_TIME)]]
  for (const name of ['dev', 'run', 'sys', 'var', 'proc', 'tmp']) {
    made.push([`${ROOT}/${name}`, directory(0o755, LINUXKIT_TIME)])
  }
  made.push(['cmd', file(lines(process.command), 0o644, LINUXKIT_TIME)])
  made.push(['env', file(lines(process.environment), 0o644, LINUXKIT_TIME)])
  return [...entries, ...made.map(([name, node]) => ({ name, node }))]
}

/**
 * What `docker export` gives of a container that never ran, after linuxkit's replacements. Docker makes its mount points
 * anew, and unlinks what stands there or on the way there unless it is a directory: hosts, resolv.conf and mtab are never
 * the image's own, nor are their owners and permissions.
 */
function dockerExport(image: FileTree): FileTree {
  const tree = new FileTree()
  for (const [path, node] of image.entries()) {
    // A symbolic link that was unpacked has all permissions, whatever its layer says.
    tree.put(path, node.type === 'symlink' ? { ...node, mode: 0o777 } : node)
  }
  for (const path of ['dev', 'dev/pts', 'dev/shm', 'etc', 'proc', 'sys']) {
    const node = tree.get(path)
    const kept = node?.type === 'directory' ? node : directory()
    tree.put(path, { ...kept, mtime: LINUXKIT_TIME })
  }
  for (const path of ['.dockerenv', 'Dockerfile', 'dev/console', 'etc/hostname']) tree.remove(path)
  const made = { mode: 0o755, uid: 0, gid: 0, mtime: LINUXKIT_TIME }
  tree.put('etc/hosts', file(HOSTS, 0o755, LINUXKIT_TIME))
  tree.put('etc/resolv.conf', { ...made, type: 'symlink', target: RESOLV_CONF })
  tree.put('etc/mtab', { ...made, mode: 0o777, type: 'symlink', target: '/proc/mounts' })
  return tree
}

/** The way from the directory of `from` to `to`. */
function relative(from: string, to: string): string {
  const start = from.split('/').slice(0, -1)
  const end = to.split('/')
  let common = 0
  while (common < start.length && common < end.length - 1 && start[common] === end[common]) common++
  return [...start.slice(common).map(() => '..'), ...end.slice(common)].join('/')
}
