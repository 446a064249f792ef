import { crc32 as zlibCrc32 } from 'node:zlib'
import {
  bytesSource,
  crc32,
  encodeMetadata,
  memorySink,
  sectionSource,
  writeImage,
  type EifSection,
  type EifSource,
  type WriteImageOptions,
} from '@enclavejs/eif'
import { pemSigner } from '@enclavejs/eif/node'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { combineCrc32 } from '../src/crc32.ts'
import { bytes, createSha384, describeBytes, outcome } from './fixture.ts'
import { makeSigningKey } from './signing-key.ts'

const metadata = encodeMetadata({
  imageName: 'app',
  imageVersion: '1',
  buildTool: 'test',
  buildToolVersion: '0',
  kernelVersion: '6.12',
  dockerInfo: { b: [{ d: 1, c: 2 }], a: null },
})

const OPTIONS: WriteImageOptions = {
  architecture: 'x86_64',
  kernel: bytes('kernel'),
  cmdline: 'console=ttyS0',
  ramdisks: [bytes('boot'), bytes('application')],
  metadata,
  createHash: createSha384,
}

async function write(change: Partial<WriteImageOptions> = {}): Promise<Uint8Array> {
  const sink = memorySink()
  await writeImage(sink, { ...OPTIONS, ...change })
  return sink.bytes()
}

/** Reads an image, and writes it again from what was read. */
async function rewrite(file: Uint8Array): Promise<Uint8Array> {
  const image = bytesSource(file)
  const { sections, cmdline, header } = await describeBytes(file)
  const part = (section: EifSection): EifSource => sectionSource(image, section)
  const of = (type: string): EifSection[] => sections.filter((section) => section.type === type)
  const meta = of('metadata').map(part)[0] as EifSource
  const buffer = new Uint8Array(meta.size)
  await meta.read(0, buffer)
  return write({
    architecture: header.architecture,
    kernel: of('kernel').map(part)[0] as EifSource,
    cmdline: cmdline.text,
    ramdisks: of('ramdisk').map(part),
    metadata: buffer,
  })
}

test('what is written is a good image, and writing says the PCRs that reading says', async () => {
  const sink = memorySink()
  const written = await writeImage(sink, OPTIONS)
  const read = await describeBytes(sink.bytes())
  expect(read.warnings).toEqual([])
  expect(written.pcrs).toEqual(read.pcrs)
  expect(written.sections).toEqual(read.sections)
  expect(written.size).toBe(read.size)
  expect(read.sections.map(({ type }) => type)).toEqual([
    ...['kernel', 'cmdline', 'metadata', 'ramdisk', 'ramdisk'],
  ])
})

test('build, read and build again: the same bytes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.stringMatching(/^[ -~]{1,60}$/),
      fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 6 }),
      fc.constantFrom('x86_64', 'aarch64') as fc.Arbitrary<'x86_64' | 'aarch64'>,
      async (kernel, cmdline, ramdisks, architecture) => {
        const file = await write({ kernel, cmdline, ramdisks, architecture })
        expect(await rewrite(file)).toEqual(file)
      },
    ),
    { numRuns: 50 },
  )
})

test('streams of unknown length, sources and arrays give the same bytes', async () => {
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield bytes('appli')
    yield bytes('')
    yield bytes('cation')
  }
  const expected = await write()
  expect(await write({ ramdisks: [bytesSource(bytes('boot')), stream()] })).toEqual(expected)
})

test('a signed image is good, and its first sections are those of the unsigned one', async () => {
  const key = makeSigningKey()
  const signer = pemSigner({ certificate: key.certificate, privateKey: key.privateKeyPem })
  const sink = memorySink()
  const written = await writeImage(sink, { ...OPTIONS, signer })
  const read = await describeBytes(sink.bytes())
  expect(read.warnings).toEqual([])
  expect(read.signature?.check).toBe('valid')
  expect(written.pcrs).toEqual(read.pcrs)
  const { pcrs } = await describeBytes(await write())
  expect(read.pcrs).toMatchObject(pcrs)
})

