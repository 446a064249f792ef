/** Every code that an {@link EifError} can carry. Codes are API: match them, not messages. */
export type EifErrorCode =
  /** The file ends inside of its header or of a section. */
  | 'ERR_EIF_TRUNCATED'
  /** The file does not begin with `.eif`. */
  | 'ERR_EIF_MAGIC'
  /** The version is not 2, 3 or 4. */
  | 'ERR_EIF_VERSION'
  /** The header counts fewer than 2 or more than 32 sections. */
  | 'ERR_EIF_SECTION_COUNT'
  /** A flag or field that the format reserves is not zero. */
  | 'ERR_EIF_RESERVED_BITS'
  /** The header puts a section outside of the file. */
  | 'ERR_EIF_OFFSET_OUT_OF_RANGE'
  /** Two sections, or a section and the header, share bytes. */
  | 'ERR_EIF_OVERLAP'
  /** The header does not list the sections in file order, or a ramdisk stands before the kernel. */
  | 'ERR_EIF_SECTION_ORDER'
  /** A section has type 0, or a type that version 4 does not know. */
  | 'ERR_EIF_INVALID_SECTION'
  /** The header and the section itself give different sizes. */
  | 'ERR_EIF_SIZE_MISMATCH'
  /** A second kernel, command line, metadata or signature section. */
  | 'ERR_EIF_DUPLICATE_SECTION'
  /** No kernel or no command line, or no metadata in version 4. */
  | 'ERR_EIF_MISSING_SECTION'
  /** Bytes follow the last section. */
  | 'ERR_EIF_TRAILING_BYTES'
  /** The checksum in the header is not that of the file. */
  | 'ERR_EIF_CRC'
  /** The signature section is too large, or does not hold a certificate and a signature, so that PCR8 is unknown. */
  | 'ERR_EIF_SIGNATURE'
  /** Reference values were asked of an image that the inspector warned about, without `allowDoubtful`. */
  | 'ERR_EIF_DOUBTFUL'
  /** The source gave fewer bytes than its size promises, or failed; see `cause`. */
  | 'ERR_EIF_READ'
  /** A tar archive is damaged, or holds what this reader does not take. */
  | 'ERR_EIF_TAR'
  /** A path of an archive leads out of it: absolute, with `..`, or through a symbolic link. */
  | 'ERR_EIF_PATH'
  /** An entry that a ramdisk cannot hold: an unknown type, a name too long, a hard link to nothing. */
  | 'ERR_EIF_ENTRY'
  /** A cpio archive is damaged. */
  | 'ERR_EIF_CPIO'
  /** An OCI layout or `docker save` archive is incomplete, or a blob does not have its digest. */
  | 'ERR_EIF_OCI'
  /** The container image has a configuration that cannot be followed: no command, an unknown user. */
  | 'ERR_EIF_OCI_CONFIG'
  /** The image to build is impossible: an empty kernel, a NUL in the command line, metadata too large. */
  | 'ERR_EIF_BUILD'
  /** The signing key, its certificate and the signature do not belong together. */
  | 'ERR_EIF_SIGNER'
  /** A program cannot be followed: no package.json, no entry, a dependency that is not installed. */
  | 'ERR_EIF_PROGRAM'
  /** The program would bring `@enclavejs/simulator` into an enclave. */
  | 'ERR_EIF_SIMULATOR'
  /** An ELF file is damaged, or for another machine. */
  | 'ERR_EIF_ELF'
  /** A shared library that the program links cannot be had. */
  | 'ERR_EIF_LIBRARY'
  /** There is no lock, or what is here is not what it pins. */
  | 'ERR_EIF_LOCK'
  /** The configuration of the kernel lacks what an enclave needs. */
  | 'ERR_EIF_KERNEL_CONFIG'

/** Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`). */
export class EifError extends Error {
  readonly code: EifErrorCode

  constructor(code: EifErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'EifError'
    this.code = code
  }
}
