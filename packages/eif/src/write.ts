import { combineCrc32, crc32 as ownCrc32, type Crc32 } from './crc32.ts'
import type { EifPcrs } from './describe.ts'
import { EifError } from './error.ts'
import { encodeHeader, HEADER_SIZE, MAX_SECTIONS, type EifArchitecture } from './header.ts'
import { ImageMeasurement } from './measurement.ts'
import { refuseUnknownKeys } from './option.ts'
import { extendZero, sha384 } from './sha384.ts'
import { firstCertificate } from './signing-certificate.ts'
import { checkCreateHash, type CreateHash } from './sha384.ts'
import { signPcr0, type EifSigner } from './signer.ts'
import { readChunks, type EifSource } from './source.ts'
import {
  encodeSectionHeader,
  SECTION_HEADER_SIZE,
  type EifSection,
  type EifSectionType,
} from './section.ts'

/** Where an image is written: a file, an array. Places are written once, except that the header comes last. */
export interface EifSink {
  write(offset: number, bytes: Uint8Array): Promise<void>
}

/** Bytes of a section: an array, a source, or a stream of unknown length. */
export type EifPart = Uint8Array | EifSource | AsyncIterable<Uint8Array>

/** What an image is made of. */
export interface WriteImageOptions {
  readonly architecture: EifArchitecture
  /** x86_64: a bzImage. aarch64: an `Image`. */
  readonly kernel: EifPart
  /** Printable ASCII, 1 to 2047 bytes. */
  readonly cmdline: string
  /** 1 to 28. The first one is in PCR1, the others are in PCR2. */
  readonly ramdisks: readonly EifPart[]
  /** The metadata section; see `encodeMetadata`. */
  readonly metadata: Uint8Array
  /** Without it the image is not signed, and has no PCR8. */
  readonly signer?: EifSigner
  readonly createHash: CreateHash
  readonly crc32?: Crc32
}

/** What was written. */
export interface WrittenImage {
  /** Bytes of the file. */
  readonly size: number
  readonly pcrs: EifPcrs
  readonly sections: readonly EifSection[]
}

const KEYS = [
  ...['architecture', 'kernel', 'cmdline', 'ramdisks', 'metadata', 'signer'],
  ...['createHash', 'crc32'],
]
const DEFAULT_MEMORY = 1_073_741_824n
const DEFAULT_CPUS = 2n

/**
 * Writes an enclave image of version 4, in the layout of nitro-cli: kernel, command line, metadata, ramdisks, signature.
 * The same inputs give the same bytes, the signature apart: ECDSA signatures are random unless the signer's are not.
 *
 * @returns the PCRs, measured while writing; they equal what `describeImage` says of the file.
 * @throws {EifError} `ERR_EIF_BUILD` for a kernel, command line or number of ramdisks that no enclave boots;
 *   `ERR_EIF_SIGNER` when signing fails; `ERR_EIF_READ` when a source does.
 */
export async function writeImage(sink: EifSink, options: WriteImageOptions): Promise<WrittenImage> {
  refuseUnknownKeys(options, KEYS, 'options')
  const createHash = checkCreateHash(options.createHash)
  const cmdline = encodeCmdline(options.cmdline)
  const { ramdisks, architecture } = options
  const most = MAX_SECTIONS - 3 - (options.signer === undefined ? 0 : 1)
  if (ramdisks.length === 0 || ramdisks.length > most) {
    throw new EifError('ERR_EIF_BUILD', `1 to ${most} ramdisks expected, ${ramdisks.length} given`)
  }
  if (architecture !== 'x86_64' && architecture !== 'aarch64') {
    throw new TypeError('architecture must be x86_64 or aarch64')
  }
  const writer = new SectionWriter(sink, createHash, options.crc32 ?? ownCrc32)
  const kernel = await writer.section('kernel', options.kernel)
  if (kernel.size === 0) throw new EifError('ERR_EIF_BUILD', 'The kernel is empty')
  await writer.section('cmdline', cmdline)
  await writer.section('metadata', new Uint8Array(options.metadata))
  for (const ramdisk of ramdisks) await writer.section('ramdisk', ramdisk)
  const { pcrs } = writer.measurement.finish()
  let signed: EifPcrs = pcrs
  if (options.signer !== undefined) {
    const { certificate } = options.signer
    await writer.section('signature', await signPcr0(pcrs[0], options.signer))
    const pem =
      typeof certificate === 'string' ? new TextEncoder().encode(certificate) : certificate
    signed = { ...pcrs, 8: extendZero(createHash, sha384(createHash, firstCertificate(pem))) }
  }
  await writer.header(architecture)
  return { size: writer.offset, pcrs: signed, sections: writer.sections }
}

