import { createHash } from 'node:crypto'
import { EifError } from '../error.ts'
import type { EifArchitecture } from '../header.ts'
import type { Json } from '../metadata.ts'
import { readBytes, readChunks, type EifSource } from '../source.ts'
import type { ContainerImageOptions } from './oci-image.ts'
import { MAX_JSON, readJson, type OpenEntry } from './oci-layout.ts'

interface Descriptor {
  readonly digest: string
  readonly size: number
  readonly mediaType: string
  readonly platform?: { readonly architecture?: string; readonly os?: string }
  readonly annotations?: { readonly [key: string]: string }
}

/** Names of the OCI image-spec (GOARCH) for those of this package. */
export const ARCHITECTURES: Readonly<Record<string, EifArchitecture>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
}
const REF_NAME = 'org.opencontainers.image.ref.name'
const IMAGE_NAME = 'io.containerd.image.name'

/** What is read of an image's configuration. */
interface ImageConfig {
  readonly architecture?: string
  readonly config?: { readonly [key: string]: Json }
  readonly rootfs?: { readonly diff_ids: readonly string[] }
}

/** One image of a layout. */
export interface FoundImage {
  readonly id: string
  readonly name: string | undefined
  readonly config: ImageConfig
  readonly layers: readonly EifSource[]
}

/** Finds the image of an OCI layout; undefined where there is no `index.json`. */
export async function findOci(
  open: OpenEntry,
  options: ContainerImageOptions,
): Promise<FoundImage | undefined> {
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

/** Finds the image of what `docker save` writes; undefined where there is no `manifest.json`. */
export async function findDockerSave(
  open: OpenEntry,
  { reference }: ContainerImageOptions,
): Promise<FoundImage | undefined> {
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

function refuse(message: string): EifError {
  return new EifError('ERR_EIF_OCI', message)
}
