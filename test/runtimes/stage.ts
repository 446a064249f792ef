import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateCorpus } from '../corpus/generate.ts'
import { vectors } from '../vectors.ts'

const runtimes = dirname(fileURLToPath(import.meta.url))
const repository = join(runtimes, '..', '..')

/** A file below test/runtimes/node_modules; undefined where nothing is installed there. */
export function installed(path: string): string | undefined {
  const absolute = join(runtimes, 'node_modules', path)
  return existsSync(absolute) ? absolute : undefined
}

/** Why a runtime is not tested, and what to do about it. */
export const ABSENT = 'not installed: run `npm ci` in test/runtimes (x64 Linux only)'

/** What the index of the real documents says of one. */
interface IndexEntry {
  readonly file: string
  readonly kind: string
  readonly timestamp_ms: number
  readonly leaf_not_after: string
  readonly debug_mode_pcr0_zero: boolean
  readonly pcrs_nonzero: Readonly<Record<string, string>>
}

/** Why the real documents are not run. */
export const NO_DOCUMENTS = 'needs ../shared/vectors/attestation-docs'

/** AWS's documents as `real-documents.js` takes them; none where this machine has none. */
export function realDocuments(): readonly { readonly name: string; readonly enclave: boolean }[] {
  const index = vectors('attestation-docs/index.json')
  if (index === undefined) return []
  const { genuine } = JSON.parse(readFileSync(index, 'utf8')) as { genuine: readonly IndexEntry[] }
  const zero = '00'.repeat(48)
  return genuine.map((entry) => ({
    name: entry.file,
    document: readFileSync(join(dirname(index), entry.file), 'base64'),
    timestamp: entry.timestamp_ms,
    notAfter: Date.parse(entry.leaf_not_after),
    debug: entry.debug_mode_pcr0_zero,
    enclave: entry.kind === 'enclave',
    // All that a NitroTPM document could match: it is refused before anything is compared.
    pcrs: {
      ...(entry.debug_mode_pcr0_zero || entry.kind !== 'enclave'
        ? { 0: zero, 1: zero, 2: zero }
        : {}),
      ...entry.pcrs_nonzero,
    },
  }))
}

/** How many checks `real-documents.js` makes: each enclave's document in three ways, a NitroTPM's in one. */
export function realChecks(): number {
  return realDocuments().reduce((sum, { enclave }) => sum + (enclave ? 3 : 1), 0)
}

/**
 * A folder of its own with what a runtime needs: the package as it is published, built now, the suite and a new corpus.
 * The programs for the runtimes lie beside them.
 */
export class Stage {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static async open(): Promise<Stage> {
    const stage = new Stage(mkdtempSync(join(tmpdir(), 'enclavejs-conformance-')))
    try {
      await stage.#fill()
      return stage
    } catch (error) {
      stage.close()
      throw error
    }
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #fill(): Promise<void> {
    this.#bundle(join(repository, 'packages', 'attestation'))
    renameSync(join(this.folder, 'index.js'), join(this.folder, 'attestation.js'))
    this.#bundle(
      repository,
      ...['--no-config', '--format', 'esm', '--target', 'es2023'],
      'test/conformance/conformance.ts',
    )
    const corpus = JSON.stringify(await generateCorpus())
    writeFileSync(join(this.folder, 'corpus.js'), `export const corpus = ${corpus}\n`)
    const documents = JSON.stringify(realDocuments())
    writeFileSync(join(this.folder, 'documents.js'), `export const documents = ${documents}\n`)
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module" }\n')
    for (const file of [
      'suite.js',
      'real-documents.js',
      'program.js',
      'worker.js',
      'worker.capnp',
    ]) {
      copyFileSync(join(runtimes, file), join(this.folder, file))
    }
  }

  /** Runs tsup in a folder: with the package's own configuration there is nothing to say but where to. */
  #bundle(cwd: string, ...options: readonly string[]): void {
    const tsup = fileURLToPath(import.meta.resolve('tsup/package.json'))
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        join(dirname(tsup), 'dist', 'cli-default.js'),
        ...['--out-dir', this.folder, '--no-dts', '--no-clean'],
        ...options,
      ],
      { cwd, encoding: 'utf8', timeout: 60_000 },
    )
    if (status !== 0) throw new Error(`tsup in ${cwd} ended with ${status}:\n${stdout}${stderr}`)
  }
}
