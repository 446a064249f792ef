import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** What an ELF file of a test says. */
export interface ElfFixture {
  readonly machine?: number
  readonly interpreter?: string
  readonly needed?: readonly string[]
  /** Bytes behind the last segment, which nothing loads. */
  readonly tail?: number
}

const X86_64 = 62
export const AARCH64 = 183
export const LOADER = '/lib64/ld-linux-x86-64.so.2'

/** An ELF file put together here: one loaded segment over everything, an interpreter, a dynamic section. */
export function elfOf({
  machine = X86_64,
  interpreter,
  needed = [],
  tail = 0,
}: ElfFixture = {}): Buffer {
  const ADDRESS = 0x40_0000
  const segments: [type: number, offset: number, size: number][] = []
  const names = Buffer.from(`\0${needed.map((name) => `${name}\0`).join('')}`)
  const text = Buffer.from(interpreter === undefined ? '' : `${interpreter}\0`)
  const count = interpreter === undefined ? 2 : 3
  const start = 64 + 56 * count
  const dynamicAt = Math.ceil((start + names.length + text.length) / 8) * 8
  const dynamic = Buffer.alloc(16 * (needed.length + 3))
  const entry = (index: number, tag: number, value: number): void => {
    dynamic.writeBigUInt64LE(BigInt(tag), 16 * index)
    dynamic.writeBigUInt64LE(BigInt(value), 16 * index + 8)
  }
  needed.forEach((name, index) => entry(index, 1, names.indexOf(`\0${name}\0`) + 1))
  entry(needed.length, 5, ADDRESS + start)
  entry(needed.length + 1, 10, names.length)
  const end = dynamicAt + dynamic.length
  segments.push([1, 0, end], [2, dynamicAt, dynamic.length])
  if (interpreter !== undefined) segments.push([3, start + names.length, text.length])
  const file = Buffer.alloc(end + tail, 0)
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  file.writeUInt16LE(2, 16)
  file.writeUInt16LE(machine, 18)
  file.writeBigUInt64LE(64n, 32)
  file.writeBigUInt64LE(BigInt(end), 40)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(count, 56)
  file.writeUInt16LE(64, 58)
  file.writeUInt16LE(9, 60)
  segments.forEach(([type, offset, size], index) => {
    const at = 64 + 56 * index
    file.writeUInt32LE(type, at)
    file.writeBigUInt64LE(BigInt(offset), at + 8)
    file.writeBigUInt64LE(BigInt(ADDRESS + offset), at + 16)
    file.writeBigUInt64LE(BigInt(size), at + 32)
  })
  file.set(names, start)
  file.set(text, start + names.length)
  file.set(dynamic, dynamicAt)
  file.fill(0xee, end)
  return file
}

/** Files of a folder by their paths: text, bytes, JSON, or where a symbolic link leads. */
export type Files = Readonly<Record<string, string | Uint8Array | { link: string } | object>>

export async function writeFiles(folder: string, files: Files): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    if (typeof content === 'string' || content instanceof Uint8Array) await writeFile(path, content)
    else if ('link' in content) await symlink(content.link as string, path)
    else await writeFile(path, JSON.stringify(content))
  }
  return folder
}

/** A root file system with the libraries that the fixtures link. */
export const LIBRARIES: Files = {
  'lib64/ld-linux-x86-64.so.2': elfOf(),
  'lib/x86_64-linux-gnu/libc.so.6': elfOf({ needed: ['ld-linux-x86-64.so.2'] }),
  'usr/lib/x86_64-linux-gnu/libm.so.6': elfOf({ needed: ['libc.so.6'] }),
}

/** What stands in for Node where a test does not run it. */
export const NODE: Buffer = elfOf({
  ...{ interpreter: LOADER, needed: ['libm.so.6', 'libc.so.6'], tail: 100 },
})
