import { EifError } from '../../error.ts'
import type { EifArchitecture } from '../../header.ts'
import { quote } from '../../tree.ts'

/** What the loader reads of a program or a shared library (System V ABI, chapters 4 and 5). */
export interface ElfFile {
  readonly architecture: EifArchitecture | undefined
  /** The loader that a program asks for (PT_INTERP); undefined for a library and a static program. */
  readonly interpreter: string | undefined
  /** Names of the libraries that it links (DT_NEEDED), in its order. */
  readonly needed: readonly string[]
  /** Bytes from the beginning up to the end of its last segment: all that is ever loaded. */
  readonly loadedSize: number
}

const HEADER = 64
const PROGRAM_HEADER = 56
const PT = { LOAD: 1, DYNAMIC: 2, INTERP: 3 } as const
const DT = { NULL: 0, NEEDED: 1, STRTAB: 5, STRSZ: 10 } as const
const MACHINES: Readonly<Record<number, EifArchitecture>> = { 62: 'x86_64', 183: 'aarch64' }

interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: number
  readonly size: number
}

/** Whether a file begins as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && String.fromCharCode(...bytes.subarray(0, 4)) === '\x7fELF'
}

/**
 * Reads the headers of a 64-bit little-endian ELF file.
 *
 * @throws {EifError} `ERR_EIF_ELF` when it is none, or leads out of itself.
 */
export function readElf(bytes: Uint8Array, name: string): ElfFile {
  const refuse = (what: string): EifError =>
    new EifError('ERR_EIF_ELF', `${quote(name)}: a 64-bit little-endian ELF file expected, ${what}`)
  if (!isElf(bytes)) throw refuse('another beginning seen')
  if (bytes.length < HEADER) throw refuse(`${bytes.length} bytes seen`)
  if (bytes[4] !== 2 || bytes[5] !== 1) throw refuse(`class ${bytes[4]}, order ${bytes[5]} seen`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const long = (at: number): number => {
    const value = at + 8 <= bytes.length ? Number(view.getBigUint64(at, true)) : Number.NaN
    if (!Number.isSafeInteger(value)) throw refuse(`no number at byte ${at}`)
    return value
  }
  const table = long(32)
  const count = view.getUint16(56, true)
  const end = table + count * PROGRAM_HEADER
  if ((count > 0 && view.getUint16(54, true) !== PROGRAM_HEADER) || end > bytes.length) {
    throw refuse('its program headers lead out of it')
  }
  const segments: Segment[] = []
  for (let at = table; at < end; at += PROGRAM_HEADER) {
    const segment = {
      type: view.getUint32(at, true),
      ...{ offset: long(at + 8), address: long(at + 16), size: long(at + 32) },
    }
    if (segment.offset + segment.size > bytes.length) throw refuse('a segment leads out of it')
    segments.push(segment)
  }
  const text = (offset: number, limit: number): string => {
    const stop = bytes.indexOf(0, offset)
    if (stop === -1 || stop >= limit) throw refuse(`no text at byte ${offset}`)
    return new TextDecoder().decode(bytes.subarray(offset, stop))
  }
  const interpreter = segments.find(({ type }) => type === PT.INTERP)
  return {
    architecture: MACHINES[view.getUint16(18, true)],
    interpreter: interpreter && text(interpreter.offset, interpreter.offset + interpreter.size),
    needed: readNeeded(segments, long, text, refuse),
    loadedSize: Math.max(HEADER, end, ...segments.map(({ offset, size }) => offset + size)),
  }
}

function readNeeded(
  segments: readonly Segment[],
  long: (at: number) => number,
  text: (offset: number, limit: number) => string,
  refuse: (what: string) => EifError,
): string[] {
  const dynamic = segments.find(({ type }) => type === PT.DYNAMIC)
  if (dynamic === undefined) return []
  const names: number[] = []
  let [strings, length] = [0, 0]
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.size; at += 16) {
    const tag = long(at)
    if (tag === DT.NULL) break
    if (tag === DT.NEEDED) names.push(long(at + 8))
    else if (tag === DT.STRTAB) strings = long(at + 8)
    else if (tag === DT.STRSZ) length = long(at + 8)
  }
  if (names.length === 0) return []
  const home = segments.find(
    ({ type, address, size }) =>
      type === PT.LOAD && strings >= address && strings + length <= address + size,
  )
  if (home === undefined) throw refuse('its names lie outside of what is loaded')
  const start = strings - home.address + home.offset
  return names.map((name) => {
    if (name >= length) throw refuse('the name of a library lies outside of its names')
    return text(start + name, start + length)
  })
}

/**
 * The file without what is never loaded: symbol table, debugging information and the table of sections. What runs, and
 * what addons link against (`.dynsym`), is all there. The same bytes on every machine, whatever binutils it has.
 */
export function trimElf(bytes: Uint8Array, { loadedSize }: ElfFile): Uint8Array {
  const trimmed = Uint8Array.from(bytes.subarray(0, loadedSize)) // a copy, of a Buffer too
  trimmed.fill(0, 40, 48) // e_shoff
  trimmed.fill(0, 60, 64) // e_shnum, e_shstrndx
  return trimmed
}
