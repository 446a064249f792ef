import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { tarOf, type TarFixture } from './archive.ts'

/** A container image that a test makes. */
export interface ImageFixture {
  readonly layers: readonly (readonly TarFixture[])[]
  readonly config?: Readonly<Record<string, unknown>>
  readonly architecture?: string
  readonly compress?: 'gzip' | 'zstd'
  /** Bytes that are cut off the end of each compressed layer. */
  readonly cut?: number
  /** What the configuration says in the place of the true diff ids. */
  readonly diffIds?: readonly string[]
}

export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const blobPath = (digest: string): string => `blobs/sha256/${digest.slice(7)}`
const compressed = (layer: Buffer, { compress, cut = 0 }: ImageFixture): Buffer => {
  const bytes =
    compress === 'gzip' ? gzipSync(layer) : compress === 'zstd' ? zstdCompressSync(layer) : layer
  return bytes.subarray(0, bytes.length - cut)
}

/** The files of an OCI image layout, by path. Each image has the reference name `NUMBER`. */
export function ociLayout(...images: readonly ImageFixture[]): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  const blob = (bytes: Buffer, mediaType: string): object => {
    const digest = sha256(bytes)
    files.set(blobPath(digest), bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const manifests = images.map((image, index) => {
    const plain = image.layers.map((layer) => tarOf(layer))
    const config = blob(configOf(image, plain), 'application/vnd.oci.image.config.v1+json')
    const layers = plain.map((layer) =>
      blob(compressed(layer, image), 'application/vnd.oci.image.layer.v1.tar'),
    )
    const manifest = json({ schemaVersion: 2, config, layers })
    const platform = { os: 'linux', architecture: image.architecture ?? 'amd64' }
    const annotations = { 'org.opencontainers.image.ref.name': String(index) }
    return {
      ...blob(manifest, 'application/vnd.oci.image.manifest.v1+json'),
      platform,
      annotations,
    }
  })
  files.set('oci-layout', json({ imageLayoutVersion: '1.0.0' }))
  files.set('index.json', json({ schemaVersion: 2, manifests }))
  return files
}

function configOf(image: ImageFixture, plain: readonly Buffer[]): Buffer {
  return json({
    architecture: image.architecture ?? 'amd64',
    os: 'linux',
    config: image.config ?? {},
    rootfs: { type: 'layers', diff_ids: image.diffIds ?? plain.map(sha256) },
  })
}

/** The files of what older versions of `docker save` write. */
export function dockerSave(tag: string, image: ImageFixture): Map<string, Buffer> {
  const plain = image.layers.map((layer) => tarOf(layer))
  const config = configOf(image, plain)
  const name = `${sha256(config).slice(7)}.json`
  const files = new Map(plain.map((layer, index) => [`${index}/layer.tar`, layer]))
  files.set(name, config)
  const layers = [...plain.keys()].map((index) => `${index}/layer.tar`)
  files.set('manifest.json', json([{ Config: name, RepoTags: [tag], Layers: layers }]))
  return files
}

export async function writeFolder(
  folder: string,
  files: ReadonlyMap<string, Buffer>,
): Promise<string> {
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), bytes)
  }
  return folder
}

export async function writeArchive(
  file: string,
  files: ReadonlyMap<string, Buffer>,
): Promise<string> {
  await writeFile(file, tarOf([...files].map(([path, data]) => ({ path, data }))))
  return file
}
