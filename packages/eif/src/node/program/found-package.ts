import { execFile } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { LockedPackage } from './build-lock.ts'

const run = promisify(execFile)
const OPTIONS = { timeout: 60_000, env: { ...process.env, LC_ALL: 'C' }, maxBuffer: 1 << 24 }

/**
 * The Debian package that a file of this machine belongs to, as its package lists have it, hash included.
 *
 * @returns undefined where no dpkg knows the file, or the lists do not have that version.
 */
export async function packageOfFile(path: string): Promise<LockedPackage | undefined> {
  try {
    const real = await realpath(path)
    // Debian's package lists name files as they were before /lib became a link to /usr/lib, or as they are since.
    const names = [...new Set([real, real.replace(/^\/usr/, ''), path, `/usr${path}`])]
    const owner = await firstOf(names, async (name) => {
      const { stdout } = await run('dpkg-query', ['--search', name], OPTIONS)
      return /^([a-z0-9][a-z0-9+.-]+)(?::\w+)?: \//m.exec(stdout)?.[1]
    })
    if (owner === undefined) return undefined
    const show = ['--show', '--showformat', '${Architecture} ${Version}\n', owner]
    const [architecture, version] = (await run('dpkg-query', show, OPTIONS)).stdout
      .split('\n', 1)
      .flatMap((line) => line.split(' '))
    const { stdout } = await run(
      'apt-cache',
      ['show', '--no-all-versions', `${owner}:${architecture}=${version}`],
      OPTIONS,
    )
    const field = (name: string): string =>
      new RegExp(`^${name}: (\\S+)$`, 'm').exec(stdout)?.[1] ?? ''
    const found = {
      ...{ name: field('Package'), version: field('Version'), architecture: field('Architecture') },
      ...{ filename: field('Filename'), size: Number(field('Size')), sha256: field('SHA256') },
    }
    return found.sha256 === '' || found.filename === '' ? undefined : found
  } catch {
    return undefined
  }
}

async function firstOf<Item, Result>(
  items: readonly Item[],
  look: (item: Item) => Promise<Result | undefined>,
): Promise<Result | undefined> {
  for (const item of items) {
    const result = await look(item).catch(() => undefined)
    if (result !== undefined) return result
  }
  return undefined
}
