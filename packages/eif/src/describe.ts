import { inspectCmdline, type EifCmdline } from './cmdline.ts'
import { crc32 as ownCrc32, type Crc32 } from './crc32.ts'
import { EifError } from './error.ts'
import { Findings, type EifNote, type EifWarning } from './finding.ts'
import { decodeHeader, HEADER_SIZE, type EifHeader } from './header.ts'
import { inspectKernel, type EifKernel } from './kernel.ts'
import { inspectLayout } from './layout.ts'
import { measureSections, passOver, type EifProgress, type ImagePcrs } from './measurement.ts'
import { inspectMetadata, type UnverifiedMetadata } from './metadata.ts'
import { refuseUnknownKeys } from './option.ts'
import { inspectRamdisks, type EifRamdisk } from './ramdisk-format.ts'
import { dataOffset, readSectionTable, type EifGap, type EifSection } from './section.ts'
import { sameSections, walkSequentially } from './sequential-walk.ts'
import { checkCreateHash, sha384, type CreateHash } from './sha384.ts'
import { inspectSignature, platformSubtle, type EifSignature, type Subtle } from './signature.ts'
import { readBytes, type EifSource } from './source.ts'
import { toHex } from './bytes.ts'

/** PCRs of an image as lower-case hex. PCR8 only of a signed one. */
export type EifPcrs = ImagePcrs & { readonly 8?: string }

/** Everything that can be said of an image. PCRs are computed from its bytes; header and metadata prove nothing. */
export interface EifDescription {
  /** Bytes of the file. */
  readonly size: number
  readonly header: EifHeader
  /** What the hypervisor loads, in file order. */
  readonly sections: readonly EifSection[]
  readonly gaps: readonly EifGap[]
  readonly pcrs: EifPcrs
  readonly kernel: EifKernel
  readonly cmdline: EifCmdline
  readonly ramdisks: readonly EifRamdisk[]
  readonly metadata: UnverifiedMetadata | undefined
  readonly signature: EifSignature | undefined
  /** Only where it differs: what a reader sees that walks from section to section, as `nitro-cli describe-eif` does. */
  readonly sequentialWalk: { readonly pcrs: ImagePcrs } | { readonly failure: string } | undefined
  /** Reasons to doubt the image. Empty for a good one. */
  readonly warnings: readonly EifWarning[]
  /** True of good images too. */
  readonly notes: readonly EifNote[]
}

/** Options of {@link describeImage}. */
export interface DescribeImageOptions {
  /** Begins a SHA-384: in Node `() => createHash('sha384')`. */
  readonly createHash: CreateHash
  /** Default: a CRC-32 in JavaScript, about 1 GB/s. `node:zlib` has a faster one. */
  readonly crc32?: Crc32
  /** The time at which the signing certificate's dates are judged. Default: the clock, read once. */
  readonly currentDate?: Date
  /** Default `globalThis.crypto.subtle`. */
  readonly subtle?: Subtle
  /** Called after every part that was read, at most 1 MiB. */
  readonly onProgress?: (progress: EifProgress) => void
  /** Ends the reading; its reason is thrown. */
  readonly signal?: AbortSignal
}

const KEYS = ['createHash', 'crc32', 'currentDate', 'subtle', 'onProgress', 'signal']

/**
 * Reads an enclave image once, measures it and inspects it. Memory does not grow with the image: two buffers of 1 MiB,
 * and at most 2 MiB of command line, metadata and signature.
 *
 * It proves which PCRs the Nitro hypervisor measures for these bytes. It does not prove who made the image (PCR8 is the
 * hash of a certificate that anyone can put there), nor anything that the header and the metadata say.
 *
 * ```ts
 * import { createHash } from 'node:crypto'
 * import { bytesSource, describeImage } from '@enclavejs/eif'
 *
 * export async function pcr0Of(image: Uint8Array): Promise<string> {
 *   const { pcrs, warnings } = await describeImage(bytesSource(image), {
 *     createHash: () => createHash('sha384'),
 *   })
 *   if (warnings.length > 0) throw new Error(warnings[0]?.message)
 *   return pcrs[0]
 * }
 * ```
 *
 * @throws {EifError} when the image is one that the hypervisor would refuse, or that two readers would read differently
 *   in what they measure; its `code` says by which rule.
 * @throws {TypeError} when the options are wrong.
 */
