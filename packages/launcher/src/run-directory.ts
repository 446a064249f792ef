import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { LauncherError } from './error.ts'
import type { Host } from './surroundings.ts'

/** unix(7) takes 107 bytes; the longest name below is `/NAME/host_4294967295`, with 32 characters for NAME. */
const LONGEST = 107 - 33 - 16
/** The least CID that a machine of ours gets: those below 4 mean something else, and 16 is what nitro-cli begins with. */
const FIRST_CID = 16
const CIDS = '.cid'

/**
 * The folder with what is known of running enclaves: one folder for each, with sockets, console and record. It is this
 * user's alone, since whoever can write there decides what `stop` ends and where `logs` connects to.
 */
export class RunDirectory {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /**
   * Opens it; makes it only where something is to be put there.
   *
   * @throws {LauncherError} `ERR_LAUNCHER_RUN_DIRECTORY`
   */
  static open(host: Host, how: 'make' | 'look' = 'make'): RunDirectory {
    const path = resolve(place(host))
    if (how === 'look' && lstatSync(path, { throwIfNoEntry: false }) === undefined) {
      return new RunDirectory(path)
    }
    if (Buffer.byteLength(path) > LONGEST) {
      throw failed(
        path,
        `too long for the names of Unix sockets, at most ${LONGEST} bytes: set ENCLAVEJS_RUN_DIR`,
      )
    }
    try {
      mkdirSync(dirname(path), { recursive: true })
      mkdirSync(join(path, CIDS), { recursive: true, mode: 0o700 })
    } catch (cause) {
      throw failed(path, `it cannot be made: ${(cause as Error).message}`, cause)
    }
    const found = lstatSync(path)
    if (!found.isDirectory()) throw failed(path, 'expected a folder')
    if (process.getuid !== undefined && found.uid !== process.getuid()) {
      throw failed(
        path,
        'it belongs to another user: set ENCLAVEJS_RUN_DIR to a folder of your own',
      )
    }
    if ((found.mode & 0o077) !== 0) throw failed(path, `others may enter it: chmod 700 ${path}`)
    return new RunDirectory(path)
  }

  /** The folder of an enclave. */
  folder(name: string): string {
    return join(this.path, name)
  }

  /** The names that have a folder, dead ones too. */
  names(): readonly string[] {
    if (!existsSync(this.path)) return []
    return readdirSync(this.path)
      .filter((name) => !name.startsWith('.'))
      .sort()
  }

  /** Makes the folder of an enclave; false where there is one. Two that try at once do not both succeed. */
  claim(name: string): boolean {
    return make(() => mkdirSync(this.folder(name), { mode: 0o700 }))
  }

  /** A CID that no other enclave here has. */
  claimCid(name: string, wanted?: number): number {
    const most = wanted ?? FIRST_CID + 10_000
    for (let cid = wanted ?? FIRST_CID; cid <= most; cid++) {
      const file = join(this.path, CIDS, String(cid))
      const holder = readText(file)
      if (holder !== undefined && !this.names().includes(holder)) rmSync(file, { force: true })
      if (make(() => writeFileSync(file, name, { flag: 'wx', mode: 0o600 }))) return cid
    }
    const message = wanted === undefined ? 'there is no free CID' : `CID ${wanted} is taken`
    throw new LauncherError('ERR_LAUNCHER_START', `${message}: see enclavejs ps`)
  }

  /** Removes everything of an enclave. */
  release(name: string): void {
    rmSync(this.folder(name), { recursive: true, force: true })
    for (const cid of readdirSync(join(this.path, CIDS))) {
      const file = join(this.path, CIDS, cid)
      if (readText(file) === name) rmSync(file, { force: true })
    }
  }
}

function place({ env }: Host): string {
  const own = env['ENCLAVEJS_RUN_DIR']
  if (own !== undefined && own !== '') return own
  const session = env['XDG_RUNTIME_DIR']
  if (session !== undefined && session !== '') return join(session, 'enclavejs')
  const user = process.getuid?.() ?? 0
  return user === 0 ? '/run/enclavejs' : join(env['TMPDIR'] ?? tmpdir(), `enclavejs-${user}`)
}

function failed(path: string, why: string, cause?: unknown): LauncherError {
  return new LauncherError('ERR_LAUNCHER_RUN_DIRECTORY', `${path}: ${why}`, { cause })
}

function make(how: () => void): boolean {
  try {
    how()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
