import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EifError } from '../../error.ts'
import type { EifArchitecture } from '../../header.ts'
import { quote } from '../../tree.ts'
import { readElf } from './elf.ts'

const TRIPLETS: Readonly<Record<EifArchitecture, string>> = {
  x86_64: 'x86_64-linux-gnu',
  aarch64: 'aarch64-linux-gnu',
}

/** Where a loader of GNU looks, Debian's first, in its order. */
export function libraryFolders(architecture: EifArchitecture): string[] {
  const triplet = TRIPLETS[architecture]
  return [`/lib/${triplet}`, `/usr/lib/${triplet}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib']
}

/** A library that was found: where the loader of the image will find it, and what it is. */
export interface FoundLibrary {
  readonly name: string
  readonly path: string
  readonly bytes: Uint8Array
}

/** Gives the library of a name, or of the whole path that a program's interpreter has. */
export type ProvideLibrary = (name: string) => Promise<FoundLibrary>

/**
 * Looks for libraries in a root file system, `/` for this machine's own.
 *
 * @returns undefined where it has none of that name for the architecture.
 */
export async function findLibrary(
  root: string,
  name: string,
  architecture: EifArchitecture,
): Promise<FoundLibrary | undefined> {
  const paths = name.startsWith('/')
    ? [name]
    : libraryFolders(architecture).map((folder) => `${folder}/${name}`)
  for (const path of paths) {
    const bytes = await readFile(join(root, path)).catch(() => undefined)
    if (bytes === undefined) continue
    if (readElf(bytes, path).architecture !== architecture) continue
    return { name: name.slice(name.lastIndexOf('/') + 1), path, bytes }
  }
  return undefined
}

/** A program or library of the image, before what it links is looked for. */
export interface Linked {
  readonly path: string
  readonly bytes: Uint8Array
}

/** Addons for another C library; nothing of GNU's loads them. */
const FOREIGN = /^(?:libc\.musl-|ld-musl-)/

/**
 * All that programs and addons link, directly and through one another, and the loader that they ask for.
 *
 * @param own names that the program brings itself; a library beside an addon is found by the addon's own path.
 * @throws {EifError} `ERR_EIF_ELF`, and what `provide` throws.
 */
export async function linkedLibraries(
  files: readonly Linked[],
  architecture: EifArchitecture,
  own: ReadonlySet<string>,
  provide: ProvideLibrary,
): Promise<FoundLibrary[]> {
  const found = new Map<string, FoundLibrary>()
  const queue: Linked[] = [...files]
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const elf = readElf(file.bytes, file.path)
    if (elf.architecture !== architecture || elf.needed.some((name) => FOREIGN.test(name))) continue
    // The loader is linked by its name and asked for by its path; the path says where it must stand.
    const names = elf.interpreter === undefined ? elf.needed : [elf.interpreter, ...elf.needed]
    for (const name of names) {
      const base = name.slice(name.lastIndexOf('/') + 1)
      if (found.has(base) || own.has(base)) continue
      if (base === '' || (base !== name && !name.startsWith('/'))) {
        throw new EifError(
          'ERR_EIF_ELF',
          `${quote(file.path)} links ${quote(name)}, which is no name`,
        )
      }
      const library = await provide(name)
      found.set(base, library)
      queue.push(library)
    }
  }
  return [...found.values()]
}
