/**
 * The shape of a DER structure as text: every tag in its place, with the contents of those
 * whose value is part of the shape (object identifiers, booleans, extensions but for keys and
 * URLs), and without lengths and all other contents.
 */
export function derShape(bytes: Uint8Array): string[] {
  const lines: string[] = []
  walk(bytes, 0, lines)
  return lines
}

const PLAIN_EXTENSIONS = ['551d13', '551d0f']

function walk(bytes: Uint8Array, depth: number, lines: string[]): void {
  let oid = ''
  for (let offset = 0; offset < bytes.length;) {
    const tag = bytes[offset] ?? 0
    const [start, end] = bounds(bytes, offset)
    const content = bytes.subarray(start, end)
    const indent = ' '.repeat(depth)
    const hex = Buffer.from(content).toString('hex')
    const name = tag.toString(16).padStart(2, '0')
    if (tag === 0x06 || tag === 0x01) lines.push(`${indent}${name} ${hex}`)
    else if (tag === 0x04 && PLAIN_EXTENSIONS.includes(oid)) lines.push(`${indent}${name} ${hex}`)
    else lines.push(`${indent}${name}`)
    if (tag === 0x06) oid = hex
    if (tag & 0x20) walk(content, depth + 1, lines)
    else if (tag === 0x04 && oid.startsWith('551d') && !PLAIN_EXTENSIONS.includes(oid)) {
      walk(content, depth + 1, lines)
    }
    offset = end
  }
}

function bounds(bytes: Uint8Array, offset: number): [start: number, end: number] {
  const first = bytes[offset + 1] ?? 0
  if (first < 0x80) return [offset + 2, offset + 2 + first]
  const count = first & 0x7f
  let length = 0
  for (let i = 0; i < count; i += 1) length = length * 256 + (bytes[offset + 2 + i] ?? 0)
  return [offset + 2 + count, offset + 2 + count + length]
}
