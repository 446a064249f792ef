import { EifError } from './error.ts'

/** The architecture an image says it is for: bit 0 of the flags. It is not measured. */
export type EifArchitecture = 'x86_64' | 'aarch64'

/** The file's header. None of it is measured. */
export interface EifHeader {
  /** 2, 3 (signatures) or 4 (mandatory metadata). */
  readonly version: number
  readonly architecture: EifArchitecture
  /** All 16 flag bits, architecture included. */
  readonly flags: number
  /** Bytes; a hint that the loader does not use. */
  readonly defaultMemory: bigint
  /** A hint that the loader does not use. */
  readonly defaultCpus: bigint
  /** CRC-32 of everything but itself. */
  readonly crc32: number
}

/** One entry of the header's table: where a section's own header stands and how many bytes its data has. */
export interface TableEntry {
  readonly offset: bigint
  readonly size: bigint
}

export const HEADER_SIZE = 548
export const CRC_OFFSET = 544
export const MAX_SECTIONS = 32
const MAGIC = 0x2e656966
const OFFSETS = 28
const SIZES = 284
const ARCHITECTURE = 1

/** Bits 6 and 9: PCIe and virtio over PCIe, written by Bottlerocket's builder since 2026, not in the specification. */
export const PCIE_FLAGS = 0x240

/**
 * Reads the 548 bytes of a header, strictly: known version, nothing in reserved fields, unused table entries zero.
 *
 * @throws {EifError} `ERR_EIF_TRUNCATED`, `_MAGIC`, `_VERSION`, `_RESERVED_BITS`, `_SECTION_COUNT`.
 */
export function decodeHeader(bytes: Uint8Array): {
  readonly header: EifHeader
  readonly table: readonly TableEntry[]
} {
  if (bytes.length < HEADER_SIZE) {
    throw new EifError(
      'ERR_EIF_TRUNCATED',
      `The header has ${HEADER_SIZE} bytes, the file only ${bytes.length}`,
    )
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_SIZE)
  if (view.getUint32(0) !== MAGIC) {
    throw new EifError('ERR_EIF_MAGIC', 'The file does not begin with .eif: it is no enclave image')
  }
  const version = view.getUint16(4)
  if (version < 2 || version > 4) {
    throw new EifError('ERR_EIF_VERSION', `Version 2, 3 or 4 expected, ${version} seen`)
  }
  const flags = view.getUint16(6)
  if ((flags & ~(ARCHITECTURE | PCIE_FLAGS)) !== 0) {
    throw reserved(`flags 0x${flags.toString(16)}`)
  }
  if (view.getUint16(24) !== 0) throw reserved('the field at byte 24')
  if (view.getUint32(540) !== 0) throw reserved('the field at byte 540')
  const count = view.getUint16(26)
  if (count < 2 || count > MAX_SECTIONS) {
    throw new EifError('ERR_EIF_SECTION_COUNT', `2 to 32 sections expected, ${count} counted`)
  }
  const table: TableEntry[] = []
  for (let index = 0; index < MAX_SECTIONS; index++) {
    const offset = view.getBigUint64(OFFSETS + 8 * index)
    const size = view.getBigUint64(SIZES + 8 * index)
    if (index < count) table.push({ offset, size })
    else if (offset !== 0n || size !== 0n) throw reserved(`table entry ${index}, which is not used`)
  }
  const header: EifHeader = {
    version,
    architecture: (flags & ARCHITECTURE) === 0 ? 'x86_64' : 'aarch64',
    flags,
    defaultMemory: view.getBigUint64(8),
    defaultCpus: view.getBigUint64(16),
    crc32: view.getUint32(CRC_OFFSET),
  }
  return { header, table }
}

function reserved(what: string): EifError {
  return new EifError('ERR_EIF_RESERVED_BITS', `Reserved and not zero: ${what}`)
}

/** Writes a header of version 4. `crc32` may be filled in later, at byte 544. */
export function encodeHeader(header: EifHeader, table: readonly TableEntry[]): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC)
  view.setUint16(4, header.version)
  view.setUint16(6, header.flags)
  view.setBigUint64(8, header.defaultMemory)
  view.setBigUint64(16, header.defaultCpus)
  view.setUint16(26, table.length)
  table.forEach(({ offset, size }, index) => {
    view.setBigUint64(OFFSETS + 8 * index, offset)
    view.setBigUint64(SIZES + 8 * index, size)
  })
  view.setUint32(CRC_OFFSET, header.crc32)
  return bytes
}
