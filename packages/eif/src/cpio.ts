import { EifError } from './error.ts'
import { concatBytes } from './bytes.ts'
import { readBytes, readChunks, type EifSource } from './source.ts'
import { quote, type TreeNode } from './tree.ts'

/** One entry of a cpio archive, in the order in which it is written. Several entries may have the same name. */
export interface CpioEntry {
  readonly name: string
  readonly node: TreeNode
}

/** How archives of one builder look. */
export interface CpioStyle {
  /** The inode number of the first entry; the others count on. */
  readonly firstInode: number
  readonly major: number
  readonly minor: number
  /** nlink of a directory. */
  readonly directoryLinks: number
  /** Whether entries that share a node are hard links of one inode; otherwise each is a file of its own. */
  readonly hardLinks: boolean
}

/** What this package writes: everything fixed, hard links kept. */
export const REPRODUCIBLE_STYLE: CpioStyle = {
  firstInode: 1,
  major: 0,
  minor: 0,
  directoryLinks: 1,
  hardLinks: true,
}

/** What linuxkit writes for nitro-cli (surma/gocpio). */
export const LINUXKIT_STYLE: CpioStyle = {
  firstInode: 721,
  major: 3,
  minor: 1,
  directoryLinks: 2,
  hardLinks: false,
}

const HEADER = 110
const MAGIC = '070701'
const TRAILER = 'TRAILER!!!'
/** Both writers pad the archive to this. */
const BLOCK = 512
const TYPES: Readonly<Record<TreeNode['type'], number>> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
}
const MAX_NAME = 4096

/**
 * Writes a newc archive (Linux Documentation/driver-api/early-userspace/buffer-format.rst), uncompressed: the bytes
 * depend on the entries, their order and the style alone.
 *
 * @throws {EifError} `ERR_EIF_ENTRY` for a file of 4 GiB or more, a name or target that is too long, an empty target.
 */
export async function* writeCpio(
  entries: readonly CpioEntry[],
  style: CpioStyle = REPRODUCIBLE_STYLE,
): AsyncGenerator<Uint8Array, void, undefined> {
  const links = style.hardLinks ? countLinks(entries) : new Map<TreeNode, Links>()
  let inode = style.firstInode
  let length = 0
  const emit = (bytes: Uint8Array): Uint8Array => {
    length += bytes.length
    return bytes
  }
  for (const { name, node } of entries) {
    const shared = links.get(node)
    const number = shared?.inode ?? inode++
    if (shared !== undefined) shared.inode = number
    // The data of a file with several names stands at the last of them, as GNU cpio has it.
    const last = shared === undefined || --shared.left === 0
    const content = last ? contentOf(name, node) : undefined
    const size = content instanceof Uint8Array ? content.length : (content?.size ?? 0)
    yield emit(
      encodeEntry(name, {
        inode: number,
        mode: node.mode | TYPES[node.type],
        uid: node.uid,
        gid: node.gid,
        links: node.type === 'directory' ? style.directoryLinks : (shared?.total ?? 1),
        mtime: node.mtime,
        size,
        style,
        device: 'major' in node ? [node.major, node.minor] : [0, 0],
      }),
    )
    if (content instanceof Uint8Array) yield emit(content)
    else if (content !== undefined) {
      for await (const chunk of readChunks(content, 0, content.size)) yield emit(chunk)
    }
    if (size % 4 !== 0) yield emit(new Uint8Array(4 - (size % 4)))
  }
  yield emit(
    encodeEntry(TRAILER, {
      ...{ inode: style === LINUXKIT_STYLE ? inode : 0, mode: 0, uid: 0, gid: 0, links: 1 },
      ...{ mtime: 0, size: 0, style, device: [0, 0] },
    }),
  )
  if (length % BLOCK !== 0) yield emit(new Uint8Array(BLOCK - (length % BLOCK)))
}

interface Links {
  readonly total: number
  left: number
  inode: number | undefined
}

function countLinks(entries: readonly CpioEntry[]): Map<TreeNode, Links> {
  const counts = new Map<TreeNode, number>()
  for (const { node } of entries) {
    if (node.type === 'file') counts.set(node, (counts.get(node) ?? 0) + 1)
  }
  return new Map(
    [...counts]
      .filter(([, count]) => count > 1)
      .map(([node, count]) => [node, { total: count, left: count, inode: undefined }]),
  )
}

