import { execFileSync, type ExecFileSyncOptions } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from './cpio.ts'
import { root } from './machine.ts'
import { folderEntries, work } from './tree.ts'

/**
 * Builds and packs packages of the repository and installs the tarballs in an empty folder, as a user would. Returns
 * what then lies in its node_modules.
 */
export function installed(names: readonly string[]): Entry[] {
  mkdirSync(work, { recursive: true })
  const app = mkdtempSync(join(tmpdir(), 'guest-app-'))
  try {
    const tarballs = names.map((name) => pack(name))
    writeFileSync(
      join(app, 'package.json'),
      '{ "name": "app", "private": true, "type": "module" }\n',
    )
    npm(['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...tarballs], {
      cwd: app,
    })
    rmSync(join(app, 'node_modules/.package-lock.json'), { force: true })
    return folderEntries(app, 'app')
  } finally {
    rmSync(app, { recursive: true })
  }
}

const packed = new Map<string, string>()

/** The tarball of one package, built from the sources as they are, once in a run. */
function pack(name: string): string {
  const tarball = packed.get(name) ?? packOnce(name)
  packed.set(name, tarball)
  return tarball
}

function packOnce(name: string): string {
  const folder = join(root, 'packages', name)
  const copy = mkdtempSync(join(tmpdir(), 'guest-pack-'))
  try {
    const tsup = join(root, 'node_modules/tsup/dist/cli-default.js')
    const dist = join(copy, 'dist')
    run(process.execPath, [tsup, '--silent', '--no-dts', '--out-dir', dist], { cwd: folder })
    run(
      process.execPath,
      [
        'native/build.mjs',
        '--arch',
        process.arch,
        '--out',
        join(copy, `prebuilds/linux-${process.arch}.node`),
      ],
      { cwd: folder },
    )
    for (const file of ['package.json', 'README.md']) cpSync(join(folder, file), join(copy, file))
    const out = npm(['pack', '--ignore-scripts', '--silent', '--pack-destination', work], {
      cwd: copy,
    })
    return join(work, out.trim().split('\n').at(-1) ?? '')
  } finally {
    rmSync(copy, { recursive: true })
  }
}

function npm(args: readonly string[], options: ExecFileSyncOptions): string {
  return run('npm', args, options)
}

function run(command: string, args: readonly string[], options: ExecFileSyncOptions): string {
  return execFileSync(command, args, {
    ...options,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
