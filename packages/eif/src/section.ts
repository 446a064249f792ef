import { EifError } from './error.ts'
import { HEADER_SIZE, type EifHeader, type TableEntry } from './header.ts'
import { readBytes, type EifSource } from './source.ts'

/** What a section holds. Metadata and signature are not measured. */
export type EifSectionType = 'kernel' | 'cmdline' | 'ramdisk' | 'signature' | 'metadata'

/** One section, as both walks see it. */
export interface EifSection {
  readonly type: EifSectionType
  /** Where its own header of 12 bytes stands. */
  readonly offset: number
  /** Bytes of data, without that header. */
  readonly size: number
}

/** Bytes of the file that no section covers. */
export interface EifGap {
  readonly offset: number
  readonly size: number
}

export const SECTION_HEADER_SIZE = 12
const SECTION_TYPES: readonly (EifSectionType | undefined)[] = [
  undefined,
  'kernel',
  'cmdline',
  'ramdisk',
  'signature',
  'metadata',
]

/** Where a section's data begins. */
export function dataOffset(section: EifSection): number {
  return section.offset + SECTION_HEADER_SIZE
}

/** Where the byte after a section's data stands. */
export function endOffset(section: EifSection): number {
  return section.offset + SECTION_HEADER_SIZE + section.size
}

/** The 12 bytes before a section's data. */
export function encodeSectionHeader(type: EifSectionType, size: number): Uint8Array {
  const bytes = new Uint8Array(SECTION_HEADER_SIZE)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, SECTION_TYPES.indexOf(type))
  view.setBigUint64(4, BigInt(size))
  return bytes
}

/**
 * The sections that the header's table names, which is what the hypervisor loads.
 *
 * @throws {EifError} when the table leads out of the file, into itself, or against the sections' own headers.
 */
export async function readSectionTable(
  source: EifSource,
  header: EifHeader,
  table: readonly TableEntry[],
): Promise<{ sections: readonly EifSection[]; gaps: readonly EifGap[] }> {
  checkRange(source, table)
  checkOverlap(table)
  const sections: EifSection[] = []
  for (const [index, entry] of table.entries()) {
    sections.push(await readSection(source, index, Number(entry.offset), entry.size))
  }
  checkTypes(header, sections)
  const gaps: EifGap[] = []
  let end = HEADER_SIZE
  for (const section of sections) {
    if (section.offset > end) gaps.push({ offset: end, size: section.offset - end })
    end = endOffset(section)
  }
  if (source.size > end) {
    throw new EifError(
      'ERR_EIF_TRAILING_BYTES',
      `${source.size - end} bytes follow the last section, which ends at byte ${end}`,
    )
  }
  return { sections, gaps }
}

function checkRange(source: EifSource, table: readonly TableEntry[]): void {
  const end = BigInt(source.size)
  for (const [index, { offset, size }] of table.entries()) {
    if (offset + BigInt(SECTION_HEADER_SIZE) > end) {
      throw new EifError(
        'ERR_EIF_OFFSET_OUT_OF_RANGE',
        `Section ${index} is said to begin at byte ${offset} of a file of ${end}`,
      )
    }
    if (offset + BigInt(SECTION_HEADER_SIZE) + size > end) {
      throw new EifError(
        'ERR_EIF_TRUNCATED',
        `Section ${index} has ${size} bytes from byte ${offset} on, but the file only ${end}`,
      )
    }
  }
}

function checkOverlap(table: readonly TableEntry[]): void {
  const ordered = table
    .map((entry, index) => ({ ...entry, index }))
    .sort((a, b) => (a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0))
  let end = BigInt(HEADER_SIZE)
  let before = 'the header'
  for (const { offset, size, index } of ordered) {
    if (offset < end) {
      throw new EifError(
        'ERR_EIF_OVERLAP',
        `Section ${index} begins at byte ${offset}, inside of ${before}, which ends at ${end}`,
      )
    }
    end = offset + BigInt(SECTION_HEADER_SIZE) + size
    before = `section ${index}`
  }
  const late = ordered.findIndex(({ index }, position) => index !== position)
  if (late !== -1) {
    throw new EifError(
      'ERR_EIF_SECTION_ORDER',
      `The header must list sections in file order; section ${late} is out of it`,
    )
  }
}

async function readSection(
  source: EifSource,
  index: number,
  offset: number,
  expected: bigint,
): Promise<EifSection> {
  const { type, number, flags, size } = await readSectionHeader(source, offset)
  if (type === undefined) {
    throw new EifError('ERR_EIF_INVALID_SECTION', `Section ${index} has type ${number}, not 1 to 5`)
  }
  if (flags !== 0) {
    throw new EifError(
      'ERR_EIF_RESERVED_BITS',
      `Reserved and not zero: flags of section ${index} (${type})`,
    )
  }
  if (size !== expected) {
    throw new EifError(
      'ERR_EIF_SIZE_MISMATCH',
      `Section ${index} (${type}) has ${expected} bytes in the file's header and ${size} in its own`,
    )
  }
  return { type, offset, size: Number(size) }
}

/** A section's own header, whatever it says. */
export async function readSectionHeader(
  source: EifSource,
  offset: number,
): Promise<{ type: EifSectionType | undefined; number: number; flags: number; size: bigint }> {
  const bytes = await readBytes(source, offset, SECTION_HEADER_SIZE)
  const view = new DataView(bytes.buffer)
  const number = view.getUint16(0)
  return {
    type: SECTION_TYPES[number],
    number,
    flags: view.getUint16(2),
    size: view.getBigUint64(4),
  }
}

function checkTypes(header: EifHeader, sections: readonly EifSection[]): void {
  const count = (type: EifSectionType): number =>
    sections.filter((section) => section.type === type).length
  for (const type of ['kernel', 'cmdline', 'metadata', 'signature'] as const) {
    if (count(type) > 1) {
      throw new EifError(
        'ERR_EIF_DUPLICATE_SECTION',
        `One ${type} section at most, ${count(type)} seen`,
      )
    }
  }
  const required: EifSectionType[] = ['kernel', 'cmdline']
  if (header.version >= 4) required.push('metadata')
  for (const type of required) {
    if (count(type) === 0) {
      throw new EifError(
        'ERR_EIF_MISSING_SECTION',
        `No ${type} section in version ${header.version}`,
      )
    }
  }
  const types = sections.map(({ type }) => type)
  const ramdisk = types.indexOf('ramdisk')
  if (ramdisk !== -1 && ramdisk < types.indexOf('kernel')) {
    throw new EifError('ERR_EIF_SECTION_ORDER', 'A ramdisk stands before the kernel')
  }
}