export async function describeImage(
  source: EifSource,
  options: DescribeImageOptions,
): Promise<EifDescription> {
  refuseUnknownKeys(options, KEYS, 'options')
  const createHash = checkCreateHash(options.createHash)
  const currentDate = readDate(options.currentDate ?? new Date())
  if (!Number.isSafeInteger(source.size) || source.size < 0) {
    throw new TypeError('source.size must be a number of bytes')
  }
  const { header, table } = decodeHeader(
    await readBytes(source, 0, Math.min(source.size, HEADER_SIZE)),
  )
  const { sections, gaps } = await readSectionTable(source, header, table)
  const walk = await walkSequentially(source)
  const pass = await passOver(source, sections, {
    createHash,
    crc32: options.crc32 ?? ownCrc32,
    onProgress: options.onProgress,
    signal: options.signal,
  })
  if (pass.crc32 !== header.crc32) {
    throw new EifError(
      'ERR_EIF_CRC',
      `The header's CRC-32 is ${hex32(header.crc32)}, that of the file ${hex32(pass.crc32)}: damaged or altered`,
    )
  }

  const findings = new Findings()
  inspectLayout(header, sections, gaps, findings)
  const sequentialWalk = sameSections(sections, walk)
    ? undefined
    : 'failure' in walk
      ? walk
      : { pcrs: await measureSections(source, walk.sections, createHash, options.signal) }
  const beginning = (type: EifSection['type']): [Uint8Array, number] | undefined => {
    const index = sections.findIndex((section) => section.type === type)
    const section = sections[index]
    return section && [pass.beginnings[index] as Uint8Array, section.size]
  }
  const [kernelBytes, kernelSize] = beginning('kernel') as [Uint8Array, number]
  const [cmdlineBytes, cmdlineSize] = beginning('cmdline') as [Uint8Array, number]
  const kernel = inspectKernel(
    kernelBytes,
    kernelSize,
    pass.kernelSha384,
    header.architecture,
    findings,
  )
  const cmdlineHash =
    cmdlineSize === cmdlineBytes.length
      ? sha384(createHash, cmdlineBytes)
      : await hashSection(source, sections, 'cmdline', createHash)
  const cmdline = inspectCmdline(cmdlineBytes, cmdlineSize, toHex(cmdlineHash), findings)
  const ramdisks = inspectRamdisks(sections, pass.beginnings, findings)
  const metadataPart = beginning('metadata')
  const metadata = metadataPart && inspectMetadata(...metadataPart, findings)
  const signaturePart = beginning('signature')
  const signed =
    signaturePart &&
    (await inspectSignature(
      ...signaturePart,
      {
        pcr0: pass.pcrs[0],
        createHash,
        currentDate,
        subtle: options.subtle ?? platformSubtle(),
      },
      findings,
    ))
  return {
    size: source.size,
    header,
    sections,
    gaps,
    pcrs: signed === undefined ? pass.pcrs : { ...pass.pcrs, 8: signed.pcr8 },
    kernel,
    cmdline,
    ramdisks,
    metadata,
    signature: signed?.signature,
    sequentialWalk,
    warnings: findings.warnings,
    notes: findings.notes,
  }
}

/**
 * The PCRs of an image and nothing else: {@link describeImage} for those who only measure. A doubtful image is refused,
 * because its PCRs need a person to look at them.
 *
 * @throws {EifError} `ERR_EIF_DOUBTFUL` when there are warnings, without `allowDoubtful`; else as `describeImage`.
 */
export async function measureImage(
  source: EifSource,
  options: DescribeImageOptions & { readonly allowDoubtful?: boolean },
): Promise<EifPcrs> {
  const { allowDoubtful = false, ...rest } = options
  if (typeof allowDoubtful !== 'boolean') throw new TypeError('allowDoubtful must be true or false')
  const description = await describeImage(source, rest)
  if (!allowDoubtful) refuseDoubtful(description)
  return description.pcrs
}

/** @throws {EifError} `ERR_EIF_DOUBTFUL` naming every warning. */
export function refuseDoubtful(description: EifDescription): void {
  if (description.warnings.length === 0) return
  const list = description.warnings.map(({ code, message }) => `${code}: ${message}`).join('; ')
  throw new EifError(
    'ERR_EIF_DOUBTFUL',
    `The inspector warned about this image (${list}); allowDoubtful takes it all the same`,
  )
}

async function hashSection(
  source: EifSource,
  sections: readonly EifSection[],
  type: EifSection['type'],
  createHash: CreateHash,
): Promise<Uint8Array> {
  const section = sections.find((candidate) => candidate.type === type) as EifSection
  const hash = createHash()
  const PART = 1 << 16
  for (let offset = 0; offset < section.size; offset += PART) {
    const length = Math.min(PART, section.size - offset)
    hash.update(await readBytes(source, dataOffset(section) + offset, length))
  }
  return hash.digest()
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0')
}

function readDate(date: Date): number {
  const time = date instanceof Date ? date.getTime() : Number.NaN
  if (Number.isNaN(time)) throw new TypeError('currentDate must be a valid Date')
  return time
}
