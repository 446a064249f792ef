import { randomBytes } from 'node:crypto'
import { access, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Leaf } from './certification-path.ts'
import { SimulatorError } from './error.ts'

const AUTHORITY = 'authority.json'
/** The trust anchor that verifiers of a directory's authority are to be given. */
export const ROOT_FILE = 'root.pem'

export async function holdsAuthority(directory: string): Promise<boolean> {
  try {
    await access(join(directory, AUTHORITY))
    return true
  } catch {
    return false
  }
}

/**
 * Writes an authority unless one is there; the file appears whole or not at all.
 *
 * @returns false where another one was there first.
 */
export async function writeAuthority(
  directory: string,
  text: string,
  rootPem: string,
): Promise<boolean> {
  const unfinished = join(directory, unfinishedName(AUTHORITY))
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await writeFile(unfinished, text, { mode: 0o600, flag: 'wx' })
    await link(unfinished, join(directory, AUTHORITY))
    await writeWhole(directory, ROOT_FILE, rootPem)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw unwritable(directory, cause)
  } finally {
    await rm(unfinished, { force: true }).catch(() => undefined)
  }
}

/** Reads what `writeAuthority` wrote. */
export async function readAuthority(directory: string): Promise<string> {
  try {
    return await readFile(join(directory, AUTHORITY), 'utf8')
  } catch (cause) {
    throw new SimulatorError(
      'ERR_SIMULATOR_DIRECTORY',
      `no authority could be read in ${directory}: expected the file ${AUTHORITY}, as save() writes it`,
      { cause },
    )
  }
}

/** Writes `root.pem` where it is missing: it is written after the authority, and may be lost. */
export async function restoreRoot(directory: string, rootPem: string): Promise<void> {
  try {
    await writeFile(join(directory, ROOT_FILE), rootPem, { flag: 'wx', mode: 0o644 })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(directory, cause)
  }
}

/** Writes the files that QEMU reads for each document; each is replaced in one step. */
export async function writeSigner(directory: string, leaf: Leaf, rootPem: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await Promise.all([
    ...leaf.cabundle.map((der, index) => writeWhole(directory, `ca-${index}.der`, der)),
    writeWhole(directory, 'leaf.der', leaf.certificate),
    writeWhole(directory, 'leaf.key.pem', key, 0o600),
    writeWhole(directory, ROOT_FILE, rootPem),
  ])
}

async function writeWhole(
  directory: string,
  name: string,
  content: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  const unfinished = join(directory, unfinishedName(name))
  await writeFile(unfinished, content, { mode, flag: 'wx' })
  await rename(unfinished, join(directory, name))
}

function unwritable(directory: string, cause: unknown): SimulatorError {
  return new SimulatorError(
    'ERR_SIMULATOR_DIRECTORY',
    `the authority could not be saved in ${directory}: expected a directory that can be written`,
    { cause },
  )
}

function unfinishedName(name: string): string {
  return `.${name}.${randomBytes(6).toString('hex')}`
}
