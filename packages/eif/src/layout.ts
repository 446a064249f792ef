import type { Findings } from './finding.ts'
import { PCIE_FLAGS, type EifHeader } from './header.ts'
import type { EifGap, EifSection } from './section.ts'

/** Looks at which sections there are, in which order, and at what lies between them. */
export function inspectLayout(
  header: EifHeader,
  sections: readonly EifSection[],
  gaps: readonly EifGap[],
  findings: Findings,
): void {
  for (const { offset, size } of gaps) {
    findings.warn(
      'gap',
      `${size} bytes from byte ${offset} on belong to no section: nitro-cli reads them, the hypervisor does not`,
    )
  }
  const order = sections.map(({ type }) => type[0]).join('')
  // kernel, cmdline, metadata, ramdisks, signature as nitro-cli writes it; QEMU puts the metadata behind the ramdisks.
  if (!/^kc(?:m?r*|r*m)s?$/.test(order)) {
    findings.warn(
      'unusual-order',
      `Sections in an order that no known builder writes: ${sections.map(({ type }) => type).join(', ')}`,
    )
  }
  if ((header.flags & PCIE_FLAGS) !== 0) {
    findings.warn(
      'new-flags',
      `Flags 0x${header.flags.toString(16)} are newer than the specification; PCR0 may be computed differently with them`,
    )
  }
  for (const [type, since] of [
    ['signature', 3],
    ['metadata', 4],
  ] as const) {
    if (header.version < since && sections.some((section) => section.type === type)) {
      findings.warn('section-version', `A ${type} section exists since version ${since} only`)
    }
  }
  if (!order.includes('r')) findings.warn('no-ramdisk', 'The image has no ramdisk')
  findings.note(
    'unmeasured-metadata',
    'Header and metadata are not measured: they say what the writer of the file wanted',
  )
  findings.note(
    'unmeasured-boundaries',
    'No PCR tells where the kernel ends and the command line begins: compare their SHA-384 too',
  )
}
