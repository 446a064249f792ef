import { constants } from 'node:fs'
import { access, readdir, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** The machine that enclaves are started on, as this package sees it. */
export interface Surroundings {
  /**
   * The environment: `PATH`, `NITRO_QEMU_DIR`, `ENCLAVEJS_RUN_DIR`, `XDG_RUNTIME_DIR`, `TMPDIR`, and what the programs get that are
   * started. `process.env` unless given.
   */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** A folder in place of `/`, for `/dev`, `/etc` and `/sys` of another machine. Empty unless given. */
  readonly root?: string
}

/** {@link Surroundings} in full. */
export class Host {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly #root: string

  constructor({ env = process.env, root = '' }: Surroundings = {}) {
    this.env = env
    this.#root = root
  }

  /** Whether this user may read and write a device. */
  async device(path: string): Promise<'usable' | 'denied' | 'absent'> {
    try {
      await access(this.#root + path, constants.R_OK | constants.W_OK)
      return 'usable'
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return code === 'ENOENT' || code === 'ENOTDIR' ? 'absent' : 'denied'
    }
  }

  /** The trimmed text of a file; undefined where it cannot be read. */
  async text(path: string): Promise<string | undefined> {
    return (await readFile(this.#root + path, 'utf8').catch(() => undefined))?.trim()
  }

  /** The names in a folder; none where it cannot be read. */
  async list(path: string): Promise<readonly string[]> {
    return readdir(this.#root + path).catch(() => [])
  }

  /** Where a program of this name lies on the PATH. */
  async program(name: string): Promise<string | undefined> {
    for (const folder of (this.env['PATH'] ?? '').split(delimiter)) {
      const path = join(folder === '' ? '.' : folder, name)
      if (await isExecutable(path)) return path
    }
    return undefined
  }
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
