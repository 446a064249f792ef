import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SimulatorError } from '../error.ts'
import type { Grant } from './grant.ts'
import type { KeyState, KmsKey } from './key.ts'
import { exportPrivateKey, importPrivateKey, type KeyUsageType } from './key-material.ts'
import type { KeyRing } from './key-ring.ts'
import { parseKeyPolicy } from './policy-document.ts'
import {
  createTlsAuthority,
  exportTlsAuthority,
  importTlsAuthority,
  type SavedTlsAuthority,
  type TlsAuthority,
} from './tls-authority.ts'

const STATE = 'kms.json'
/** The CA that clients of this KMS are to be given. */
export const CA_FILE = 'kms-ca.pem'
const VERSION = 1

interface SavedKey {
  readonly keyId: string
  readonly accountId: string
  readonly arn: string
  readonly keySpec: string
  readonly keyUsage: KeyUsageType
  readonly origin: string
  readonly multiRegion: boolean
  readonly description: string
  readonly createdAt: number
  readonly state: KeyState
  readonly deletionDate?: number
  readonly policyText: string
  readonly grants: readonly Grant[]
  readonly materials: readonly string[]
  readonly privateKey?: string
}

interface SavedRing {
  readonly version: number
  readonly region: string
  readonly tls: SavedTlsAuthority
  readonly aliases: readonly (readonly [string, string])[]
  readonly keys: readonly SavedKey[]
}

/** A directory that a ring is loaded from and saved to after each change; saves run one after another. */
export class RingDirectory {
  readonly #directory: string
  readonly #ring: KeyRing
  readonly #tls: TlsAuthority
  #saving: Promise<void> = Promise.resolve()

  private constructor(directory: string, ring: KeyRing, tls: TlsAuthority) {
    this.#directory = directory
    this.#ring = ring
    this.#tls = tls
  }

  /** Loads what is there into `ring`, or begins anew. */
  static async open(
    directory: string,
    ring: KeyRing,
  ): Promise<{ files: RingDirectory; tls: TlsAuthority }> {
    const saved = await read(directory)
    let tls: TlsAuthority
    try {
      if (saved === undefined) tls = createTlsAuthority()
      else {
        if (saved.version !== VERSION) throw new Error(`version ${VERSION} was expected`)
        if (saved.region !== ring.region) throw new Error(`it is of region ${saved.region}`)
        tls = importTlsAuthority(saved.tls)
        for (const key of saved.keys) ring.add(load(key))
        ring.restoreAliases(saved.aliases)
      }
    } catch (cause) {
      throw new SimulatorError(
        'ERR_SIMULATOR_DIRECTORY',
        `${join(directory, STATE)} cannot be read as the keys of a simulated KMS of ${ring.region}: remove it to begin anew`,
        { cause },
      )
    }
    const files = new RingDirectory(directory, ring, tls)
    await files.save()
    return { files, tls }
  }

  /** Writes the whole state; it appears whole or not at all. */
  async save(): Promise<void> {
    const saving = this.#saving.then(() => this.#write())
    this.#saving = saving.catch(() => undefined)
    await saving
  }

  async #write(): Promise<void> {
    const state: SavedRing = {
      version: VERSION,
      region: this.#ring.region,
      tls: exportTlsAuthority(this.#tls),
      aliases: [...this.#ring.aliases],
      keys: this.#ring.keys.map(save),
    }
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      await replace(this.#directory, STATE, JSON.stringify(state, undefined, 1), 0o600)
      await replace(this.#directory, CA_FILE, this.#tls.ca, 0o644)
    } catch (cause) {
      throw new SimulatorError(
        'ERR_SIMULATOR_DIRECTORY',
        `the keys of the simulated KMS could not be saved in ${this.#directory}: expected a directory that can be written`,
        { cause },
      )
    }
  }
}

async function read(directory: string): Promise<SavedRing | undefined> {
  let text: string
  try {
    text = await readFile(join(directory, STATE), 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unreadable(directory, cause)
  }
  try {
    return JSON.parse(text) as SavedRing
  } catch (cause) {
    throw unreadable(directory, cause)
  }
}

function unreadable(directory: string, cause: unknown): SimulatorError {
  return new SimulatorError(
    'ERR_SIMULATOR_DIRECTORY',
    `${join(directory, STATE)} cannot be read: expected the file that a simulated KMS wrote, or none`,
    { cause },
  )
}

async function replace(directory: string, name: string, text: string, mode: number): Promise<void> {
  const unfinished = join(directory, `.${name}.${randomBytes(6).toString('hex')}`)
  await writeFile(unfinished, text, { mode, flag: 'wx' })
  await rename(unfinished, join(directory, name))
}

function save(key: KmsKey): SavedKey {
  const { policy: _, privateKey, materials, deletionDate, ...plain } = key
  return {
    ...plain,
    ...(deletionDate === undefined ? {} : { deletionDate }),
    materials: materials.map((one) => Buffer.from(one).toString('base64')),
    ...(privateKey === undefined
      ? {}
      : { privateKey: Buffer.from(exportPrivateKey(privateKey)).toString('base64') }),
  }
}

function load(saved: SavedKey): KmsKey {
  const { privateKey, materials, deletionDate, ...plain } = saved
  return {
    ...plain,
    deletionDate,
    grants: [...saved.grants],
    policy: parseKeyPolicy(saved.policyText),
    materials: materials.map((one) => new Uint8Array(Buffer.from(one, 'base64'))),
    privateKey: privateKey === undefined ? undefined : importPrivateKey(privateKey),
  }
}
