import { EifError } from './error.ts'
import { sliceSource } from './section-source.ts'
import { readBytes, type EifSource } from './source.ts'
import { quote } from './tree.ts'

/** One entry of a tar archive. */
export interface TarEntry {
  /** As it stands there, not yet checked. */
  readonly path: string
  readonly type: 'file' | 'link' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: number
  /** Target of a link; empty for anything else. */
  readonly target: string
  readonly major: number
  readonly minor: number
  readonly content: EifSource
}

const BLOCK = 512
/** Names in extension headers; far above PATH_MAX. */
const MAX_EXTENSION = 1 << 20

const TYPES: Readonly<Record<string, TarEntry['type']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
}

/**
 * Reads a tar archive: ustar, with the extensions of pax (POSIX.1-2001) and GNU for long names and large numbers.
 * Extended attributes are left out, as a ramdisk cannot hold them. Sparse files are refused.
 *
 * @throws {EifError} `ERR_EIF_TAR` for a wrong checksum, a truncated archive, an unknown type or a malformed field.
 */
export async function* readTar(source: EifSource): AsyncGenerator<TarEntry, void, undefined> {
  let offset = 0
  let global: ReadonlyMap<string, string> = new Map()
  let local = new Map<string, string>()
  while (offset < source.size) {
    if (offset + BLOCK > source.size) throw damaged(offset, 'it ends inside of a header')
    const header = await readBytes(source, offset, BLOCK)
    if (header.every((byte) => byte === 0)) return
    checkSum(header, offset)
    const type = String.fromCharCode(header[156] as number)
    const stated = numberOf(local.get('size') ?? global.get('size'), header, 124, 12, offset)
    const size = natural(stated, offset)
    const start = offset + BLOCK
    if (start + size > source.size) throw damaged(offset, `${size} bytes of data lead out of it`)
    offset = start + Math.ceil(size / BLOCK) * BLOCK
    if (type === 'x' || type === 'g') {
      const records = readPax(await readExtension(source, start, size), start)
      if (type === 'x') local = new Map([...local, ...records])
      else global = new Map([...global, ...records])
      continue
    }
    if (type === 'L' || type === 'K') {
      const name = text(await readExtension(source, start, size), start)
      local.set(type === 'L' ? 'path' : 'linkpath', name.replace(/\0.*$/s, ''))
      continue
    }
    const known = TYPES[type]
    if (known === undefined)
      throw damaged(start - BLOCK, `entries of type ${quote(type)} are not taken`)
    const records = new Map([...global, ...local])
    local = new Map()
    if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.'))) {
      throw damaged(start - BLOCK, 'sparse files are not taken')
    }
    yield entryOf(header, known, records, start - BLOCK, sliceSource(source, start, size))
  }
}

function entryOf(
  header: Uint8Array,
  type: TarEntry['type'],
  records: ReadonlyMap<string, string>,
  offset: number,
  content: EifSource,
): TarEntry {
  const ustar = text(header.subarray(257, 262), offset) === 'ustar'
  // GNU uses the place of the prefix for other things, and says so in the version.
  const gnu = header[262] === 0x20
  const prefix = ustar && !gnu ? cString(header.subarray(345, 500), offset) : ''
  const name = cString(header.subarray(0, 100), offset)
  const path = records.get('path') ?? (prefix === '' ? name : `${prefix}/${name}`)
  const field = (key: string, from: number, length: number): number =>
    numberOf(records.get(key), header, from, length, offset)
  const directory = type === 'directory' || (type === 'file' && path.endsWith('/'))
  return {
    path,
    type: directory ? 'directory' : type,
    mode: field('', 100, 8) & 0o7777,
    uid: natural(field('uid', 108, 8), offset),
    gid: natural(field('gid', 116, 8), offset),
    mtime: Math.max(0, field('mtime', 136, 12)),
    target:
      type === 'link' || type === 'symlink'
        ? (records.get('linkpath') ?? cString(header.subarray(157, 257), offset))
        : '',
    major: ustar ? natural(field('', 329, 8), offset) : 0,
    minor: ustar ? natural(field('', 337, 8), offset) : 0,
    content,
  }
}

function checkSum(header: Uint8Array, offset: number): void {
  let sum = 0
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte
  if (numberOf(undefined, header, 148, 8, offset) !== sum) throw damaged(offset, 'wrong checksum')
}

/** A number from a pax record, or from a field in octal or in GNU's base 256. */
function numberOf(
  record: string | undefined,
  header: Uint8Array,
  from: number,
  length: number,
  offset: number,
): number {
  if (record !== undefined) {
    const value = Math.floor(Number(record))
    if (!/^-?\d+(?:\.\d*)?$/.test(record) || !Number.isSafeInteger(value)) {
      throw damaged(offset, 'a number in a pax record is none')
    }
    return value
  }
  const field = header.subarray(from, from + length)
  const first = field[0] as number
  if (first >= 0x80) {
    // 0x80 begins a positive number, 0xff a negative one: only times before 1970 are.
    if (first === 0xff) return -1
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, first & 0x7f)
    if (!Number.isSafeInteger(value)) throw damaged(offset, 'a number too large')
    return value
  }
  const digits = /^[ \0]*([0-7]*)[ \0]*$/.exec(String.fromCharCode(...field))?.[1]
  if (digits === undefined) throw damaged(offset, 'a number that is not octal')
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

/** Only times may lie before zero. */
function natural(value: number, offset: number): number {
  if (value < 0) throw damaged(offset, 'a negative number')
  return value
}

async function readExtension(source: EifSource, start: number, size: number): Promise<Uint8Array> {
  if (size > MAX_EXTENSION) throw damaged(start, `an extension of ${size} bytes`)
  return readBytes(source, start, size)
}

/** `LENGTH KEY=VALUE\n`, again and again. */
function readPax(bytes: Uint8Array, offset: number): Map<string, string> {
  const records = new Map<string, string>()
  let at = 0
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at)
    const digits =
      space === -1 ? '' : String.fromCharCode(...bytes.subarray(at, Math.min(space, at + 9)))
    const length = Number(digits)
    const end = at + length
    if (
      !/^[1-9]\d*$/.test(digits) ||
      end > bytes.length ||
      bytes[end - 1] !== 0x0a ||
      end <= space
    ) {
      throw damaged(offset, 'a malformed pax record')
    }
    const equals = bytes.indexOf(0x3d, space)
    if (equals === -1 || equals >= end) throw damaged(offset, 'a pax record without =')
    const key = text(bytes.subarray(space + 1, equals), offset)
    // Values of other keys, extended attributes for one, may be no text.
    if (/^(?:path|linkpath|size|uid|gid|mtime|GNU\.sparse\..*)$/.test(key)) {
      records.set(key, text(bytes.subarray(equals + 1, end - 1), offset))
    }
    at = end
  }
  return records
}

function cString(bytes: Uint8Array, offset: number): string {
  const end = bytes.indexOf(0)
  return text(end === -1 ? bytes : bytes.subarray(0, end), offset)
}

function text(bytes: Uint8Array, offset: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw damaged(offset, 'a name that is not UTF-8')
  }
}

function damaged(offset: number, what: string): EifError {
  return new EifError('ERR_EIF_TAR', `The tar archive cannot be taken at byte ${offset}: ${what}`)
}
