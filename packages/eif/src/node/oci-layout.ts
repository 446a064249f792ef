import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EifError } from '../error.ts'
import { readBytes, type EifSource } from '../source.ts'
import { readTar } from '../tar.ts'
import { normalizePath } from '../tree.ts'
import { lazyFile } from './directory-tree.ts'
import { openFileSource, type FileSource } from './file-source.ts'

/** Opens a file of the layout by its path there; undefined where there is none. */
export type OpenEntry = (path: string) => Promise<EifSource | undefined>

/** The most that is read of a JSON file of a layout. */
export const MAX_JSON: number = 8 << 20

/** Opens a layout: a directory, or a tar of one, which is added to `files`. */
export async function openLayout(path: string, files: FileSource[]): Promise<OpenEntry> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw new EifError('ERR_EIF_READ', `Cannot read ${path}`, { cause })
  })
  if (stats.isDirectory()) {
    return async (name) => {
      const file = join(path, normalizePath(name))
      const entry = await stat(file).catch(() => undefined)
      return entry?.isFile() ? lazyFile(file, entry.size) : undefined
    }
  }
  const archive = await openFileSource(path)
  files.push(archive)
  const entries = new Map<string, EifSource>()
  const links: [string, string][] = []
  for await (const { path: name, type, content, target } of readTar(archive)) {
    const place = normalizePath(name)
    if (type === 'file') entries.set(place, content)
    // Old versions of `docker save` write a layer that two images share as a link.
    else if (type === 'link') links.push([place, normalizePath(target)])
    else if (type === 'symlink') {
      const folder = place.split('/').slice(0, -1)
      for (const part of target.split('/')) {
        if (part === '..') folder.pop()
        else folder.push(part)
      }
      links.push([place, folder.join('/')])
    }
  }
  for (const [place, target] of links) {
    const content = entries.get(target)
    if (content !== undefined) entries.set(place, content)
  }
  return async (name) => entries.get(normalizePath(name))
}

/** @throws {EifError} `ERR_EIF_OCI` when it is too large or no JSON object. */
export async function readJson(source: EifSource, name: string): Promise<unknown> {
  if (source.size > MAX_JSON) {
    throw new EifError('ERR_EIF_OCI', `${name} has more than ${MAX_JSON} bytes`)
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true })
    const json: unknown = JSON.parse(text.decode(await readBytes(source, 0, source.size)))
    if (typeof json !== 'object' || json === null) throw new Error('no object')
    return json
  } catch (cause) {
    throw new EifError('ERR_EIF_OCI', `${name} is not the JSON expected`, { cause })
  }
}
