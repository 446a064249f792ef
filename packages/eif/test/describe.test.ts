import { expect, test } from 'vitest'
import { blobSource, describeImage, measureImage, bytesSource, type Sha384 } from '@enclavejs/eif'
import {
  bytes,
  CMDLINE,
  createSha384,
  crcOf,
  describeBytes,
  ext,
  imageOf,
  KERNEL,
  METADATA,
  METADATA_JSON,
  NOW,
  outcome,
  RAMDISK,
  SECTIONS,
  type FixtureHeader,
  type FixtureSection,
} from './fixture.ts'

const [kernel, cmdline, metadata, boot, application] = SECTIONS as FixtureSection[]
const text = (section: FixtureSection | undefined): string => section?.data as string
const change = (index: number, section: Partial<FixtureSection>): FixtureSection[] =>
  SECTIONS.map((old, at) => (at === index ? { ...old, ...section } : old))

test('a good image: its measurements follow the formulas, and nothing is doubtful', async () => {
  const { pcrs, warnings, cmdline: line, kernel: image } = await describeBytes(imageOf())
  expect(warnings).toEqual([])
  expect(pcrs).toEqual({
    0: ext(text(kernel), text(cmdline), text(boot), text(application)),
    1: ext(text(kernel), text(cmdline), text(boot)),
    2: ext(text(application)),
  })
  expect(line.text).toBe('console=ttyS0 reboot=k')
  expect(image.sha384).toBe(createSha384().update(text(kernel)).digest('hex'))
})

test.each<[string, FixtureSection[]]>([
  [
    'command line before kernel',
    [cmdline, kernel, metadata, boot, application] as FixtureSection[],
  ],
  ['command line last', [kernel, metadata, boot, application, cmdline] as FixtureSection[]],
  ['one ramdisk', [kernel, cmdline, metadata, boot] as FixtureSection[]],
  [
    'four ramdisks',
    [kernel, cmdline, metadata, boot, application, { ...boot }, { ...boot }] as FixtureSection[],
  ],
])(
  '%s: hashing the common prefix once gives what hashing everything gives',
  async (_, sections) => {
    const measured = sections.filter(({ type }) => type !== METADATA)
    const ramdisks = measured.filter(({ type }) => type === RAMDISK)
    const later = ramdisks.slice(1)
    const pcrs = {
      0: ext(...measured.map(text)),
      1: ext(...measured.filter((section) => !later.includes(section)).map(text)),
      2: ext(...later.map(text)),
    }
    const file = imageOf(sections)
    expect((await describeBytes(file)).pcrs).toEqual(pcrs)
    const createHash = (): Sha384 => {
      const hash = createSha384()
      return { update: (data) => hash.update(data), digest: () => hash.digest() }
    }
    expect((await describeBytes(file, { createHash })).pcrs).toEqual(pcrs)
  },
)

