export { EifError, type EifErrorCode } from './error.ts'
export { blobSource, bytesSource, type BlobLike, type EifSource } from './source.ts'
export type { CreateHash, Sha384 } from './sha384.ts'
export { crc32, type Crc32 } from './crc32.ts'
export { computeInstancePcr, computePcr, computeRolePcr } from './pcr.ts'
export { describeImage, measureImage } from './describe.ts'
export type { DescribeImageOptions, EifDescription, EifPcrs } from './describe.ts'
export type { EifProgress, ImagePcrs } from './measurement.ts'
export type { EifArchitecture, EifHeader } from './header.ts'
export type { EifGap, EifSection, EifSectionType } from './section.ts'
export type { EifKernel } from './kernel.ts'
export type { EifCmdline } from './cmdline.ts'
export type { EifRamdisk } from './ramdisk-format.ts'
export type { Json, UnverifiedMetadata } from './metadata.ts'
export type { EifSignature, Subtle } from './signature.ts'
export type { Curve, SigningCertificate } from './signing-certificate.ts'
export type { EifFinding, EifNote, EifNoteCode, EifWarning, EifWarningCode } from './finding.ts'
export { diffReferenceValues, referenceValues } from './reference-values.ts'
export type {
  EifReferenceValues,
  PcrChange,
  PcrValue,
  ReferenceValuesDiff,
  ReferenceValuesOptions,
} from './reference-values.ts'
export { formatDescribeEif } from './format-describe-eif.ts'
export { sectionSource, sliceSource } from './section-source.ts'
export { memorySink, writeImage } from './write.ts'
export type { EifPart, EifSink, WriteImageOptions, WrittenImage } from './write.ts'
export { encodeMetadata, type BuildMetadata } from './build-metadata.ts'
export type { EifSigner, SignRequest } from './signer.ts'
export { readCpio, writeCpio, LINUXKIT_STYLE, REPRODUCIBLE_STYLE } from './cpio.ts'
export type { CpioEntry, CpioRecord, CpioStyle } from './cpio.ts'
export { FileTree } from './tree.ts'
export type { DirectoryNode, FileNode, SpecialNode, SymlinkNode, TreeNode } from './tree.ts'
export { readTar, type TarEntry } from './tar.ts'
export { addLayer, addTar } from './layer.ts'
export { nitroCliProcess, ociProcess } from './container-config.ts'
export type { ContainerConfig, EnclaveProcess } from './container-config.ts'
export {
  nitroCliApplicationEntries,
  nitroCliBootEntries,
  ociApplicationEntries,
  ociBootEntries,
  type BootFiles,
} from './ramdisk.ts'
