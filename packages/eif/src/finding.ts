/** What makes an image doubtful. It may still be measured; reference values need `allowDoubtful`. */
export type EifWarningCode =
  /** Bytes between sections: `nitro-cli` reads them, the hypervisor does not, so the two may see different images. */
  | 'gap'
  /** Sections in an order that no known builder writes. */
  | 'unusual-order'
  /** Flags of 2026 (bits 6 and 9), with which PCR0 may be computed differently. */
  | 'new-flags'
  /** A section that this version of the format does not have yet. */
  | 'section-version'
  /** No ramdisk: the hypervisor's rules allow it, QEMU refuses it. */
  | 'no-ramdisk'
  /** The command line holds NUL, control or non-ASCII bytes; what the kernel sees ends at a NUL. */
  | 'cmdline-control-bytes'
  /** The command line is longer than the kernel keeps (2047 bytes). */
  | 'cmdline-length'
  /** The command line has a word that a reviewer must know of, such as `rdinit=`. */
  | 'cmdline-review'
  /** The kernel's own header gives it another length than its section: bytes may have moved into or out of it. */
  | 'kernel-length'
  /** The kernel is for another architecture than the header says. */
  | 'kernel-architecture'
  /** An uncompressed ramdisk does not begin at a multiple of 4, and the kernel will not unpack it. */
  | 'ramdisk-alignment'
  /** The metadata is no JSON object, or too large to look at. */
  | 'metadata-unreadable'
  /** The signature section has several entries, of which only the first counts. */
  | 'multiple-signatures'
  /** The signature section is not encoded as `nitro-cli` does it; QEMU and `nitro-cli` refuse it. */
  | 'signature-encoding'
  /** The signature is good, but for another PCR0 or another register. */
  | 'signature-payload-mismatch'
  /** The signature does not verify, or is no COSE_Sign1 that could. */
  | 'signature-invalid'
  /** The signing certificate's validity has ended: `run-enclave` refuses the image. */
  | 'certificate-expired'
  /** The signing certificate's validity has not begun: `run-enclave` refuses the image. */
  | 'certificate-not-yet-valid'
  /** The signing certificate cannot be read further than its length. */
  | 'certificate-unreadable'

/** What is worth knowing and true of good images too. */
export type EifNoteCode =
  /** The header and the metadata are not measured: whoever hands over the file can write anything there. */
  | 'unmeasured-metadata'
  /** Boundaries are not measured: bytes can move between kernel and command line without any PCR changing. */
  | 'unmeasured-boundaries'
  /** PCR8 is the hash of a certificate; nothing says who issued it. */
  | 'certificate-path'
  /** The kernel is neither a bzImage nor an arm64 Image. */
  | 'kernel-format'
  /** The kernel is older than the oldest that Node supports (4.18). */
  | 'kernel-below-node'
  /** `init=` is on the command line; the kernel heeds it only where no ramdisk has an `/init`. */
  | 'cmdline-init'

/** One finding: `code` is API, `message` is for people. */
export interface EifFinding<Code extends string = string> {
  readonly code: Code
  readonly message: string
}

export type EifWarning = EifFinding<EifWarningCode>
export type EifNote = EifFinding<EifNoteCode>

/** Where inspectors put what they find. */
export class Findings {
  readonly warnings: EifWarning[] = []
  readonly notes: EifNote[] = []

  warn(code: EifWarningCode, message: string): void {
    this.warnings.push({ code, message })
  }

  note(code: EifNoteCode, message: string): void {
    this.notes.push({ code, message })
  }
}
