import { EifError } from './error.ts'
import { readBytes } from './source.ts'
import type { FileTree } from './tree.ts'

/** What a container image says of the process that it is for (OCI image-spec, config.md). */
export interface ContainerConfig {
  readonly entrypoint: readonly string[] | undefined
  readonly cmd: readonly string[] | undefined
  /** `KEY=VALUE`. */
  readonly env: readonly string[] | undefined
  readonly workingDir: string | undefined
  /** `user`, `uid`, `user:group` or `uid:gid`. */
  readonly user: string | undefined
}

/** What the init runs. */
export interface EnclaveProcess {
  readonly command: readonly string[]
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  readonly directory: string
  readonly uid: number
  readonly gid: number
  /** Supplementary groups. */
  readonly groups: readonly number[]
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const MAX_DATABASE = 1 << 20

/**
 * The process that a container runtime would start: ENTRYPOINT followed by CMD, ENV with a PATH and a HOME, WORKDIR, and
 * USER looked up in the image's own `/etc/passwd` and `/etc/group`.
 *
 * @throws {EifError} `ERR_EIF_OCI_CONFIG` without a command, or for a user that is not there.
 */
export async function ociProcess(tree: FileTree, config: ContainerConfig): Promise<EnclaveProcess> {
  const command = [...(config.entrypoint ?? []), ...(config.cmd ?? [])]
  if (command.length === 0) throw refuse('The image has neither ENTRYPOINT nor CMD')
  const user = await lookUpUser(tree, config.user ?? '')
  const environment = [...(config.env ?? [])]
  if (!environment.some((entry) => entry.startsWith('PATH='))) environment.unshift(DEFAULT_PATH)
  if (!environment.some((entry) => entry.startsWith('HOME='))) environment.push(`HOME=${user.home}`)
  const directory = config.workingDir || '/'
  if (!directory.startsWith('/')) throw refuse('The working directory must be an absolute path')
  const texts = [...command, ...environment, directory]
  if (texts.some((text) => text.includes('\0'))) throw refuse('A NUL in command or environment')
  if (environment.some((entry) => !/^[^=]+=/s.test(entry))) {
    throw refuse('The environment must be KEY=VALUE')
  }
  return { command, environment, directory, uid: user.uid, gid: user.gid, groups: user.groups }
}

/**
 * What nitro-cli makes of the same image: CMD, and ENTRYPOINT only where CMD or ENV is missing; never both. WORKDIR and
 * USER are ignored.
 *
 * @throws {EifError} `ERR_EIF_OCI_CONFIG` without a command, or when an argument holds a newline, which separates them.
 */
export function nitroCliProcess(config: ContainerConfig): {
  readonly command: readonly string[]
  readonly environment: readonly string[]
} {
  const usesCmd = config.cmd !== undefined && config.env !== undefined
  const command = usesCmd ? config.cmd : config.entrypoint
  if (command === undefined || command.length === 0) {
    throw refuse(
      'nitro-cli takes CMD, or ENTRYPOINT where CMD or ENV is missing; the image has none',
    )
  }
  const environment = config.env ?? []
  if ([...command, ...environment].some((text) => /[\n\0]/.test(text))) {
    throw refuse('nitro-cli separates arguments by newlines, and one of these holds a newline')
  }
  return { command, environment }
}

interface User {
  readonly uid: number
  readonly gid: number
  readonly home: string
  readonly groups: readonly number[]
}

async function lookUpUser(tree: FileTree, user: string): Promise<User> {
  const [name = '', group] = user.split(':')
  const passwd = await readDatabase(tree, 'etc/passwd')
  const numeric = /^\d{1,10}$/.test(name) ? Number(name) : undefined
  const line =
    numeric === undefined
      ? passwd.find(([login]) => login === (name || 'root'))
      : passwd.find(([, , uid]) => Number(uid) === numeric)
  if (line === undefined && numeric === undefined && name !== '' && name !== 'root') {
    throw refuse(`The user ${JSON.stringify(name)} is not in the image's /etc/passwd`)
  }
  const uid = numeric ?? Number(line?.[2] ?? 0)
  const groups = await readDatabase(tree, 'etc/group')
  let gid = Number(line?.[3] ?? 0)
  if (group !== undefined && group !== '') {
    const found = groups.find(([title]) => title === group)
    if (/^\d{1,10}$/.test(group)) gid = Number(group)
    else if (found !== undefined) gid = Number(found[2])
    else throw refuse(`The group ${JSON.stringify(group)} is not in the image's /etc/group`)
  }
  const login = line?.[0]
  // A group that was named stands alone, as container runtimes have it.
  const supplementary =
    group === undefined && login !== undefined
      ? groups
          .filter(([, , , members]) => members?.split(',').includes(login))
          .map((row) => Number(row[2]))
      : []
  const numbers = [uid, gid, ...supplementary]
  if (numbers.some((id) => !Number.isInteger(id) || id < 0 || id > 0xffff_fffe)) {
    throw refuse('A user or group id that is none')
  }
  const others = [...new Set(supplementary)].filter((id) => id !== gid).sort((a, b) => a - b)
  return { uid, gid, home: line?.[5] || '/', groups: others }
}

async function readDatabase(tree: FileTree, path: string): Promise<string[][]> {
  const node = tree.find(path)
  if (node?.type !== 'file' || node.content.size > MAX_DATABASE) return []
  const text = new TextDecoder('latin1').decode(await readBytes(node.content, 0, node.content.size))
  return text.split('\n').map((line) => line.split(':'))
}

function refuse(message: string): EifError {
  return new EifError('ERR_EIF_OCI_CONFIG', message)
}
