import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import {
  bytesSource,
  describeImage,
  type DescribeImageOptions,
  type EifDescription,
} from '@enclavejs/eif'

/** One section of a fixture; `header` fields may lie. */
export interface FixtureSection {
  readonly type: number
  readonly data: Uint8Array | string
  readonly flags?: number
  /** What the section's own header says its size is. */
  readonly size?: bigint
  /** Bytes before the section that belong to none. */
  readonly gap?: Uint8Array
}

/** What a fixture's header says; everything has the value that makes the file good. */
export interface FixtureHeader {
  readonly magic?: string
  readonly version?: number
  readonly flags?: number
  readonly count?: number
  readonly reserved?: number
  readonly unused?: number
  readonly offsets?: Readonly<Record<number, bigint>>
  readonly sizes?: Readonly<Record<number, bigint>>
  readonly crc?: number
  readonly trailing?: Uint8Array
}

export const KERNEL = 1
export const CMDLINE = 2
export const RAMDISK = 3
export const SIGNATURE = 4
export const METADATA = 5

const encoder = new TextEncoder()

export const bytes = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)

export const METADATA_JSON: string = JSON.stringify({
  ImageName: 'fixture',
  ImageVersion: '1',
  BuildMetadata: {
    BuildTime: '1970-01-01T00:00:00+00:00',
    BuildTool: 'fixture',
    BuildToolVersion: '0',
    OperatingSystem: 'Linux',
    KernelVersion: '6.12',
  },
  DockerInfo: { Id: 'x' },
  CustomMetadata: { team: 'a' },
})

/** The sections of a good image. */
export const SECTIONS: readonly FixtureSection[] = [
  { type: KERNEL, data: 'a kernel of no known format, long enough to be one' },
  { type: CMDLINE, data: 'console=ttyS0 reboot=k' },
  { type: METADATA, data: METADATA_JSON },
  { type: RAMDISK, data: '070701-boot!' },
  { type: RAMDISK, data: '070701-application' },
]

/** An image out of its parts, put together here and not by the writer under test. */
export function imageOf(
  sections: readonly FixtureSection[] = SECTIONS,
  header: FixtureHeader = {},
): Uint8Array<ArrayBuffer> {
  const body: Uint8Array[] = []
  const offsets: number[] = []
  const sizes: number[] = []
  let offset = 548
  for (const { type, data, flags = 0, size, gap } of sections) {
    if (gap !== undefined) {
      body.push(gap)
      offset += gap.length
    }
    const content = typeof data === 'string' ? bytes(data) : data
    const own = new DataView(new ArrayBuffer(12))
    own.setUint16(0, type)
    own.setUint16(2, flags)
    own.setBigUint64(4, size ?? BigInt(content.length))
    body.push(new Uint8Array(own.buffer), content)
    offsets.push(offset)
    sizes.push(content.length)
    offset += 12 + content.length
  }
  const file = new Uint8Array([
    ...new Uint8Array(548),
    ...Buffer.concat(body),
    ...(header.trailing ?? []),
  ])
  const view = new DataView(file.buffer)
  file.set(bytes(header.magic ?? '.eif'))
  view.setUint16(4, header.version ?? 4)
  view.setUint16(6, header.flags ?? 0)
  view.setUint16(24, header.reserved ?? 0)
  view.setUint16(26, header.count ?? sections.length)
  view.setUint32(540, header.unused ?? 0)
  for (let index = 0; index < 32; index++) {
    view.setBigUint64(28 + 8 * index, header.offsets?.[index] ?? BigInt(offsets[index] ?? 0))
    view.setBigUint64(284 + 8 * index, header.sizes?.[index] ?? BigInt(sizes[index] ?? 0))
  }
  view.setUint32(544, header.crc ?? crcOf(file))
  return file
}

export function crcOf(file: Uint8Array): number {
  return crc32(file.subarray(548), crc32(file.subarray(0, 544)))
}

export const createSha384 = (): ReturnType<typeof createHash> => createHash('sha384')

/** The time that fixtures are judged at. */
export const NOW: Date = new Date('2026-06-01T00:00:00Z')

export function describeBytes(
  file: Uint8Array,
  options: Partial<DescribeImageOptions> = {},
): Promise<EifDescription> {
  return describeImage(bytesSource(file), {
    createHash: createSha384,
    currentDate: NOW,
    ...options,
  })
}

/** SHA-384(48 zero bytes ‖ SHA-384(data)), said again. */
export function ext(...data: readonly (Uint8Array | string)[]): string {
  const inner = createHash('sha384')
  for (const part of data) inner.update(part)
  return createHash('sha384').update(new Uint8Array(48)).update(inner.digest()).digest('hex')
}

/** The `code` of what a call refuses with, or the class of another error; `accepted` when it does not refuse. */
export async function outcome(call: () => unknown): Promise<string> {
  try {
    await call()
    return 'accepted'
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).name
  }
}
