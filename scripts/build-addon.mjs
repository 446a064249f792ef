// Builds the addon of a package with the C compiler of the machine and the Node headers of node_modules: no node-gyp, no
// python, and the same bytes twice. Without arguments it writes prebuilds/linux-{x64,arm64}.node, one binary each for glibc
// and musl. Each package's native/build.mjs calls it:
//
//   node native/build.mjs [--arch ARCH] [--out FILE] [--with FILE.c=OTHER.c] [--cflag FLAG]...
//
// --with puts another implementation in the place of one file: tests link a fake device that way, into a file of theirs.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const compilers = { x64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' }
const { values } = parseArgs({
  options: {
    arch: { type: 'string' },
    out: { type: 'string' },
    with: { type: 'string', multiple: true, default: [] },
    cflag: { type: 'string', multiple: true, default: [] },
  },
})

const FLAGS = [
  '-std=gnu11',
  '-O2',
  '-g0',
  '-fPIC',
  '-shared',
  '-s',
  '-DNAPI_VERSION=9',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fstack-protector-strong',
  '-U_FORTIFY_SOURCE',
  '-fvisibility=hidden',
  '-Wl,-z,relro,-z,now,-z,noexecstack',
  // A thread may still sit in the kernel when the last worker that loaded the addon is gone.
  '-Wl,-z,nodelete',
  '-Wl,--build-id=none',
]

// libc.so.6 alone: libc.so, the linker script, would add ld-linux-aarch64.so.1 for the stack guard, and musl has no
// library of that name although it has the symbol.
const GLIBC = ['-nodefaultlibs', '-l:libc.so.6', '-lgcc']

/** The folder of node_api.h: the text is the same for every architecture. */
function include(root) {
  const candidates = [process.arch, 'x64', 'arm64'].map((arch) =>
    join(root, 'node_modules', `node-linux-${arch}`, 'include/node'),
  )
  candidates.push(resolve(process.execPath, '../../include/node'))
  return candidates.find((folder) => existsSync(join(folder, 'node_api.h')))
}

function sources(native) {
  const replaced = new Map(values.with.map((pair) => pair.split('=')))
  return readdirSync(native)
    .filter((file) => file.endsWith('.c'))
    .sort()
    .map((file) => replaced.get(file) ?? join('native', file))
}

/** Returns what went wrong, as one line that is no failure of this build; undefined when built; exits when it failed. */
function build({ native, flags = [] }, arch, out) {
  const root = resolve(native, '../../..')
  const headers = include(root)
  if (headers === undefined)
    return 'no node_api.h (the optional dependency node-linux-ARCH is missing)'
  const compiler = arch === process.arch ? (process.env['CC'] ?? 'cc') : compilers[arch]
  const musl = spawnSync(compiler, ['-dumpmachine'], { encoding: 'utf8' })
  if (musl.error !== undefined) {
    return `no ${compiler} (Debian: apt-get install ${arch === process.arch ? 'gcc libc6-dev' : `gcc-aarch64-linux-gnu libc6-dev-arm64-cross`})`
  }
  const sanitized = values.cflag.some((flag) => flag.startsWith('-fsanitize'))
  const libraries = musl.stdout.includes('musl') || sanitized ? [] : GLIBC
  const package_ = dirname(native)
  mkdirSync(dirname(resolve(package_, out)), { recursive: true })
  const { status, stderr } = spawnSync(
    compiler,
    [
      ...FLAGS,
      `-ffile-prefix-map=${root}=.`,
      ...flags,
      ...values.cflag,
      '-Inative',
      `-I${import.meta.dirname}`, // addon.h
      '-isystem',
      headers,
      '-o',
      out,
      ...sources(native),
      ...libraries,
    ],
    { cwd: package_, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } },
  )
  if (status === 0) return undefined
  rmSync(resolve(package_, out), { force: true })
  if (/fatal error: (stdlib|errno|stdint|pthread|features)\.h/.test(stderr)) {
    return 'no C library headers (Debian: apt-get install libc6-dev)'
  }
  process.stderr.write(stderr)
  process.exit(1)
}

/**
 * Builds what is asked for on the command line. `native` is the folder of the sources, `flags` are for the compiler beside
 * those of every addon, `without` says what does not work without this one.
 */
export function buildAddon(addon) {
  if (process.platform !== 'linux') {
    console.log(`no native addon on ${process.platform}: it needs Linux. ${addon.without}`)
    return
  }
  for (const arch of values.arch === undefined ? Object.keys(compilers) : [values.arch]) {
    const out = values.out ?? `prebuilds/linux-${arch}.node`
    const reason = build(addon, arch, out)
    const name = relative(dirname(addon.native), resolve(dirname(addon.native), out))
    if (reason === undefined) console.log(`${name} built`)
    else if (arch === process.arch || values.arch !== undefined) {
      console.log(`no ${name}: ${reason}. ${addon.without}`)
    } else console.log(`no ${name}: ${reason}. Only a published package needs it`)
  }
}
