import { HEADER_SIZE } from './header.ts'
import { endOffset, readSectionHeader, SECTION_HEADER_SIZE, type EifSection } from './section.ts'
import type { EifSource } from './source.ts'

/** What a reader sees that ignores the header's table and walks from section to section, as `nitro-cli` does. */
export type SequentialWalk =
  { readonly sections: readonly EifSection[] } | { readonly failure: string }

/** A file of nothing but empty sections must not fill the memory. */
const MAX_WALK = 64

/** Walks from byte 548 on. Fewer than 12 bytes at the end are ignored, as AWS's reader does. */
export async function walkSequentially(source: EifSource): Promise<SequentialWalk> {
  const sections: EifSection[] = []
  let offset = HEADER_SIZE
  while (offset + SECTION_HEADER_SIZE <= source.size) {
    if (sections.length === MAX_WALK) return { failure: `more than ${MAX_WALK} sections` }
    const { type, number, size } = await readSectionHeader(source, offset)
    if (type === undefined) return { failure: `type ${number} at byte ${offset}` }
    if (size > BigInt(source.size - offset - SECTION_HEADER_SIZE)) {
      return { failure: `${size} bytes at byte ${offset}, more than the file has` }
    }
    const section = { type, offset, size: Number(size) }
    sections.push(section)
    offset = endOffset(section)
  }
  return { sections }
}

/** Whether both walks see the same sections at the same places. */
export function sameSections(table: readonly EifSection[], walk: SequentialWalk): boolean {
  return (
    'sections' in walk &&
    walk.sections.length === table.length &&
    walk.sections.every((section, index) => {
      const other = table[index] as EifSection
      return (
        section.type === other.type &&
        section.offset === other.offset &&
        section.size === other.size
      )
    })
  )
}
