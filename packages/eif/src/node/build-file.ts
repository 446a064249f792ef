import { open, readFile, rename, rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { encodeMetadata, type BuildMetadata } from '../build-metadata.ts'
import { nitroCliProcess, ociProcess, type ContainerConfig } from '../container-config.ts'
import { LINUXKIT_STYLE, REPRODUCIBLE_STYLE, writeCpio, type CpioEntry } from '../cpio.ts'
import { describeImage, type EifDescription } from '../describe.ts'
import { EifError } from '../error.ts'
import { Findings } from '../finding.ts'
import type { EifArchitecture } from '../header.ts'
import { inspectKernel } from '../kernel.ts'
import type { EifProgress } from '../measurement.ts'
import { refuseUnknownKeys } from '../option.ts'
import {
  nitroCliApplicationEntries,
  nitroCliBootEntries,
  ociApplicationEntries,
  ociBootEntries,
} from '../ramdisk.ts'
import type { EifSigner } from '../signer.ts'
import { readBytes } from '../source.ts'
import { writeImage, type EifSink } from '../write.ts'
import { openApplication, type ApplicationFiles, type Opened } from './application-files.ts'
import { compress, type Compression } from './compression.ts'
import { createSha384 } from './describe-file.ts'
import { openFileSource, type FileSource } from './file-source.ts'
import { ownInit } from './own-init.ts'

/** Options of {@link buildFile}. */
export interface BuildFileOptions {
  /**
   * `oci`: with our init, as the image's configuration says. `nitro-cli`: for AWS's init, as `nitro-cli build-enclave`
   * makes it, CMD instead of ENTRYPOINT, WORKDIR and USER ignored.
   */
  readonly mode: 'oci' | 'nitro-cli'
  /** Path of the kernel: a bzImage or an arm64 Image. */
  readonly kernel: string
  /** The kernel's command line. */
  readonly cmdline: string
  /** Path of a static init. Mode `oci`: default the one of this package. Mode `nitro-cli`: AWS's, no default. */
  readonly init?: string
  /** Path of `nsm.ko`, for a kernel that has the driver as a module. */
  readonly nsmModule?: string
  readonly application: ApplicationFiles
  /** Stands in for parts of the container image's configuration, or is all of it for a directory or a tar. */
  readonly config?: Partial<ContainerConfig>
  /** Default: that of the container image, else x86_64. */
  readonly architecture?: EifArchitecture
  /**
   * Compresses the ramdisks; true is gzip. Smaller, but PCRs then depend on the zlib or zstd of this Node, and zstd needs
   * a kernel since 5.9 that was built with it. Default false.
   */
  readonly compress?: boolean | Compression
  /** What the metadata section says beside what this function knows. */
  readonly metadata?: Partial<BuildMetadata>
  readonly signer?: EifSigner
  /** Called as the bytes of the ramdisks are written, compressed or not. */
  readonly onProgress?: (progress: EifProgress) => void
}

const KEYS = [
  ...['mode', 'kernel', 'cmdline', 'init', 'nsmModule', 'application', 'config', 'architecture'],
  ...['compress', 'metadata', 'signer', 'onProgress'],
]

/** Command lines of nitro-cli's blobs, for the kernels that come with them. */
export const NITRO_CLI_CMDLINE: Readonly<Record<EifArchitecture, string>> = {
  x86_64:
    'reboot=k panic=30 pci=off nomodules console=ttyS0 i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd random.trust_cpu=on',
  aarch64: 'reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on root=/dev/ram0',
}

/**
 * Builds an enclave image file, reproducibly: the same inputs give the same bytes (the signature apart). The file is
 * written beside its place and put there when it is whole; then it is read back, and refused if it is doubtful.
 *
 * ```ts
 * import { buildFile } from '@enclavejs/eif/node'
 *
 * const { pcrs } = await buildFile('app.eif', {
 *   mode: 'oci',
 *   kernel: 'bzImage',
 *   cmdline: 'reboot=k panic=30 pci=off console=ttyS0 random.trust_cpu=on',
 *   application: { image: 'app.tar' },
 * })
 * console.log(pcrs)
 * ```
 *
 * @returns the description of the file, as `describeFile` gives it.
 * @throws {EifError} with the code of whatever part cannot be built.
 */
export async function buildFile(
  output: string,
  options: BuildFileOptions,
): Promise<EifDescription> {
  refuseUnknownKeys(options, KEYS, 'options')
  const opened: Opened = []
  try {
    return await build(output, options, opened)
  } finally {
    for (const one of opened.reverse()) await one.close()
  }
}

async function build(
  output: string,
  options: BuildFileOptions,
  opened: Opened,
): Promise<EifDescription> {
  const openFile = async (path: string): Promise<FileSource> => {
    const file = await openFileSource(path)
    opened.push(file)
    return file
  }
  if (options.mode !== 'oci' && options.mode !== 'nitro-cli') {
    throw new TypeError('mode must be oci or nitro-cli')
  }
  const compression = options.compress === true ? 'gzip' : options.compress || undefined
  if (![undefined, 'gzip', 'zstd'].includes(compression)) {
    throw new TypeError('compress must be true, false, gzip or zstd')
  }
  const { application: files, config: given } = options
  const application = await openApplication(files, given, options.architecture, opened)
  const architecture = options.architecture ?? application.architecture ?? 'x86_64'
  const kernel = await openFile(options.kernel)
  if (options.init === undefined && options.mode === 'nitro-cli') {
    throw new TypeError("init is required in mode nitro-cli: AWS's blobs have one")
  }
  const init = await openFile(options.init ?? ownInit(architecture))
  const nsmModule = options.nsmModule && (await openFile(options.nsmModule))
  const boot = { init, ...(nsmModule && { nsmModule }) }
  const { bootEntries, applicationEntries } =
    options.mode === 'oci'
      ? {
          bootEntries: ociBootEntries(boot),
          applicationEntries: ociApplicationEntries(
            application.tree,
            await ociProcess(application.tree, application.config),
          ),
        }
      : {
          bootEntries: nitroCliBootEntries(boot),
          applicationEntries: nitroCliApplicationEntries(
            application.tree,
            nitroCliProcess(application.config),
          ),
        }
  const style = options.mode === 'oci' ? REPRODUCIBLE_STYLE : LINUXKIT_STYLE
  const count = counter([...bootEntries, ...applicationEntries], options.onProgress)
  const ramdisk = (entries: readonly CpioEntry[]): AsyncIterable<Uint8Array> => {
    const archive = count(writeCpio(entries, style))
    return compression === undefined ? archive : compress(archive, compression)
  }
  const { release } = inspectKernel(
    await readBytes(kernel, 0, Math.min(kernel.size, 0x1_1000)),
    kernel.size,
    '',
    architecture,
    new Findings(),
  )
  const metadata = encodeMetadata({
    imageName: application.name ?? 'enclave',
    imageVersion: application.id ?? '0',
    buildTool: '@enclavejs/eif',
    buildToolVersion: await ownVersion(),
    kernelVersion: (options.mode === 'oci' ? release : release?.split('-', 1)[0]) ?? 'Unknown',
    ...options.metadata,
  })
  const partial = `${output}.${process.pid}.partial`
  try {
    await using file = await open(partial, 'w+')
    const sink: EifSink = {
      async write(offset, bytes) {
        for (let at = 0; at < bytes.length;) {
          at += (await file.write(bytes, at, bytes.length - at, offset + at)).bytesWritten
        }
      },
    }
    const written = await writeImage(sink, {
      ...{ architecture, kernel, cmdline: options.cmdline, metadata },
      ramdisks: [ramdisk(bootEntries), ramdisk(applicationEntries)],
      ...{ createHash: createSha384, crc32 },
      ...(options.signer && { signer: options.signer }),
    })
    const source = await openFile(partial)
    const description = await describeImage(source, { createHash: createSha384, crc32 })
    for (const pcr of [0, 1, 2, 8] as const) {
      if (description.pcrs[pcr] === written.pcrs[pcr]) continue
      throw new EifError('ERR_EIF_BUILD', `PCR${pcr} of the file is not what was written`)
    }
    await file.sync()
    await rename(partial, output)
    return description
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

/** Tells how much of the entries has gone by. Their headers are little beside them and not in the total. */
function counter(
  entries: readonly CpioEntry[],
  onProgress: BuildFileOptions['onProgress'],
): (stream: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> {
  let total = 0
  for (const { node } of entries) if (node.type === 'file') total += node.content.size
  let done = 0
  return async function* (stream) {
    for await (const chunk of stream) {
      done = Math.min(done + chunk.length, total)
      onProgress?.({ done, total })
      yield chunk
    }
  }
}

async function ownVersion(): Promise<string> {
  // Beside dist/ in the package, two levels up in the sources.
  for (const path of ['../package.json', '../../package.json']) {
    const text = await readFile(new URL(path, import.meta.url), 'utf8').catch(() => '')
    if (text !== '') return (JSON.parse(text) as { version: string }).version
  }
  return '0'
}
