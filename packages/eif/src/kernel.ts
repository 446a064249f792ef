import type { EifArchitecture } from './header.ts'
import type { Findings } from './finding.ts'

/** What the kernel's own header says. */
export interface EifKernel {
  /** Bytes of the section. */
  readonly size: number
  /** SHA-384 of the section as hex: compare it, PCRs do not tell where the kernel ends. */
  readonly sha384: string
  readonly format: 'bzImage' | 'arm64-image' | 'unknown'
  /** `6.12.95`, as the kernel names itself; undefined where its header has no such text. */
  readonly release: string | undefined
}

const BZIMAGE_MAGIC = 0x5372_6448
const ARM64_MAGIC = 0x644d_5241

/** The oldest kernel that Node's documentation names. */
const NODE_MINIMUM = [4, 18] as const

/** Looks at the beginning of a kernel section (Documentation/arch/x86/boot.rst, arch/arm64/booting.rst). */
export function inspectKernel(
  beginning: Uint8Array,
  size: number,
  sha384: string,
  architecture: EifArchitecture,
  findings: Findings,
): EifKernel {
  const view = new DataView(beginning.buffer, beginning.byteOffset, beginning.length)
  let format: EifKernel['format'] = 'unknown'
  let release: string | undefined
  if (beginning.length >= 0x210 && view.getUint32(0x202, true) === BZIMAGE_MAGIC) {
    format = 'bzImage'
    release = readRelease(beginning, view.getUint16(0x20e, true) + 0x200)
    const setupSectors = (beginning[0x1f1] as number) || 4
    const length = (setupSectors + 1) * 512 + view.getUint32(0x1f4, true) * 16
    if (length !== size) {
      findings.warn(
        'kernel-length',
        `The kernel's header says ${length} bytes, its section has ${size}: bytes may have moved between sections, or a boot signature follows the kernel`,
      )
    }
  } else if (beginning.length >= 64 && view.getUint32(56, true) === ARM64_MAGIC) {
    format = 'arm64-image'
  } else {
    findings.note('kernel-format', 'The kernel is neither a bzImage nor an arm64 Image')
  }
  const expected = architecture === 'x86_64' ? 'bzImage' : 'arm64-image'
  if (format !== 'unknown' && format !== expected) {
    findings.warn(
      'kernel-architecture',
      `The header says ${architecture}, the kernel is a ${format}`,
    )
  }
  if (release !== undefined && isBelowNode(release)) {
    findings.note(
      'kernel-below-node',
      `Kernel ${release} is older than ${NODE_MINIMUM.join('.')}, the oldest that Node supports`,
    )
  }
  return { size, sha384, format, release }
}

function readRelease(beginning: Uint8Array, offset: number): string | undefined {
  let text = ''
  for (let index = offset; index < offset + 64; index++) {
    const byte = beginning[index]
    if (byte === undefined || byte <= 0x20 || byte > 0x7e) break
    text += String.fromCharCode(byte)
  }
  return /^\d+\.\d+/.test(text) ? text : undefined
}

/** Whether a release such as `4.14.256-209.484.amzn2` is below 4.18. */
function isBelowNode(release: string): boolean {
  const [major = 0, minor = 0] = release.split(/[^\d]/).map(Number)
  return major < NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor < NODE_MINIMUM[1])
}
