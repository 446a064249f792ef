import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { EifError } from '../../error.ts'
import { addTar } from '../../layer.ts'
import { bytesSource } from '../../source.ts'
import { FileTree } from '../../tree.ts'
import { checkPinned, type LockedPackage } from './build-lock.ts'

const run = promisify(execFile)
const SECONDS = 120
/** Most bytes that a package may unpack to. */
const MAX_CONTENTS = 1 << 30

/**
 * The files of a pinned Debian package, from the mirrors that this machine's package manager is configured for, or from
 * the mirror that is named. What arrives must have the hash of the lock before anything of it is unpacked.
 *
 * @throws {EifError} `ERR_EIF_LIBRARY` when it cannot be had or read, `ERR_EIF_LOCK` when it is another one.
 */
export async function fetchPackage(
  pinned: LockedPackage,
  mirror: string | undefined,
): Promise<FileTree> {
  const name = `${pinned.name} ${pinned.version} (${pinned.architecture})`
  let bytes: Uint8Array
  try {
    bytes = mirror === undefined ? await download(pinned) : await fetchFrom(mirror, pinned)
  } catch (cause) {
    const where = mirror === undefined ? 'by apt-get on this machine' : 'from the mirror given'
    throw new EifError(
      'ERR_EIF_LIBRARY',
      `The package ${name} of the lock cannot be had ${where}: ${firstLine(cause)}. Name a mirror that still has it, ` +
        'give a root file system with these libraries, or --update-lock',
      { cause },
    )
  }
  checkPinned(bytes, pinned.sha256, `the package ${name}`)
  try {
    const tree = new FileTree()
    await addTar(tree, bytesSource(await unpackData(bytes)))
    return tree
  } catch (cause) {
    const message = `The package ${name} cannot be unpacked: ${firstLine(cause)}`
    throw new EifError('ERR_EIF_LIBRARY', message, { cause })
  }
}

async function download({ name, version, architecture }: LockedPackage): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'enclavejs-deb-'))
  try {
    await run('apt-get', ['-q', 'download', `${name}:${architecture}=${version}`], {
      cwd: folder,
      timeout: SECONDS * 1000,
      env: { ...process.env, LC_ALL: 'C' },
    })
    const [file] = await readdir(folder)
    if (file === undefined) throw new Error('apt-get brought nothing')
    return await readFile(join(folder, file))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function fetchFrom(mirror: string, { filename, size }: LockedPackage): Promise<Uint8Array> {
  const base = mirror.endsWith('/') ? mirror : `${mirror}/`
  const path = filename.split('/').map(encodeURIComponent).join('/')
  const response = await fetch(new URL(path, base), { signal: AbortSignal.timeout(SECONDS * 1000) })
  if (!response.ok || response.body === null) throw new Error(`status ${response.status}`)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > size) throw new Error(`more than the ${size} bytes of the lock`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The tar with a package's files (deb(5): an ar archive whose members have headers of 60 bytes, at even places). */
async function unpackData(bytes: Uint8Array): Promise<Uint8Array> {
  const text = (start: number, end: number): string =>
    new TextDecoder('latin1').decode(bytes.subarray(start, end)).trimEnd()
  if (text(0, 8) !== '!<arch>') throw new Error('no ar archive')
  for (let at = 8; at + 60 <= bytes.length;) {
    const name = text(at, at + 16).replace(/\/$/, '')
    const size = Number(text(at + 48, at + 58))
    const start = at + 60
    if (!Number.isInteger(size) || size < 0 || start + size > bytes.length) {
      throw new Error('a damaged ar archive')
    }
    if (name.startsWith('data.tar')) return decompress(name, bytes.subarray(start, start + size))
    at = start + size + (size % 2)
  }
  throw new Error('no data.tar in it')
}

async function decompress(name: string, bytes: Uint8Array): Promise<Uint8Array> {
  if (name === 'data.tar') return bytes
  const limit = { maxOutputLength: MAX_CONTENTS }
  if (name.endsWith('.gz')) return gunzipSync(bytes, limit)
  if (name.endsWith('.zst')) return zstdDecompressSync(bytes, limit)
  if (!name.endsWith('.xz')) throw new Error(`${name} is compressed in a way that is not known`)
  // Node has no xz. The bytes are pinned, and so is each library in them.
  const child = run('xz', ['-dc'], {
    encoding: 'buffer',
    maxBuffer: MAX_CONTENTS,
    timeout: SECONDS * 1000,
  })
  child.child.stdin?.on('error', () => undefined).end(bytes)
  return (await child).stdout
}

function firstLine(error: unknown): string {
  const { message, stderr } = error as { message?: string; stderr?: string | Uint8Array }
  const lines = String(stderr ?? '').split('\n')
  return lines.find((line) => line.startsWith('E: ')) ?? String(message).split('\n', 1)[0] ?? ''
}