test('metadata: the form of nitro-cli, keys of what is embedded sorted', () => {
  expect(new TextDecoder().decode(metadata)).toBe(
    '{"ImageName":"app","ImageVersion":"1","BuildMetadata":{"BuildTime":"1970-01-01T00:00:00+00:00",' +
      '"BuildTool":"test","BuildToolVersion":"0","OperatingSystem":"Linux","KernelVersion":"6.12"},' +
      '"DockerInfo":{"a":null,"b":[{"c":2,"d":1}]},"CustomMetadata":null}',
  )
})

test('metadata: keys that are numbers or beyond 16 bits stand where serde_json has them', () => {
  const labels = {
    b: 'ü',
    '\u{1f600}': 1,
    '10': [{}],
    '\uff61': [],
    a: '\u007f\u0001"\\/',
    '9': true,
    ab: '',
  }
  const text = new TextDecoder().decode(
    encodeMetadata({
      ...{ imageName: '', imageVersion: '', buildTool: '', buildToolVersion: '' },
      ...{ kernelVersion: '', dockerInfo: labels, customMetadata: { '2': 1, '10': 12345678901 } },
    }),
  )
  // Written by serde_json 1.0.87.
  expect(text.slice(text.indexOf('"DockerInfo"'))).toBe(
    '"DockerInfo":{"10":[{}],"9":true,"a":"\u007f\\u0001\\"\\\\/","ab":"","b":"ü","\uff61":[],"\u{1f600}":1},' +
      '"CustomMetadata":{"10":12345678901,"2":1}}',
  )
  expect(JSON.parse(text)).toMatchObject({ DockerInfo: labels })
})

test('ERR_EIF_BUILD for what no enclave boots', async () => {
  const of = (change: Partial<WriteImageOptions>) => outcome(() => write(change))
  expect(await of({ kernel: new Uint8Array() })).toBe('ERR_EIF_BUILD')
  expect(await of({ cmdline: '' })).toBe('ERR_EIF_BUILD')
  expect(await of({ cmdline: 'a\0b' })).toBe('ERR_EIF_BUILD')
  expect(await of({ cmdline: 'a\n' })).toBe('ERR_EIF_BUILD')
  expect(await of({ cmdline: 'a'.repeat(2048) })).toBe('ERR_EIF_BUILD')
  expect(await of({ ramdisks: [] })).toBe('ERR_EIF_BUILD')
  expect(await of({ ramdisks: Array.from({ length: 30 }, () => bytes('x')) })).toBe('ERR_EIF_BUILD')
  const large = { ...{ imageName: 'a', imageVersion: '1', buildTool: 't' }, buildToolVersion: '0' }
  const encode = (custom: string) =>
    outcome(() => encodeMetadata({ ...large, kernelVersion: '6', customMetadata: custom }))
  expect(await encode('a'.repeat(4094))).toBe('accepted')
  expect(await encode('a'.repeat(4095))).toBe('ERR_EIF_BUILD')
  const info = { ...large, kernelVersion: '6', dockerInfo: 'a'.repeat(1 << 20) }
  expect(await outcome(() => encodeMetadata(info))).toBe('ERR_EIF_BUILD')
})

test('what the caller does wrong is a TypeError', async () => {
  expect(await outcome(() => write({ architecture: 'mips' as 'x86_64' }))).toBe('TypeError')
  expect(await outcome(() => write({ cmdline: undefined as unknown as string }))).toBe('TypeError')
  expect(await outcome(() => write({ signr: 1 } as object))).toBe('TypeError')
})

test('the checksum in JavaScript is that of zlib, in one piece or in two', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ maxLength: 100 }),
      (first, second) => {
        const whole = zlibCrc32(Buffer.concat([first, second]))
        expect(crc32(second, crc32(first))).toBe(whole)
        expect(combineCrc32(crc32(first), crc32(second), second.length)).toBe(whole)
      },
    ),
  )
  const long = new Uint8Array(1_000_003).map((_, index) => index * 7)
  const start = zlibCrc32(bytes('start'))
  expect(combineCrc32(start, zlibCrc32(long), long.length)).toBe(zlibCrc32(long, start))
})
