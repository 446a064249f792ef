/** One entry of an archive. Folders above it are added where they are missing. */
export interface Entry {
  /** Without a leading slash. */
  readonly path: string
  readonly mode?: number
  readonly data: Uint8Array
}

const FILE = 0o100000
const FOLDER = 0o040000
const TRAILER = 'TRAILER!!!'

/**
 * A cpio archive of the kind that the kernel unpacks as an initrd (newc, Documentation/driver-api/early-userspace). The
 * kernel takes several in a row, compressed or not.
 */
export function writeCpio(entries: readonly Entry[]): Uint8Array {
  const chunks: Uint8Array[] = []
  const folders = new Set<string>()
  let inode = 1
  const write = (path: string, mode: number, data: Uint8Array): void => {
    const name = Buffer.from(`${path}\0`)
    const fields = [inode++, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0]
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
    chunks.push(padded(Buffer.concat([Buffer.from(head), name])), padded(data))
  }
  for (const { path, mode = 0o644, data } of entries) {
    const parts = path.split('/')
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/')
      if (folders.has(folder)) continue
      folders.add(folder)
      write(folder, FOLDER | 0o755, new Uint8Array())
    }
    write(path, FILE | mode, data)
  }
  write(TRAILER, 0, new Uint8Array())
  return Buffer.concat(chunks)
}

/** Every header with its name, and every file, begins at a multiple of four. */
function padded(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length % 4
  return rest === 0 ? bytes : Buffer.concat([bytes, new Uint8Array(4 - rest)])
}