test.each<[string, Uint8Array]>([
  ['ERR_EIF_TRUNCATED', imageOf().subarray(0, 547)],
  ['ERR_EIF_TRUNCATED', imageOf().subarray(0, -1)],
  ['ERR_EIF_TRUNCATED', new Uint8Array()],
  ['ERR_EIF_MAGIC', imageOf(SECTIONS, { magic: '.elf' })],
  ['ERR_EIF_VERSION', imageOf(SECTIONS, { version: 1 })],
  ['ERR_EIF_VERSION', imageOf(SECTIONS, { version: 5 })],
  ['ERR_EIF_SECTION_COUNT', imageOf([], {})],
  ['ERR_EIF_SECTION_COUNT', imageOf(SECTIONS, { count: 33 })],
  ['ERR_EIF_RESERVED_BITS', imageOf(SECTIONS, { flags: 2 })],
  ['ERR_EIF_RESERVED_BITS', imageOf(SECTIONS, { reserved: 1 })],
  ['ERR_EIF_RESERVED_BITS', imageOf(SECTIONS, { unused: 1 })],
  ['ERR_EIF_RESERVED_BITS', imageOf(SECTIONS, { offsets: { 9: 548n } })],
  ['ERR_EIF_RESERVED_BITS', imageOf(SECTIONS, { sizes: { 31: 1n } })],
  ['ERR_EIF_RESERVED_BITS', imageOf(change(3, { flags: 1 }))],
  ['ERR_EIF_OFFSET_OUT_OF_RANGE', imageOf(SECTIONS, { offsets: { 4: 1n << 40n } })],
  ['ERR_EIF_OFFSET_OUT_OF_RANGE', imageOf(SECTIONS, { offsets: { 4: (1n << 64n) - 1n } })],
  ['ERR_EIF_TRUNCATED', imageOf(SECTIONS, { sizes: { 4: (1n << 64n) - 1n } })],
  ['ERR_EIF_OVERLAP', imageOf(SECTIONS, { offsets: { 0: 500n } })],
  ['ERR_EIF_OVERLAP', imageOf(SECTIONS, { offsets: { 1: 549n } })],
  ['ERR_EIF_SIZE_MISMATCH', imageOf(SECTIONS, { sizes: { 4: 3n } })],
  ['ERR_EIF_SIZE_MISMATCH', imageOf(change(4, { size: 1n << 62n }))],
  ['ERR_EIF_INVALID_SECTION', imageOf([...SECTIONS, { type: 0, data: '' }])],
  ['ERR_EIF_INVALID_SECTION', imageOf([...SECTIONS, { type: 6, data: '' }])],
  ['ERR_EIF_DUPLICATE_SECTION', imageOf([...SECTIONS, { type: KERNEL, data: 'k' }])],
  ['ERR_EIF_DUPLICATE_SECTION', imageOf([...SECTIONS, { type: CMDLINE, data: 'c' }])],
  ['ERR_EIF_DUPLICATE_SECTION', imageOf([...SECTIONS, { type: METADATA, data: '{}' }])],
  ['ERR_EIF_MISSING_SECTION', imageOf(SECTIONS.filter(({ type }) => type !== KERNEL))],
  ['ERR_EIF_MISSING_SECTION', imageOf(SECTIONS.filter(({ type }) => type !== CMDLINE))],
  ['ERR_EIF_MISSING_SECTION', imageOf(SECTIONS.filter(({ type }) => type !== METADATA))],
  ['ERR_EIF_SECTION_ORDER', imageOf([boot, kernel, cmdline, metadata] as FixtureSection[])],
  ['ERR_EIF_TRAILING_BYTES', imageOf(SECTIONS, { trailing: bytes('x') })],
  ['ERR_EIF_TRAILING_BYTES', imageOf(SECTIONS, { trailing: new Uint8Array(40) })],
  ['ERR_EIF_CRC', imageOf(SECTIONS, { crc: crcOf(imageOf()) ^ 1 })],
  ['ERR_EIF_SIGNATURE', imageOf([...SECTIONS, { type: 4, data: '' }])],
])('%s', async (code, file) => {
  expect(await outcome(() => describeBytes(file))).toBe(code)
})

test('two entries that change places are refused, whichever of them is read', async () => {
  const good = await describeBytes(imageOf())
  const [, , , first, second] = good.sections
  const swapped: FixtureHeader = {
    offsets: { 3: BigInt(second?.offset as number), 4: BigInt(first?.offset as number) },
    sizes: { 3: BigInt(second?.size as number), 4: BigInt(first?.size as number) },
  }
  expect(await outcome(() => describeBytes(imageOf(SECTIONS, swapped)))).toBe(
    'ERR_EIF_SECTION_ORDER',
  )
})

/** A bzImage of 1024 bytes as far as its header goes. */
function bzImage(release = '6.12.95 (root@vm)'): Uint8Array {
  const image = new Uint8Array(1024)
  const view = new DataView(image.buffer)
  view.setUint8(0x1f1, 1)
  view.setUint32(0x1f4, 0, true)
  image.set(bytes('HdrS'), 0x202)
  view.setUint16(0x20e, 0x80, true)
  image.set(bytes(`${release}\0`), 0x280)
  return image
}

