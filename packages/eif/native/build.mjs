// Builds the init with the C compiler of the machine, static, into prebuilds/init-linux-{x64,arm64}: the one program of an
// image that is not the user's. The same compiler and C library give the same bytes.
//
//   node native/build.mjs [--arch ARCH] [--out FILE] [--cflag FLAG]...
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const package_ = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const compilers = { x64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' }
const { values } = parseArgs({
  options: {
    arch: { type: 'string' },
    out: { type: 'string' },
    cflag: { type: 'string', multiple: true, default: [] },
  },
})

const FLAGS = [
  '-std=gnu11',
  '-Os',
  '-g0',
  '-static',
  '-s',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fstack-protector-strong',
  '-ffunction-sections',
  '-Wl,--gc-sections,-z,noexecstack,--build-id=none',
  `-ffile-prefix-map=${package_}=.`,
]

/** Returns what went wrong, as one line that is no failure of this build; undefined when built; exits when it failed. */
function build(arch, out) {
  const native = arch === process.arch
  const compiler = native ? (process.env['CC'] ?? 'cc') : compilers[arch]
  mkdirSync(dirname(resolve(package_, out)), { recursive: true })
  const { status, stderr, error } = spawnSync(
    compiler,
    [...FLAGS, ...values.cflag, '-o', out, 'native/init.c'],
    { cwd: package_, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } },
  )
  if (error !== undefined) {
    return `no ${compiler} (Debian: apt-get install ${native ? 'gcc libc6-dev' : 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross'})`
  }
  if (status === 0) return undefined
  rmSync(resolve(package_, out), { force: true })
  if (/fatal error: \w[\w/]*\.h|cannot find -lc/.test(stderr)) {
    return 'no headers or no static C library (Debian: apt-get install libc6-dev linux-libc-dev)'
  }
  process.stderr.write(stderr)
  process.exit(1)
}

if (process.platform !== 'linux') {
  console.log(
    `no init on ${process.platform}: it needs a compiler for Linux. Reading and measuring images works, and so does building with an init of your own`,
  )
} else {
  for (const arch of values.arch === undefined ? Object.keys(compilers) : [values.arch]) {
    const out = values.out ?? `prebuilds/init-linux-${arch}`
    const reason = build(arch, out)
    const name = relative(package_, resolve(package_, out))
    if (reason === undefined) console.log(`${name} built`)
    else if (arch === process.arch || values.arch !== undefined) {
      console.log(`no ${name}: ${reason}. Images need an init of your own without it`)
    } else console.log(`no ${name}: ${reason}. Only a published package needs it`)
  }
}
