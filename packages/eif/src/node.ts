export { createSha384, describeFile, type DescribeFileOptions } from './node/describe-file.ts'
export { openFileSource, type FileSource } from './node/file-source.ts'
export {
  buildFile,
  NITRO_CLI_CMDLINE,
  type ApplicationFiles,
  type BuildFileOptions,
} from './node/build-file.ts'
export { openContainerImage } from './node/oci-image.ts'
export type { ContainerImage, ContainerImageOptions } from './node/oci-image.ts'
export { treeOfDirectory } from './node/directory-tree.ts'
export { pemSigner } from './node/pem-signer.ts'
export { ownInit } from './node/own-init.ts'
