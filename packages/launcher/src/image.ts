import { readFileSync, statSync, type BigIntStats } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { EifDescription } from '@enclavejs/eif'
import { describeFile } from '@enclavejs/eif/node'
import { LauncherError } from './error.ts'

const MIB = 2 ** 20
/** The driver gives no enclave less. */
const LEAST_MIB = 64
/** What an enclave gets unless more is needed. */
const ORDINARY_MIB = 512

/** A program of Node in place of an image. */
export interface Program {
  readonly kind: 'program'
  readonly folder: string
  readonly entry: string
}

/** An image file, measured. */
export interface Image {
  readonly kind: 'image'
  readonly path: string
  readonly description: EifDescription
  /** Four times the file's size, as AWS asks for, in MiB. */
  readonly leastMib: number
  /** @throws {LauncherError} `ERR_LAUNCHER_IMAGE` when the file is not the one any more that was measured. */
  refuseChanged(): void
}

/** What kind of thing is to be run: a folder and a file of JavaScript or TypeScript are programs. */
export function kindOf(path: string): 'image' | 'program' {
  if (/\.[cm]?[jt]s$/.test(path)) return 'program'
  return look(path).isDirectory() ? 'program' : 'image'
}

/** @throws {LauncherError} `ERR_LAUNCHER_IMAGE` */
export function openProgram(given: string, entry?: string): Program {
  const path = resolve(given)
  if (!look(path).isDirectory()) {
    return { kind: 'program', folder: dirname(path), entry: path }
  }
  const file = join(path, entry ?? mainOf(path))
  if (!look(file).isFile()) throw refuse(`${file} is no file`)
  return { kind: 'program', folder: path, entry: file }
}

/** Reads and measures an image. @throws {LauncherError} `ERR_LAUNCHER_IMAGE`, and `EifError` for what is no image. */
export async function openImage(
  given: string,
  options: {
    readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
    readonly signal: AbortSignal
  },
): Promise<Image> {
  const path = resolve(given)
  const before = look(path)
  const description = await describeFile(path, options)
  const refuseChanged = (): void => {
    const now = look(path)
    const same = (['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const).every(
      (key) => now[key] === before[key],
    )
    if (!same) throw refuse(`${path} changed while it was started: run it again`)
  }
  refuseChanged()
  const leastMib = Math.max(LEAST_MIB, Math.ceil((4 * description.size) / MIB))
  return { kind: 'image', path, description, leastMib, refuseChanged }
}

/** The memory that it gets, in MiB. @throws {LauncherError} `ERR_LAUNCHER_MEMORY` for less than four times the image. */
export function memoryFor(image: Image | Program, wanted: number | undefined): number {
  if (image.kind === 'program') return wanted ?? ORDINARY_MIB
  const { leastMib, description } = image
  if (wanted === undefined) return Math.max(ORDINARY_MIB, leastMib)
  if (wanted >= leastMib) return wanted
  throw new LauncherError(
    'ERR_LAUNCHER_MEMORY',
    `${wanted} MiB are too few for an image of ${(description.size / 1e6).toFixed(1)} MB: AWS asks for four times its size, ${leastMib} MiB at least`,
  )
}

/** What it is called unless it is given a name. */
export function nameFor(path: string): string {
  const name = basename(resolve(path))
    .replace(/\.(?:eif|[cm]?[jt]s)$/, '')
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 32)
  return name === '' ? 'enclave' : name
}

function mainOf(folder: string): string {
  try {
    const { main } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      main?: unknown
    }
    return typeof main === 'string' ? main : 'index.js'
  } catch (cause) {
    throw refuse(`${folder}/package.json cannot be read: ${(cause as Error).message}`, cause)
  }
}

function look(path: string): BigIntStats {
  try {
    return statSync(path, { bigint: true })
  } catch (cause) {
    throw refuse(`${path} cannot be read: ${(cause as Error).message}`, cause)
  }
}

function refuse(message: string, cause?: unknown): LauncherError {
  return new LauncherError('ERR_LAUNCHER_IMAGE', message, { cause })
}
