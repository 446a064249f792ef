import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { VsockBinding } from '../../src/binding.ts'

/** The package's folder. */
export const home: string = fileURLToPath(new URL('../..', import.meta.url))

/** What `native/build.mjs` said, and whether there is a file now. */
export interface Built {
  readonly file: string | undefined
  readonly output: string
}

/** Runs the build script, from any copy of the package. */
export function runBuild(out: string, args: readonly string[] = [], cwd: string = home): Built {
  const command = ['native/build.mjs', '--arch', process.arch, '--out', out, ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`native/build.mjs failed:\n${stdout}${stderr}`)
  const file = join(cwd, out)
  return { file: existsSync(file) ? file : undefined, output: stdout.trim() }
}

/**
 * The addon with fake.c in the place of the system calls, built once for each state of the sources.
 */
export function buildFake(flags: readonly string[] = []): Built {
  const hash = createHash('sha256').update(JSON.stringify(flags))
  hash.update(readFileSync(join(home, '../../scripts/build-addon.mjs')))
  for (const folder of ['native', 'test/native']) {
    for (const name of readdirSync(join(home, folder)).sort()) {
      if (/\.(c|h|mjs)$/.test(name)) hash.update(readFileSync(join(home, folder, name)))
    }
  }
  const file = join(home, 'build', `fake-${hash.digest('hex').slice(0, 16)}.node`)
  if (existsSync(file)) return { file, output: 'built before' }
  const out = join('build', `${process.pid}-${Math.random().toString(36).slice(2)}.node`)
  const replacement = ['--with', 'socket.c=test/native/fake.c']
  const built = runBuild(out, [...replacement, ...flags.flatMap((flag) => [`--cflag=${flag}`])])
  if (built.file === undefined) return built
  renameSync(built.file, file)
  return { file, output: built.output }
}

/** Loads an addon by its file. */
export function loadAddon(file: string): VsockBinding {
  return createRequire(import.meta.url)(file) as VsockBinding
}
