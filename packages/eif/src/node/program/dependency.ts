import { realpath, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { EifError } from '../../error.ts'
import type { EifArchitecture } from '../../header.ts'
import { readManifest, type PackageManifest } from './package-manifest.ts'

/** A package that goes into the image. */
export interface ProgramPackage {
  readonly manifest: PackageManifest
  /** Where its files are. */
  readonly folder: string
  /** Where they stand in the image, below its folder for the program: `node_modules/a`; empty where it is the root. */
  readonly place: string
  /** Whether it lies in a node_modules, whole as it was published, or is a folder that is worked in. */
  readonly installed: boolean
}

interface Node extends Omit<ProgramPackage, 'place'> {
  /** Its path before links are followed: what Node's search for packages sees in the image. */
  readonly path: string
}

const MODULES = 'node_modules'

/**
 * The program's package and all that it needs in production, as Node finds them from its folder: each `dependencies` and
 * whatever is installed of `optionalDependencies` and of `peerDependencies` that are not optional, for Linux on the image's
 * architecture. Links of
 * a workspace are followed. The image keeps their places to one another.
 *
 * @throws {EifError} `ERR_EIF_PROGRAM` for a dependency that is not installed, or that the image's places do not lead to.
 */
export async function programPackages(
  program: string,
  architecture: EifArchitecture,
): Promise<ProgramPackage[]> {
  const start = await realpath(program).catch((cause: unknown) => {
    throw refuse(`${program} is not there`, cause)
  })
  const first = { path: start, folder: start, installed: false }
  const nodes: Node[] = [{ ...first, manifest: await readManifest(start) }]
  const needs: [from: Node, name: string, to: Node][] = []
  const byPath = new Map<string, Node>()
  for (const node of nodes) {
    const { dependencies, optional } = node.manifest
    for (const name of [...dependencies, ...optional].sort()) {
      const found = await findPackage(node, name, byPath)
      if (found === undefined) {
        if (!dependencies.includes(name)) continue
        throw refuse(`${node.manifest.name} needs ${name}, which is not installed: npm ci`)
      }
      let target = byPath.get(found.path)
      if (target === undefined) {
        target = { ...found, manifest: await readManifest(found.folder) }
        if (!target.manifest.suits(architecture)) {
          if (!dependencies.includes(name)) continue
          throw refuse(
            `${name}, which ${node.manifest.name} needs, is not for Linux on ${architecture}`,
          )
        }
        byPath.set(found.path, target)
        nodes.push(target)
      }
      needs.push([node, name, target])
    }
  }
  const root = commonFolder(nodes.map(({ path }) => path))
  for (const [from, name, to] of needs) checkPlace(from, name, to, byPath)
  return nodes.map(({ path, ...node }) => ({ ...node, place: slashes(relative(root, path)) }))
}

/** Looks for a package from the folder of another one upwards, as Node does. */
async function findPackage(
  from: Node,
  name: string,
  byPath: ReadonlyMap<string, Node>,
): Promise<Omit<Node, 'manifest'> | undefined> {
  for (let folder = from.folder; ; folder = dirname(folder)) {
    const candidate = join(folder, MODULES, name)
    if (await isFile(join(candidate, 'package.json'))) {
      const real = await realpath(candidate)
      const installed = relative(folder, real).split(sep).includes(MODULES)
      // What Node sees from the place in the image stays where it is; else it goes below the one that needs it.
      const visible = isWithin(from.path, folder) ? candidate : undefined
      const known = lookUp(from.path, name, byPath)
      const path = visible ?? (known?.folder === real ? known.path : join(from.path, MODULES, name))
      return { path, folder: real, installed }
    }
    if (folder === dirname(folder)) return undefined
  }
}

/** The package that Node finds from a path, of those that are known. */
function lookUp(from: string, name: string, byPath: ReadonlyMap<string, Node>): Node | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const seen = byPath.get(join(folder, MODULES, name))
    if (seen !== undefined || folder === dirname(folder)) return seen
  }
}

/** @throws {EifError} where Node, searching in the image, would find another package. */
function checkPlace(from: Node, name: string, to: Node, byPath: ReadonlyMap<string, Node>): void {
  if (lookUp(from.path, name, byPath)?.folder === to.folder) return
  throw refuse(`${from.manifest.name} would find another ${name} in the image than it does here`)
}

/** The innermost folder that holds all of them and is not itself inside of a node_modules that it must show. */
function commonFolder(paths: readonly string[]): string {
  let [root = ''] = paths
  for (const path of paths) while (!isWithin(path, root)) root = dirname(root)
  return root.replace(/\/node_modules(?:\/@[^/]+)?$/, '')
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}

function slashes(path: string): string {
  return path.split(sep).join('/')
}

function refuse(message: string, cause?: unknown): EifError {
  return new EifError('ERR_EIF_PROGRAM', message, { cause })
}
