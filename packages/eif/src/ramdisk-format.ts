import type { Findings } from './finding.ts'
import type { EifSection } from './section.ts'

/** One ramdisk, as far as its beginning tells. */
export interface EifRamdisk {
  /** Bytes of the section. */
  readonly size: number
  readonly format:
    'cpio' | 'gzip' | 'zstd' | 'xz' | 'lzma' | 'lz4' | 'lzo' | 'bzip2' | 'empty' | 'unknown'
}

/** How the kernel tells them apart (lib/decompress.c, init/initramfs.c). */
const BEGINNINGS: readonly (readonly [EifRamdisk['format'], string])[] = [
  ['cpio', '070701'],
  ['cpio', '070702'],
  ['gzip', '\x1f\x8b'],
  ['zstd', '\x28\xb5\x2f\xfd'],
  ['xz', '\xfd7zXZ'],
  ['lzma', '\x5d\x00\x00'],
  ['lz4', '\x02\x21\x4c\x18'],
  ['lzo', '\x89LZO'],
  ['bzip2', 'BZh'],
]

/** Looks at how each ramdisk begins, and at where it will lie in the kernel's one initramfs buffer. */
export function inspectRamdisks(
  sections: readonly EifSection[],
  beginnings: readonly Uint8Array[],
  findings: Findings,
): EifRamdisk[] {
  const ramdisks: EifRamdisk[] = []
  let offset = 0
  for (const [index, { type, size }] of sections.entries()) {
    if (type !== 'ramdisk') continue
    const start = String.fromCharCode(...(beginnings[index] as Uint8Array))
    const known = BEGINNINGS.find(([, magic]) => start.startsWith(magic))
    const format = size === 0 ? 'empty' : (known?.[0] ?? 'unknown')
    if (format === 'cpio' && offset % 4 !== 0) {
      findings.warn(
        'ramdisk-alignment',
        `Ramdisk ${ramdisks.length} is not compressed and begins at byte ${offset} of the initramfs, no multiple of 4: the kernel does not unpack it`,
      )
    }
    ramdisks.push({ size, format })
    offset += size
  }
  return ramdisks
}
