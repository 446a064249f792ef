import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { ContainerConfig } from '../container-config.ts'
import { EifError } from '../error.ts'
import type { EifArchitecture } from '../header.ts'
import { addLayer } from '../layer.ts'
import type { Json } from '../metadata.ts'
import { readBytes, readChunks, type EifSource } from '../source.ts'
import { readTar } from '../tar.ts'
import { FileTree, normalizePath } from '../tree.ts'
import { lazyFile } from './directory-tree.ts'
import { openFileSource, type FileSource } from './file-source.ts'

/** A container image that was unpacked. Its files are read from the archive, or from a folder that `close` deletes. */
export interface ContainerImage extends AsyncDisposable {
  readonly tree: FileTree
  readonly config: ContainerConfig
  readonly architecture: EifArchitecture
  /** Digest of the configuration, `sha256:…`: what Docker calls the image's id. */
  readonly id: string
  /** The name that the image was saved under, if any. */
  readonly name: string | undefined
  close(): Promise<void>
}

/** Options of {@link openContainerImage}. */
export interface ContainerImageOptions {
  /** Which of several images: a name with tag (`app:1.0`), an OCI reference name (`1.0`) or a digest (`sha256:…`). */
  readonly reference?: string
  /** Which platform of an image for several. Default `x86_64`. */
  readonly architecture?: EifArchitecture
  /** Most bytes that one layer may unpack to. Default 4 GiB. */
  readonly maxLayerSize?: number
}

/** Opens a file of the layout by its path there; undefined where there is none. */
type OpenEntry = (path: string) => Promise<EifSource | undefined>

interface Descriptor {
  readonly digest: string
  readonly size: number
  readonly mediaType: string
  readonly platform?: { readonly architecture?: string; readonly os?: string }
  readonly annotations?: { readonly [key: string]: string }
}

const ARCHITECTURES: Readonly<Record<string, EifArchitecture>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
}
const MAX_JSON = 8 << 20
const REF_NAME = 'org.opencontainers.image.ref.name'
const IMAGE_NAME = 'io.containerd.image.name'

/**
 * Opens a container image: an OCI image layout (a directory, or a tar of one) or what `docker save` writes. Every blob is
 * held against its digest, and every layer against its diff id.
 *
 * @throws {EifError} `ERR_EIF_OCI`, and `ERR_EIF_TAR`, `_PATH`, `_ENTRY` for what a layer holds.
 */