function armImage(): Uint8Array {
  const image = new Uint8Array(128)
  image.set(bytes('ARM\x64'), 56)
  return image
}

test.each<[string, Uint8Array]>([
  ['gap', imageOf(change(2, { gap: bytes('four') }))],
  ['unusual-order', imageOf([kernel, metadata, cmdline, boot] as FixtureSection[])],
  ['new-flags', imageOf(SECTIONS, { flags: 0x240 })],
  ['section-version', imageOf(SECTIONS, { version: 3 })],
  ['no-ramdisk', imageOf(SECTIONS.slice(0, 3))],
  ['cmdline-control-bytes', imageOf(change(1, { data: 'console=ttyS0\0 x' }))],
  ['cmdline-control-bytes', imageOf(change(1, { data: 'console=ttyS0 é' }))],
  ['cmdline-length', imageOf(change(1, { data: 'a'.repeat(2048) }))],
  ['cmdline-length', imageOf(change(1, { data: 'a'.repeat(100_000) }))],
  ['cmdline-review', imageOf(change(1, { data: 'console=ttyS0 rdinit=/bin/sh' }))],
  ['cmdline-review', imageOf(change(1, { data: 'console=netcon0' }))],
  ['kernel-length', imageOf(change(0, { data: Buffer.concat([bzImage(), bytes('x')]) }))],
  ['kernel-architecture', imageOf(change(0, { data: armImage() }))],
  ['kernel-architecture', imageOf(change(0, { data: bzImage() }), { flags: 1 })],
  ['ramdisk-alignment', imageOf(change(3, { data: '070701-boot' }))],
  ['metadata-unreadable', imageOf(change(2, { data: '{"a":' }))],
  ['metadata-unreadable', imageOf(change(2, { data: '[]' }))],
  ['metadata-unreadable', imageOf(change(2, { data: new Uint8Array([0x22, 0xff, 0x22]) }))],
  ['metadata-unreadable', imageOf(change(2, { data: `"${'a'.repeat(1 << 20)}"` }))],
])('warning %s', async (code, file) => {
  const { warnings } = await describeBytes(file)
  expect(warnings.map((warning) => warning.code)).toEqual([code])
})

test('a kernel names itself, and one that is too old for Node is noted', async () => {
  const now = await describeBytes(imageOf(change(0, { data: bzImage() })))
  expect(now.kernel).toMatchObject({ format: 'bzImage', release: '6.12.95' })
  expect(now.warnings).toEqual([])
  expect(now.notes.map(({ code }) => code)).not.toContain('kernel-below-node')
  const old = await describeBytes(imageOf(change(0, { data: bzImage('4.14.256-209.484.amzn2') })))
  expect(old.notes.map(({ code }) => code)).toContain('kernel-below-node')
  const arm = await describeBytes(imageOf(change(0, { data: armImage() }), { flags: 1 }))
  expect(arm.kernel.format).toBe('arm64-image')
  expect(arm.warnings).toEqual([])
})

test('bytes that move between kernel and command line change no PCR, and the digests tell', async () => {
  const one = await describeBytes(imageOf(change(0, { data: 'kernel init=/evil ' })))
  const other = await describeBytes(
    imageOf([
      { type: KERNEL, data: 'kernel ' },
      { type: CMDLINE, data: 'init=/evil console=ttyS0 reboot=k' },
      ...SECTIONS.slice(2),
    ]),
  )
  expect(other.pcrs).toEqual(one.pcrs)
  expect(other.kernel.sha384).not.toBe(one.kernel.sha384)
  expect(other.cmdline.sha384).not.toBe(one.cmdline.sha384)
  expect(other.notes.map(({ code }) => code)).toContain('cmdline-init')
})

