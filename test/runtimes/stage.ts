import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateCorpus } from '../corpus/generate.ts'

const runtimes = dirname(fileURLToPath(import.meta.url))
const repository = join(runtimes, '..', '..')

/** A file below test/runtimes/node_modules; undefined where nothing is installed there. */
export function installed(path: string): string | undefined {
  const absolute = join(runtimes, 'node_modules', path)
  return existsSync(absolute) ? absolute : undefined
}

/** Why a runtime is not tested, and what to do about it. */
export const ABSENT = 'not installed: run `npm ci` in test/runtimes (x64 Linux only)'

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
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module" }\n')
    for (const file of ['suite.js', 'program.js', 'worker.js', 'worker.capnp']) {
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
