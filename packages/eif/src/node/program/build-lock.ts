import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { EifError } from '../../error.ts'
import type { EifArchitecture } from '../../header.ts'

/** A Debian package that holds libraries. */
export interface LockedPackage {
  readonly name: string
  readonly version: string
  /** `amd64`, `arm64`. */
  readonly architecture: string
  /** Where it lies on a mirror: `pool/main/g/glibc/…`. */
  readonly filename: string
  readonly size: number
  readonly sha256: string
}

/** One shared library. Its own hash decides; the package only says where to get it. */
export interface LockedLibrary {
  /** The name by which programs link it: `libc.so.6`. */
  readonly name: string
  /** Where it stands in the image. */
  readonly path: string
  readonly sha256: string
  /** The name of one of the lock's packages, where a package manager knew it. */
  readonly package?: string
}

/** Everything of an image that comes from the building machine and not from the program's own files and lock. */
export interface BuildLock {
  readonly lockVersion: 1
  readonly architecture: EifArchitecture
  readonly node: { readonly version?: string; readonly sha256: string }
  readonly init: { readonly sha256: string }
  /** Of the Node that builds. Only an image with compressed ramdisks depends on them. */
  readonly compressors: { readonly zlib: string; readonly zstd: string }
  readonly packages: readonly LockedPackage[]
  readonly libraries: readonly LockedLibrary[]
}

const SHA256 = /^[0-9a-f]{64}$/
/** A package's name, version and path go to a package manager: nothing that could be an option or lead elsewhere. */
const PACKAGE = /^[a-z0-9][a-z0-9+.-]+$/
const VERSION = /^[0-9][A-Za-z0-9.+~:-]*$/
const FILENAME = /^pool(?:\/(?!\.)[A-Za-z0-9.+~_:%-]+)+\.deb$/
const LIBRARY_PATH = /^(?:\/(?!\.)[A-Za-z0-9.+_-]+)+$/
const MAX_PACKAGE = 256 << 20

/**
 * Reads a lock.
 *
 * @throws {EifError} `ERR_EIF_LOCK` when there is none, or it is not of this form.
 */
export async function readBuildLock(path: string): Promise<BuildLock> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new EifError(
      'ERR_EIF_LOCK',
      `No lock at ${path}: what comes from this machine must be pinned. Make one with --update-lock, and commit it`,
      { cause },
    )
  }
  try {
    const lock = JSON.parse(text) as BuildLock
    checkLock(lock)
    return lock
  } catch (cause) {
    const { message } = cause as Error
    throw new EifError('ERR_EIF_LOCK', `${path} is no lock of a build: ${message}`, { cause })
  }
}

function checkLock(lock: BuildLock): void {
  const need = (good: boolean, what: string): void => {
    if (!good) throw new Error(`${what} expected`)
  }
  need(typeof lock === 'object' && lock !== null && lock.lockVersion === 1, 'lockVersion 1')
  need(lock.architecture === 'x86_64' || lock.architecture === 'aarch64', 'an architecture')
  need(SHA256.test(lock.node?.sha256), 'node.sha256')
  need(SHA256.test(lock.init?.sha256), 'init.sha256')
  need(typeof lock.compressors?.zstd === 'string', 'compressors.zstd')
  need(typeof lock.compressors.zlib === 'string', 'compressors.zlib')
  need(Array.isArray(lock.packages) && Array.isArray(lock.libraries), 'packages and libraries')
  for (const entry of lock.packages) {
    need(PACKAGE.test(entry.name) && VERSION.test(entry.version), 'a package with its version')
    need(/^(?:amd64|arm64)$/.test(entry.architecture), `the architecture of ${entry.name}`)
    need(FILENAME.test(entry.filename), `the place of ${entry.name} in a pool`)
    need(SHA256.test(entry.sha256), `the SHA-256 of ${entry.name}`)
    need(
      Number.isInteger(entry.size) && entry.size > 0 && entry.size <= MAX_PACKAGE,
      `a size of ${entry.name} up to ${MAX_PACKAGE}`,
    )
  }
  for (const entry of lock.libraries) {
    need(typeof entry.name === 'string', 'the name of a library')
    need(LIBRARY_PATH.test(entry.path), `the path of ${entry.name}`)
    need(SHA256.test(entry.sha256), `the SHA-256 of ${entry.name}`)
    need(
      entry.package === undefined || lock.packages.some(({ name }) => name === entry.package),
      `the package of ${entry.name}`,
    )
  }
}

export function formatBuildLock(lock: BuildLock): string {
  return `${JSON.stringify(lock, null, 2)}\n`
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** @throws {EifError} `ERR_EIF_LOCK` when bytes are not those that the lock names. */
export function checkPinned(bytes: Uint8Array, expected: string, what: string): void {
  const seen = sha256(bytes)
  if (seen === expected) return
  throw new EifError(
    'ERR_EIF_LOCK',
    `${what}: SHA-256 ${expected} expected, ${seen} seen. If the new one is wanted: --update-lock`,
  )
}