class SectionWriter {
  readonly #sink: EifSink
  readonly #crc32: Crc32
  readonly measurement: ImageMeasurement
  readonly sections: EifSection[] = []
  offset: number = HEADER_SIZE
  #crc = 0

  constructor(sink: EifSink, createHash: CreateHash, crc32: Crc32) {
    this.#sink = sink
    this.#crc32 = crc32
    this.measurement = new ImageMeasurement(createHash)
  }

  /** Writes the data first: a stream's length is known when it has ended. */
  async section(type: EifSectionType, part: EifPart): Promise<EifSection> {
    const offset = this.offset
    const measured = type !== 'signature'
    let end = offset + SECTION_HEADER_SIZE
    let crc = 0
    if (measured) this.measurement.begin(type)
    for await (const bytes of partChunks(part)) {
      await this.#sink.write(end, bytes)
      if (measured) this.measurement.update(bytes)
      crc = this.#crc32(bytes, crc)
      end += bytes.length
    }
    if (measured) this.measurement.end()
    const size = end - offset - SECTION_HEADER_SIZE
    const header = encodeSectionHeader(type, size)
    await this.#sink.write(offset, header)
    this.#crc = combineCrc32(this.#crc32(header, this.#crc), crc, size)
    const section = { type, offset, size }
    this.sections.push(section)
    this.offset = end
    return section
  }

  async header(architecture: EifArchitecture): Promise<void> {
    const header = {
      version: 4,
      architecture,
      flags: architecture === 'aarch64' ? 1 : 0,
      defaultMemory: DEFAULT_MEMORY,
      defaultCpus: DEFAULT_CPUS,
      crc32: 0,
    }
    const table = this.sections.map(({ offset, size }) => ({
      offset: BigInt(offset),
      size: BigInt(size),
    }))
    const bytes = encodeHeader(header, table)
    const own = this.#crc32(bytes.subarray(0, HEADER_SIZE - 4))
    const crc32 = combineCrc32(own, this.#crc, this.offset - HEADER_SIZE)
    await this.#sink.write(0, encodeHeader({ ...header, crc32 }, table))
  }
}

async function* partChunks(part: EifPart): AsyncGenerator<Uint8Array> {
  if (part instanceof Uint8Array) {
    if (part.length > 0) yield part
  } else if ('read' in part) yield* readChunks(part, 0, part.size)
  else yield* part
}

function encodeCmdline(cmdline: string): Uint8Array {
  if (typeof cmdline !== 'string') throw new TypeError('cmdline must be a string')
  if (!/^[ -~]{1,2047}$/.test(cmdline)) {
    throw new EifError(
      'ERR_EIF_BUILD',
      'The command line must be 1 to 2047 characters of printable ASCII, without NUL or newline',
    )
  }
  return new TextEncoder().encode(cmdline)
}

/** A sink in memory, for images that fit there. */
export function memorySink(): EifSink & { bytes(): Uint8Array } {
  let buffer = new Uint8Array(1 << 16)
  let length = 0
  return {
    async write(offset, bytes) {
      const end = offset + bytes.length
      if (end > buffer.length) {
        const grown = new Uint8Array(Math.max(end, 2 * buffer.length))
        grown.set(buffer.subarray(0, length))
        buffer = grown
      }
      buffer.set(bytes, offset)
      length = Math.max(length, end)
    },
    bytes: () => buffer.slice(0, length),
  }
}
