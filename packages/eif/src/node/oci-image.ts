import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContainerConfig } from '../container-config.ts'
import { EifError } from '../error.ts'
import type { EifArchitecture } from '../header.ts'
import { addLayer } from '../layer.ts'
import type { Json } from '../metadata.ts'
import { FileTree } from '../tree.ts'
import type { FileSource } from './file-source.ts'
import { unpackLayer } from './oci-layer.ts'
import { openLayout } from './oci-layout.ts'
import { ARCHITECTURES, findDockerSave, findOci } from './oci-manifest.ts'

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
      await addLayer(tree, await unpackLayer(layer, file, rootfs.diff_ids[index] as string, limit))
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
