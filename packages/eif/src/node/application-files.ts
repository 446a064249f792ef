import type { ContainerConfig } from '../container-config.ts'
import type { EifArchitecture } from '../header.ts'
import { addTar } from '../layer.ts'
import { FileTree } from '../tree.ts'
import { treeOfDirectory } from './directory-tree.ts'
import { openFileSource } from './file-source.ts'
import { openContainerImage } from './oci-image.ts'

/** Where the application's files come from: exactly one of the four. */
export interface ApplicationFiles {
  /** A container image: an OCI layout (directory or tar), or what `docker save` writes. */
  readonly image?: string
  /** Which image of several in it. */
  readonly reference?: string
  /** A directory that becomes the root file system; owners, times and permissions are normalised. */
  readonly directory?: string
  /** A tar archive that becomes the root file system. */
  readonly tar?: string
  /** A root file system that was put together already. */
  readonly tree?: FileTree
}

/** A root file system, and what its container image says of it. */
export interface Application {
  readonly tree: FileTree
  readonly config: ContainerConfig
  readonly architecture: EifArchitecture | undefined
  readonly id: string | undefined
  readonly name: string | undefined
}

/** What must be closed when the image is written. */
export type Opened = { close(): Promise<void> }[]

/** Opens the application's files; what stays open is added to `opened`. */
export async function openApplication(
  files: ApplicationFiles,
  given: Partial<ContainerConfig> | undefined,
  wanted: EifArchitecture | undefined,
  opened: Opened,
): Promise<Application> {
  const { image, directory, tar, tree, reference } = files
  if ([image, directory, tar, tree].filter((one) => one !== undefined).length !== 1) {
    throw new TypeError('application must have one of image, directory, tar and tree')
  }
  if (image !== undefined) {
    const container = await openContainerImage(image, {
      ...(reference !== undefined && { reference }),
      ...(wanted && { architecture: wanted }),
    })
    opened.push(container)
    return {
      tree: container.tree,
      config: { ...container.config, ...given },
      architecture: container.architecture,
      id: container.id.replace('sha256:', ''),
      name: container.name?.replace(/:[^/:]*$/, ''),
    }
  }
  const root = tree ?? (directory === undefined ? new FileTree() : await treeOfDirectory(directory))
  if (tar !== undefined) {
    const archive = await openFileSource(tar)
    opened.push(archive)
    await addTar(root, archive)
  }
  const empty = { entrypoint: undefined, cmd: undefined, env: undefined }
  const config = { ...empty, workingDir: undefined, user: undefined, ...given }
  return { tree: root, config, architecture: undefined, id: undefined, name: undefined }
}
