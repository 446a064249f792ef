import { EifError } from '../../error.ts'
import type { EifArchitecture } from '../../header.ts'
import { bytesSource, readBytes } from '../../source.ts'
import { FileTree, normalizePath, quote, type FileNode } from '../../tree.ts'
import { treeOfSome } from '../directory-tree.ts'
import { programPackages, type ProgramPackage } from './dependency.ts'
import { isElf, readElf, trimElf } from './elf.ts'
import { isPublished } from './package-manifest.ts'
import {
  linkedLibraries,
  type FoundLibrary,
  type Linked,
  type ProvideLibrary,
} from './linked-library.ts'

/** Where the program stands in the image. */
const PROGRAM = 'app'
export const NODE = 'bin/node'
const SIMULATOR = '@enclavejs/simulator'

/** The few files that a C library asks for: names of this host, and of the one user. */
const DATABASES = {
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  'etc/passwd': 'root:x:0:0:root:/root:/bin/false\n',
  'etc/group': 'root:x:0:\n',
} as const

/** What a program's tree is made of. */
export interface ProgramTreeOptions {
  /** The program's folder, with its package.json. */
  readonly program: string
  /** The file to run, relative to the folder. Default: what `main` names, else `index.js`. */
  readonly entry?: string
  readonly architecture: EifArchitecture
  /** The bytes of the Node binary, and how they are called in a message. */
  readonly node: Linked
  /** Whether the symbol table and debugging information of Node stay in. */
  readonly keepSymbols: boolean
  readonly provide: ProvideLibrary
}

/** A root file system with a program of Node and nothing else. */
export interface ProgramTree {
  readonly tree: FileTree
  readonly name: string
  readonly version: string
  /** The file to run and the folder to run it in, absolute in the image. */
  readonly entry: string
  readonly directory: string
  /** Packages in it, the program's own apart, with their places. */
  readonly packages: readonly {
    readonly name: string
    readonly version: string
    readonly place: string
  }[]
  readonly libraries: readonly FoundLibrary[]
}

/**
 * Lays out the root file system of a program: Node, the libraries that Node and the program's addons link, the program's
 * files and its packages' files.
 *
 * @throws {EifError} `ERR_EIF_PROGRAM`, `ERR_EIF_SIMULATOR`, `ERR_EIF_ELF`, and what `provide` throws.
 */
export async function programTree(options: ProgramTreeOptions): Promise<ProgramTree> {
  const { architecture, node } = options
  const tree = new FileTree()
  const packages = await programPackages(options.program, architecture)
  refuseSimulator(packages)
  const addons: Linked[] = []
  for (const entry of packages) addons.push(...(await addPackage(tree, entry)))
  const elf = readElf(node.bytes, node.path)
  if (elf.architecture !== architecture) {
    throw new EifError(
      'ERR_EIF_ELF',
      `${node.path}: a Node for ${architecture} expected, one for ${elf.architecture ?? 'another machine'} seen`,
    )
  }
  const own = new Set(addons.map(({ path }) => path.slice(path.lastIndexOf('/') + 1)))
  const linked = [{ path: NODE, bytes: node.bytes }, ...addons]
  const libraries = await linkedLibraries(linked, architecture, own, options.provide)
  for (const { path, bytes } of libraries) tree.put(path.slice(1), file(bytes, 0o755))
  tree.put(NODE, file(options.keepSymbols ? node.bytes : trimElf(node.bytes, elf), 0o755))
  for (const [path, text] of Object.entries(DATABASES)) {
    tree.put(path, file(new TextEncoder().encode(text), 0o644))
  }
  const [program, ...others] = packages as [(typeof packages)[0], ...typeof packages]
  const directory = program.place === '' ? PROGRAM : `${PROGRAM}/${program.place}`
  const entry = normalizePath(options.entry ?? program.manifest.main ?? 'index.js')
  if (tree.get(`${directory}/${entry}`)?.type !== 'file') {
    throw refuse(`${quote(entry)}, which is to run, is not among the files of ${options.program}`)
  }
  return {
    ...{ tree, libraries, entry: `/${directory}/${entry}`, directory: `/${directory}` },
    ...{ name: program.manifest.name, version: program.manifest.version },
    packages: others
      .map(({ manifest: { name, version }, place }) => ({ name, version, place }))
      .sort((a, b) => (a.place < b.place ? -1 : 1)),
  }
}

/**
 * Puts a package's files into the tree: all of an installed one, of a folder that is worked in those that it would be
 * published with.
 *
 * @returns what of them may be loaded as an addon.
 */
async function addPackage(tree: FileTree, entry: ProgramPackage): Promise<Linked[]> {
  const { manifest, folder, place, installed } = entry
  const listed = manifest.files
  if (!installed && listed === undefined) {
    throw refuse(
      `${folder}/package.json has no files: what it does not list does not go into an image`,
    )
  }
  const files = await treeOfSome(folder, (path) => path !== 'node_modules' && path !== '.git')
  const addons: Linked[] = []
  let count = 0
  for (const [path, node] of files.entries()) {
    if (node.type === 'directory' || (!installed && !isPublished(path, manifest))) continue
    count++
    const target = [PROGRAM, place, path].filter((part) => part !== '').join('/')
    tree.put(target, node)
    if (node.type !== 'file' || !isAddon(path)) continue
    const bytes = await readBytes(node.content, 0, node.content.size)
    if (isElf(bytes)) addons.push({ path: target, bytes })
  }
  if (installed) return addons
  const plain = listed?.filter((name) => /^[\w.-]+\/?$/.test(name)) ?? []
  const lacking = plain.find((name) => files.get(normalizePath(name)) === undefined)
  if (lacking !== undefined || count < 2) {
    throw refuse(`${folder} has no ${lacking ?? 'files beside package.json'}: build it first`)
  }
  return addons
}

/** Whether a file may be one that Node or another addon loads. */
function isAddon(path: string): boolean {
  return /\.node$|\.so(?:\.\d+)*$/.test(path)
}

/** @throws {EifError} `ERR_EIF_SIMULATOR` where the simulator could be loaded: what it signs proves nothing. */
function refuseSimulator(packages: readonly ProgramPackage[]): void {
  const found = packages.find(
    ({ manifest, place }) =>
      manifest.name === SIMULATOR || place.endsWith(`node_modules/${SIMULATOR}`),
  )
  if (found === undefined) return
  throw new EifError(
    'ERR_EIF_SIMULATOR',
    `The program would bring ${SIMULATOR} into the enclave (${quote(found.place)}): make it a devDependency`,
  )
}

function file(bytes: Uint8Array, mode: number): FileNode {
  return { type: 'file', mode, uid: 0, gid: 0, mtime: 0, content: bytesSource(bytes) }
}

function refuse(message: string): EifError {
  return new EifError('ERR_EIF_PROGRAM', message)
}
