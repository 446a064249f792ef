export { createSha384, describeFile, type DescribeFileOptions } from './node/describe-file.ts'
export { openFileSource, type FileSource } from './node/file-source.ts'
export { buildFile, NITRO_CLI_CMDLINE, type BuildFileOptions } from './node/build-file.ts'
export type { ApplicationFiles } from './node/application-files.ts'
export type { Compression } from './node/compression.ts'
export { openContainerImage } from './node/oci-image.ts'
export type { ContainerImage, ContainerImageOptions } from './node/oci-image.ts'
export { treeOfDirectory } from './node/directory-tree.ts'
export { pemSigner } from './node/pem-signer.ts'
export { ownInit } from './node/own-init.ts'
export {
  buildProgram,
  PROGRAM_CMDLINE,
  type BuildProgramOptions,
  type ProgramImage,
} from './node/program/build-program.ts'
export type { BuildLock, LockedLibrary, LockedPackage } from './node/program/build-lock.ts'
