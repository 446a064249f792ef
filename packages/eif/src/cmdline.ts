import { printable } from './bytes.ts'
import type { Findings } from './finding.ts'

/** The kernel's command line. */
export interface EifCmdline {
  /** For people: control characters are escaped, and a long text is cut. */
  readonly text: string
  /** Bytes of the section. */
  readonly size: number
  /** SHA-384 of the section as hex. */
  readonly sha384: string
}

/** COMMAND_LINE_SIZE of x86 and arm64 with the NUL that the section does not have. */
const KERNEL_LIMIT = 2047

/** Words that change what boots or which defences are on. */
const REVIEW: readonly RegExp[] = [
  /^rdinit=/,
  /^initrd=/,
  /^nokaslr$/,
  /^mitigations=off/,
  /^module_blacklist=/,
  /^initcall_blacklist=/,
  /^single$|^emergency$|^S$/,
  /^(?:systemd\.)?debug[-_]shell/,
  /^kgdboc=|^kgdbwait|^ekgdboc=/,
  /^(?:no)?(?:smep|smap|pti)(?:=off)?$/,
  /^spectre_v2=off|^spec_store_bypass_disable=off|^l1tf=off|^mds=off/,
  /^lsm=|^selinux=0|^apparmor=0/,
  /^random\.trust_bootloader=/,
  /^nsm\./,
]

const CONSOLES = ['ttyS0', 'tty0', 'hvc0']

export function inspectCmdline(
  bytes: Uint8Array,
  size: number,
  sha384: string,
  findings: Findings,
): EifCmdline {
  const odd = bytes.findIndex((byte) => byte < 0x20 || byte > 0x7e)
  if (odd !== -1) {
    findings.warn(
      'cmdline-control-bytes',
      `Byte ${odd} of the command line is 0x${(bytes[odd] as number).toString(16).padStart(2, '0')}: all of it is measured, the kernel may see less or something else`,
    )
  }
  if (size > KERNEL_LIMIT) {
    findings.warn(
      'cmdline-length',
      `The command line has ${size} bytes; the kernel keeps ${KERNEL_LIMIT}`,
    )
  }
  const whole = new TextDecoder('latin1').decode(bytes)
  const review: string[] = []
  for (const word of whole.split(/[\s\0"]+/)) {
    const strange = word.startsWith('console=') && !CONSOLES.includes(consoleOf(word))
    if (strange || REVIEW.some((pattern) => pattern.test(word))) {
      review.push(printable(word, 80))
    } else if (word.startsWith('init=')) {
      findings.note(
        'cmdline-init',
        `The command line has ${printable(word, 80)}, which the kernel heeds only where no ramdisk has an /init`,
      )
    }
  }
  if (review.length > 0) {
    findings.warn('cmdline-review', `The command line has ${printable(review.join(' '), 400)}`)
  }
  return { text: printable(whole, 4096), size, sha384 }
}

function consoleOf(word: string): string {
  return word.slice('console='.length).split(',')[0] as string
}