export async function openContainerImage(
  path: string,
  options: ContainerImageOptions = {},
): Promise<ContainerImage> {
  const folder = await mkdtemp(join(tmpdir(), 'enclavejs-eif-'))
  const files: FileSource[] = []
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const openEntry = await openLayout(path, files)
    const found = (await findOci(openEntry, options)) ?? (await findDockerSave(openEntry, options))
    if (found === undefined) {
      throw refuse(`${path} has neither an index.json nor a manifest.json at its root`)
    }
    const tree = new FileTree()
    const { rootfs, config = {}, architecture } = found.config
    if (rootfs?.diff_ids?.length !== found.layers.length) {
      throw refuse('The configuration and the manifest count different layers')
    }
    for (const [index, layer] of found.layers.entries()) {
      const limit = options.maxLayerSize ?? 2 ** 32
      const file = join(folder, `${index}.tar`)
      await addLayer(tree, await unpack(layer, file, rootfs.diff_ids[index] as string, limit))
    }
    const eif = ARCHITECTURES[architecture ?? '']
    if (eif === undefined)
      throw refuse(`Architecture amd64 or arm64 expected, ${architecture} seen`)
    if (options.architecture !== undefined && options.architecture !== eif) {
      throw refuse(`An image for ${options.architecture} expected, one for ${eif} seen`)
    }
    return {
      tree,
      config: {
        entrypoint: strings(config['Entrypoint'], 'Entrypoint'),
        cmd: strings(config['Cmd'], 'Cmd'),
        env: strings(config['Env'], 'Env'),
        workingDir: string(config['WorkingDir'], 'WorkingDir'),
        user: string(config['User'], 'User'),
      },
      architecture: eif,
      id: found.id,
      name: found.name,
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function openLayout(path: string, files: FileSource[]): Promise<OpenEntry> {
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

interface ImageConfig {
  readonly architecture?: string
  readonly config?: { readonly [key: string]: Json }
  readonly rootfs?: { readonly diff_ids: readonly string[] }
}

interface Found {
  readonly id: string
  readonly name: string | undefined
  readonly config: ImageConfig
  readonly layers: readonly EifSource[]
}

async function findOci(
  open: OpenEntry,
  options: ContainerImageOptions,
): Promise<Found | undefined> {
  const index = await open('index.json')
  if (index === undefined) return undefined
  const { manifests } = (await readJson(index, 'index.json')) as { manifests?: Descriptor[] }
  let candidates = manifests ?? []
  const { reference } = options
  if (reference !== undefined) {
    candidates = candidates.filter(
      ({ digest, annotations }) =>
        digest === reference ||
        annotations?.[REF_NAME] === reference ||
        annotations?.[IMAGE_NAME] === reference ||
        annotations?.[IMAGE_NAME]?.endsWith(`/${reference}`),
    )
  }
  const name = candidates[0]?.annotations?.[IMAGE_NAME] ?? candidates[0]?.annotations?.[REF_NAME]
  for (let depth = 0; depth < 4; depth++) {
    const descriptor = choose(candidates, options.architecture ?? 'x86_64')
    const manifest = (await readJson(await openBlob(open, descriptor), descriptor.digest)) as {
      manifests?: Descriptor[]
      config?: Descriptor
      layers?: Descriptor[]
    }
    if (manifest.manifests !== undefined) {
      candidates = manifest.manifests
      continue
    }
    if (manifest.config === undefined || !Array.isArray(manifest.layers)) {
      throw refuse(`${descriptor.digest} is no image manifest`)
    }
    const config = await readJson(await openBlob(open, manifest.config), manifest.config.digest)
    const layers: EifSource[] = []
    for (const layer of manifest.layers) layers.push(await openBlob(open, layer))
    return { id: manifest.config.digest, name, config: config as ImageConfig, layers }
  }
  throw refuse('An index of indexes of indexes')
}

function choose(candidates: readonly Descriptor[], architecture: EifArchitecture): Descriptor {
  const fitting = candidates.filter(
    ({ platform }) =>
      platform === undefined ||
      (platform.os === 'linux' && ARCHITECTURES[platform.architecture ?? ''] === architecture),
  )
  const [first] = fitting
  if (first === undefined) throw refuse(`No image for linux on ${architecture} in it`)
  if (new Set(fitting.map(({ digest }) => digest)).size > 1) {
    throw refuse(`${fitting.length} images in it; the option reference says which one`)
  }
  return first
}

async function openBlob(open: OpenEntry, { digest, size }: Descriptor): Promise<EifSource> {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1]
  if (hex === undefined) throw refuse(`The digest ${JSON.stringify(digest)} is no sha256:…`)
  const blob = await open(`blobs/sha256/${hex}`)
  if (blob === undefined) throw refuse(`The blob ${digest} is missing`)
  if (blob.size !== size) throw refuse(`The blob ${digest} has ${blob.size} bytes, not ${size}`)
  const hash = createHash('sha256')
  for await (const chunk of readChunks(blob, 0, blob.size)) hash.update(chunk)
  if (hash.digest('hex') !== hex) throw refuse(`The blob ${digest} does not have its digest`)
  return blob
}

async function findDockerSave(
  open: OpenEntry,
  { reference }: ContainerImageOptions,
): Promise<Found | undefined> {
  const file = await open('manifest.json')
  if (file === undefined) return undefined
  const images = (await readJson(file, 'manifest.json')) as {
    Config: string
    RepoTags: string[] | null
    Layers: string[]
  }[]
  const fitting = images.filter(
    ({ RepoTags }) => reference === undefined || RepoTags?.includes(reference),
  )
  const [image] = fitting
  if (image === undefined || fitting.length > 1) {
    throw refuse(`${fitting.length} images fit; the option reference says which one`)
  }
  const config = await open(image.Config)
  if (config === undefined) throw refuse(`${image.Config} is missing`)
  const bytes = await readBytes(config, 0, Math.min(config.size, MAX_JSON))
  const layers: EifSource[] = []
  for (const path of image.Layers) {
    const layer = await open(path)
    if (layer === undefined) throw refuse(`The layer ${path} is missing`)
    layers.push(layer)
  }
  return {
    id: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    name: image.RepoTags?.[0],
    config: (await readJson(config, image.Config)) as ImageConfig,
    layers,
  }
}

/** The layer as a plain tar whose SHA-256 is its diff id; a compressed one is unpacked into a file. */
async function unpack(
  layer: EifSource,
  file: string,
  diffId: string,
  limit: number,
): Promise<EifSource> {
  const start = await readBytes(layer, 0, Math.min(4, layer.size))
  const magic = Buffer.from(start).toString('hex')
  const hash = createHash('sha256')
  let size = 0
  const count = async function* (stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      size += chunk.length
      if (size > limit) throw refuse(`A layer unpacks to more than ${limit} bytes`)
      hash.update(chunk)
      yield chunk
    }
  }
  let plain = layer
  const compressed = magic.startsWith('1f8b') || magic === '28b52ffd'
  try {
    if (compressed) {
      const decompress = magic === '28b52ffd' ? createZstdDecompress() : createGunzip()
      const copies = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of readChunks(layer, 0, layer.size)) yield Uint8Array.from(chunk)
      }
      await pipeline(Readable.from(copies()), decompress, count, createWriteStream(file))
      plain = lazyFile(file, size)
    } else {
      for await (const _ of count(readChunks(layer, 0, layer.size)));
    }
  } catch (cause) {
    if (cause instanceof EifError) throw cause
    throw new EifError('ERR_EIF_OCI', `A layer cannot be unpacked: ${(cause as Error).message}`, {
      cause,
    })
  }
  const seen = `sha256:${hash.digest('hex')}`
  if (seen !== diffId) throw refuse(`A layer has the diff id ${seen}, not ${String(diffId)}`)
  return plain
}

async function readJson(source: EifSource, name: string): Promise<unknown> {
  if (source.size > MAX_JSON) throw refuse(`${name} has more than ${MAX_JSON} bytes`)
  try {
    const text = new TextDecoder('utf-8', { fatal: true })
    const json: unknown = JSON.parse(text.decode(await readBytes(source, 0, source.size)))
    if (typeof json !== 'object' || json === null) throw new Error('no object')
    return json
  } catch (cause) {
    throw new EifError('ERR_EIF_OCI', `${name} is not the JSON expected`, { cause })
  }
}

function strings(json: Json | undefined, name: string): string[] | undefined {
  if (json === undefined || json === null) return undefined
  if (Array.isArray(json) && json.every((item): item is string => typeof item === 'string')) {
    return json
  }
  throw refuse(`${name} is no list of strings`)
}

function string(json: Json | undefined, name: string): string | undefined {
  if (json === undefined || json === null || json === '') return undefined
  if (typeof json === 'string') return json
  throw refuse(`${name} is no string`)
}

function refuse(message: string): EifError {
  return new EifError('ERR_EIF_OCI', message)
}