function contentOf(name: string, node: TreeNode): EifSource | Uint8Array | undefined {
  if (node.type === 'symlink') {
    const target = new TextEncoder().encode(node.target)
    if (target.length === 0 || target.length >= MAX_NAME || target.includes(0)) {
      throw refuse(`The link ${quote(name)} has a target that no ramdisk can hold`)
    }
    return target
  }
  if (node.type !== 'file') return undefined
  if (node.content.size > 0xffff_ffff) throw refuse(`${quote(name)} has 4 GiB or more`)
  return node.content
}

interface EntryFields {
  readonly inode: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly links: number
  readonly mtime: number
  readonly size: number
  readonly style: CpioStyle
  readonly device: readonly number[]
}

function encodeEntry(name: string, fields: EntryFields): Uint8Array {
  const encoded = new TextEncoder().encode(name)
  if (encoded.length + 1 > MAX_NAME || encoded.length === 0) {
    throw refuse(`${quote(name)}: names have 1 to ${MAX_NAME - 1} bytes`)
  }
  const [rmajor, rminor] = fields.device
  const numbers = [
    ...[fields.inode, fields.mode, fields.uid, fields.gid, fields.links, fields.mtime, fields.size],
    ...[fields.style.major, fields.style.minor, rmajor, rminor, encoded.length + 1, 0],
  ] as number[]
  const bad = numbers.findIndex(
    (value) => !Number.isInteger(value) || value < 0 || value > 0xffff_ffff,
  )
  if (bad !== -1) throw refuse(`${quote(name)}: ${numbers[bad]} does not fit a ramdisk`)
  const digits = numbers.map((value) => value.toString(16).padStart(8, '0')).join('')
  const entry = new Uint8Array(Math.ceil((HEADER + encoded.length + 1) / 4) * 4)
  entry.set(new TextEncoder().encode(MAGIC + digits))
  entry.set(encoded, HEADER)
  return entry
}

/** One entry of an archive that was read. */
export interface CpioRecord {
  readonly name: string
  readonly inode: number
  /** st_mode: type and permissions. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly links: number
  readonly mtime: number
  /** Where the data begins in the source, and how many bytes it has. */
  readonly offset: number
  readonly size: number
  readonly device: readonly [major: number, minor: number]
}

/**
 * Reads the entries of an uncompressed newc archive up to its trailer. Contents are not read.
 *
 * @throws {EifError} `ERR_EIF_CPIO` when it is damaged or has no trailer.
 */
export async function* readCpio(source: EifSource): AsyncGenerator<CpioRecord, void, undefined> {
  let offset = 0
  for (;;) {
    if (offset + HEADER > source.size) throw damaged(offset, 'it ends without a trailer')
    const header = new TextDecoder('latin1').decode(await readBytes(source, offset, HEADER))
    if (!/^07070[12][0-9a-f]{104}$/i.test(header)) throw damaged(offset, 'no newc header')
    const field = (index: number): number =>
      Number.parseInt(header.slice(6 + 8 * index, 14 + 8 * index), 16)
    const nameSize = field(11)
    const size = field(6)
    const start = Math.ceil((offset + HEADER + nameSize) / 4) * 4
    if (nameSize < 2 || nameSize > MAX_NAME || start + size > source.size) {
      throw damaged(offset, 'name or data lead out of it')
    }
    const name = await readBytes(source, offset + HEADER, nameSize)
    if (name.indexOf(0) !== nameSize - 1) throw damaged(offset, 'a name without its NUL')
    const record: CpioRecord = {
      name: new TextDecoder().decode(name.subarray(0, -1)),
      inode: field(0),
      mode: field(1),
      uid: field(2),
      gid: field(3),
      links: field(4),
      mtime: field(5),
      offset: start,
      size,
      device: [field(9), field(10)],
    }
    if (record.name === TRAILER) return
    yield record
    offset = Math.ceil((start + size) / 4) * 4
  }
}

function refuse(message: string): EifError {
  return new EifError('ERR_EIF_ENTRY', message)
}

function damaged(offset: number, what: string): EifError {
  return new EifError('ERR_EIF_CPIO', `The cpio archive is damaged at byte ${offset}: ${what}`)
}

/** All of a stream in one array, for archives that fit there. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part.slice())
  return concatBytes(...parts)
}
