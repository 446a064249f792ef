/** One entry of a tar archive that a test makes. */
export interface TarFixture {
  readonly path: string
  readonly type?: string
  readonly data?: string | Uint8Array
  readonly target?: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly mtime?: number
  /** Records of a pax header before the entry. */
  readonly pax?: Readonly<Record<string, string>>
  /** Written into the block when it is finished, and the checksum again after it. */
  readonly patch?: (block: Buffer) => void
}

/** A ustar archive, put together here. */
export function tarOf(entries: readonly TarFixture[], end = true): Buffer {
  const blocks: Buffer[] = []
  for (const entry of entries) {
    if (entry.pax !== undefined) {
      const text = Object.entries(entry.pax)
        .map(([key, value]) => paxRecord(key, value))
        .join('')
      blocks.push(...member({ path: 'pax', type: 'x', data: text }))
    }
    blocks.push(...member(entry))
  }
  if (end) blocks.push(Buffer.alloc(1024))
  return Buffer.concat(blocks)
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const bytes = Buffer.byteLength(rest)
  let length = bytes + 1
  while (String(length).length + bytes !== length) length++
  return `${length}${rest}`
}

function member(entry: TarFixture): Buffer[] {
  const data = Buffer.from(entry.data ?? '')
  const block = Buffer.alloc(512)
  const octal = (value: number, at: number, length: number): void =>
    void block.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1')
  block.write(entry.path, 0, 100)
  octal(entry.mode ?? 0o644, 100, 8)
  octal(entry.uid ?? 0, 108, 8)
  octal(entry.gid ?? 0, 116, 8)
  octal(data.length, 124, 12)
  octal(entry.mtime ?? 0, 136, 12)
  block.write(entry.type ?? '0', 156)
  block.write(entry.target ?? '', 157, 100)
  block.write('ustar\x0000', 257)
  octal(0, 329, 8)
  octal(0, 337, 8)
  entry.patch?.(block)
  block.fill(0x20, 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return [block, data, Buffer.alloc((512 - (data.length % 512)) % 512)]
}