test('a walk that a hidden section leads astray is told, with its own PCRs', async () => {
  const hidden = Buffer.concat([bytes('\0\x03\0\0\0\0\0\0\0\0\0\x04'), bytes('hide')])
  const { sequentialWalk, pcrs } = await describeBytes(imageOf(change(4, { gap: hidden })))
  expect(pcrs[2]).toBe(ext(text(application)))
  expect(sequentialWalk).toMatchObject({ pcrs: { 2: ext('hide', text(application)) } })
  const zeros = await describeBytes(imageOf(change(4, { gap: new Uint8Array(64) })))
  expect(zeros.sequentialWalk).toEqual({ failure: expect.stringContaining('type 0') as string })
  const many = Buffer.concat(Array.from({ length: 99 }, () => bytes('\0\x03\0\0\0\0\0\0\0\0\0\0')))
  const empty = await describeBytes(imageOf(change(4, { gap: many })))
  expect(empty.sequentialWalk).toEqual({ failure: 'more than 64 sections' })
})

test('text of the image cannot forge a line of output', async () => {
  const { cmdline: line } = await describeBytes(
    imageOf(change(1, { data: 'a\nPCR0: good\x1b[2J' })),
  )
  expect(line.text).toBe('a\\u{a}PCR0: good\\u{1b}[2J')
})

test('measureImage refuses what is doubtful, unless it is told to take it', async () => {
  const source = bytesSource(imageOf(SECTIONS.slice(0, 3)))
  const options = { createHash: createSha384, currentDate: NOW }
  expect(await outcome(() => measureImage(source, options))).toBe('ERR_EIF_DOUBTFUL')
  const pcrs = await measureImage(source, { ...options, allowDoubtful: true })
  expect(pcrs[0]).toBe(ext(text(kernel), text(cmdline)))
})

test('a source that breaks its promise, or fails, ends in ERR_EIF_READ', async () => {
  const file = imageOf()
  const options = { createHash: createSha384 }
  const shrunk = { size: file.length, read: bytesSource(file.subarray(0, -3)).read }
  expect(await outcome(() => describeImage(shrunk, options))).toBe('ERR_EIF_READ')
  const tooMuch = { size: file.length, read: async () => file.length + 1 }
  expect(await outcome(() => describeImage(tooMuch, options))).toBe('ERR_EIF_READ')
  const empty = { size: file.length, read: async () => 0 }
  expect(await outcome(() => describeImage(empty, options))).toBe('ERR_EIF_READ')
  const failing = { size: file.length, read: () => Promise.reject(new Error('disk')) }
  expect(await outcome(() => describeImage(failing, options))).toBe('ERR_EIF_READ')
})

test('reads of any size give the same', async () => {
  const file = imageOf(change(4, { data: new Uint8Array(3 << 20).fill(7) }))
  const whole = await describeBytes(file)
  const { read } = bytesSource(file)
  const slow = {
    size: file.length,
    read: (offset: number, buffer: Uint8Array) => read(offset, buffer.subarray(0, 70_001)),
  }
  const options = { createHash: createSha384, currentDate: NOW }
  expect(await describeImage(slow, options)).toEqual(whole)
  expect(await describeImage(blobSource(new Blob([file])), options)).toEqual(whole)
})

test('progress ends at the end, and a signal ends the reading', async () => {
  const file = imageOf(change(4, { data: new Uint8Array(3 << 20) }))
  const seen: number[] = []
  await describeBytes(file, { onProgress: ({ done }) => void seen.push(done) })
  expect(seen.at(-1)).toBe(file.length)
  expect(seen.length).toBe(4)
  const reason = new Error('enough')
  await expect(describeBytes(file, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('what the caller does wrong is a TypeError', async () => {
  const source = bytesSource(imageOf())
  const wrong = (options: object): Promise<string> =>
    outcome(() => describeImage(source, options as Parameters<typeof describeImage>[1]))
  expect(await wrong({})).toBe('TypeError')
  expect(await wrong({ createHash: createSha384, allowDoubtful: true })).toBe('TypeError')
  expect(await wrong({ createHash: createSha384, currentDate: new Date(Number.NaN) })).toBe(
    'TypeError',
  )
  const { createHash } = await import('node:crypto')
  expect(await wrong({ createHash: () => createHash('sha256') })).toBe('TypeError')
  expect(METADATA_JSON).toContain('fixture')
})
