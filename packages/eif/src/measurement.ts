import { toHex } from './bytes.ts'
import { CRC_OFFSET } from './header.ts'
import { dataOffset, endOffset, type EifSection, type EifSectionType } from './section.ts'
import { extendZero, type CreateHash, type Sha384 } from './sha384.ts'
import { readChunks, type EifSource } from './source.ts'
import type { Crc32 } from './crc32.ts'

/** PCR0, 1 and 2 as 96 hex digits each. */
export type ImagePcrs = { readonly 0: string; readonly 1: string; readonly 2: string }

/**
 * The three measurements of an image, fed section by section in file order. PCR0 = EXT(kernel, command line, ramdisks),
 * PCR1 = EXT(kernel, command line, first ramdisk), PCR2 = EXT(the other ramdisks). What PCR0 and PCR1 share is hashed
 * once: PCR1 forks off where the second ramdisk begins.
 */
export class ImageMeasurement {
  readonly #createHash: CreateHash
  readonly #image: Sha384
  #bootstrap: Sha384 | undefined
  readonly #application: Sha384
  #kernel: Sha384 | undefined
  #kernelDigest: string | undefined
  #ramdisks = 0
  #type: EifSectionType | undefined
  #measured = 0

  constructor(createHash: CreateHash) {
    this.#createHash = createHash
    this.#image = createHash()
    this.#application = createHash()
    if (this.#image.copy === undefined) this.#bootstrap = createHash()
  }

  begin(type: EifSectionType): void {
    this.#type = type
    if (type === 'ramdisk') {
      this.#ramdisks++
      if (this.#ramdisks === 2) this.#bootstrap ??= this.#image.copy?.()
    } else if (type === 'kernel' && (this.#measured > 0 || this.#image.copy === undefined)) {
      this.#kernel = this.#createHash()
    }
  }

  update(bytes: Uint8Array): void {
    const type = this.#type
    if (type === 'metadata' || type === 'signature') return
    this.#image.update(bytes)
    if (type === 'ramdisk' && this.#ramdisks > 1) this.#application.update(bytes)
    else this.#bootstrap?.update(bytes)
    if (type === 'kernel') this.#kernel?.update(bytes)
    this.#measured += bytes.length
  }

  end(): void {
    if (this.#type !== 'kernel') return
    this.#kernelDigest = toHex((this.#kernel ?? (this.#image.copy as () => Sha384)()).digest())
  }

  finish(): { readonly pcrs: ImagePcrs; readonly kernelSha384: string } {
    const image = this.#image.digest()
    const bootstrap = this.#bootstrap?.digest() ?? image
    return {
      pcrs: {
        0: extendZero(this.#createHash, image),
        1: extendZero(this.#createHash, bootstrap),
        2: extendZero(this.#createHash, this.#application.digest()),
      },
      kernelSha384: this.#kernelDigest as string,
    }
  }
}

/** How far a pass is, in bytes of the file. */
export interface EifProgress {
  readonly done: number
  readonly total: number
}

/** What {@link passOver} is told. */
export interface PassOptions {
  readonly createHash: CreateHash
  readonly crc32: Crc32
  readonly onProgress?: ((progress: EifProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** What one pass over the file finds. */
export interface PassResult {
  readonly pcrs: ImagePcrs
  readonly kernelSha384: string
  /** CRC-32 of the file without its own four bytes, gaps included. */
  readonly crc32: number
  /** The first bytes of each section, as many as {@link KEEP} says, in the order of `sections`. */
  readonly beginnings: readonly Uint8Array[]
}

/** How much of a section's beginning is kept for whoever looks at it. */
const KEEP: Readonly<Record<EifSectionType, number>> = {
  kernel: 0x1_1000,
  cmdline: 1 << 16,
  ramdisk: 8,
  metadata: 1 << 20,
  signature: 1 << 15,
}

/** Reads the file once, from its first byte to its last, and measures the given sections, which are in file order. */
export async function passOver(
  source: EifSource,
  sections: readonly EifSection[],
  options: PassOptions,
): Promise<PassResult> {
  const measurement = new ImageMeasurement(options.createHash)
  const beginnings = sections.map(({ type, size }) => new Uint8Array(Math.min(size, KEEP[type])))
  let crc = 0
  let offset = 0
  let next = 0
  let open = false
  for await (const chunk of readChunks(source, 0, source.size)) {
    options.signal?.throwIfAborted()
    const end = offset + chunk.length
    crc = offset === 0 ? withoutOwn(chunk, options.crc32) : options.crc32(chunk, crc)
    for (let section = sections[next]; section !== undefined; section = sections[next]) {
      const from = dataOffset(section)
      const to = endOffset(section)
      if (from > end) break
      if (!open) measurement.begin(section.type)
      open = true
      const part = chunk.subarray(Math.max(from - offset, 0), to - offset)
      measurement.update(part)
      const kept = beginnings[next] as Uint8Array
      const at = Math.max(offset - from, 0)
      if (at < kept.length) kept.set(part.subarray(0, kept.length - at), at)
      if (to > end) break
      measurement.end()
      open = false
      next++
    }
    offset = end
    options.onProgress?.({ done: offset, total: source.size })
  }
  return { ...measurement.finish(), crc32: crc, beginnings }
}

/** The first chunk's checksum, without the field that holds the checksum. */
function withoutOwn(chunk: Uint8Array, crc32: Crc32): number {
  const before = crc32(chunk.subarray(0, CRC_OFFSET))
  return crc32(chunk.subarray(CRC_OFFSET + 4), before)
}

/** The measurements alone, for sections that another walk found. */
export async function measureSections(
  source: EifSource,
  sections: readonly EifSection[],
  createHash: CreateHash,
  signal: AbortSignal | undefined,
): Promise<ImagePcrs> {
  const measurement = new ImageMeasurement(createHash)
  for (const section of sections) {
    measurement.begin(section.type)
    for await (const chunk of readChunks(source, dataOffset(section), endOffset(section))) {
      signal?.throwIfAborted()
      measurement.update(chunk)
    }
    measurement.end()
  }
  return measurement.finish().pcrs
}
