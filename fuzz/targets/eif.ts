import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import {
  addLayer,
  bytesSource,
  describeImage,
  EifError,
  encodeMetadata,
  FileTree,
  formatDescribeEif,
  memorySink,
  readCpio,
  writeCpio,
  writeImage,
  type EifDescription,
  type Subtle,
} from '@enclavejs/eif'
import { vectors } from '../../test/vectors.ts'
import { LawBroken, type FuzzTarget } from '../target.ts'

const createSha384 = (): ReturnType<typeof createHash> => createHash('sha384')
const CRC = 544

/** Takes every key and every signature, so that what stands behind the check is reached. */
const TRUSTING: Subtle = {
  importKey: () => Promise.resolve({}),
  verify: () => Promise.resolve(true),
}

/** Any other error than the package's goes through, and is a finding. */
function refused(error: unknown): void {
  if (!(error instanceof EifError)) throw error
  if (!/^ERR_EIF_[A-Z_0-9]+$/.test(error.code)) throw new LawBroken(`code ${error.code}`)
  if (/\p{C}/u.test(error.message)) throw new LawBroken(`message ${JSON.stringify(error.message)}`)
}

/** An image, a layer or a ramdisk, as the input begins. */
async function run(input: Uint8Array): Promise<void> {
  try {
    if (isTar(input)) await addLayer(new FileTree(), bytesSource(withChecksums(input)))
    else if (input[0] === 0x30) await readAll(input)
    else await describe(input)
  } catch (error) {
    refused(error)
  }
}

function isTar(input: Uint8Array): boolean {
  return Buffer.from(input.subarray(257, 262)).equals(Buffer.from('ustar'))
}

/** The archive with the checksum of every header put right, as far as headers can be found. */
function withChecksums(input: Uint8Array): Uint8Array {
  const archive = Buffer.from(input)
  for (let at = 0; at + 512 <= archive.length; at += 512) {
    const block = archive.subarray(at, at + 512)
    if (!isTar(block)) continue
    block.fill(0x20, 148, 156)
    const sum = block.reduce((total, byte) => total + byte, 0)
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  }
  return archive
}

async function readAll(input: Uint8Array): Promise<void> {
  for await (const { offset, size } of readCpio(bytesSource(input))) {
    if (offset + size > input.length) throw new LawBroken('data outside of the archive')
  }
}

async function describe(input: Uint8Array): Promise<void> {
  // A checksum that is always wrong would hide everything behind it.
  const image = Buffer.from(input)
  if (image.length >= CRC + 4) {
    image.writeUInt32BE(crc32(image.subarray(CRC + 4), crc32(image.subarray(0, CRC))), CRC)
  }
  const description = await describeImage(bytesSource(image), {
    createHash: createSha384,
    crc32,
    subtle: TRUSTING,
    currentDate: new Date('2026-06-01T00:00:00Z'),
  })
  checkMeasurements(image, description)
  const text = formatDescribeEif(description)
  if (!/^[\n -~]*$/.test(text)) throw new LawBroken('describe prints what is not printable')
  if ((JSON.parse(text) as { EifVersion: number }).EifVersion !== description.header.version) {
    throw new LawBroken('describe prints another version')
  }
  const texts = [
    description.cmdline.text,
    description.kernel.release ?? '',
    ...[...description.warnings, ...description.notes].map(({ message }) => message),
  ]
  if (texts.some((one) => /\p{C}/u.test(one))) throw new LawBroken('a control character')
}

/** The formulas once more, without streams, forks or shared prefixes. */
function checkMeasurements(image: Buffer, { sections, pcrs }: EifDescription): void {
  const data = (from: (typeof sections)[number]): Buffer =>
    image.subarray(from.offset + 12, from.offset + 12 + from.size)
  const ramdisks = sections.filter(({ type }) => type === 'ramdisk')
  const later = new Set(ramdisks.slice(1))
  const measured = sections.filter(({ type }) => ['kernel', 'cmdline', 'ramdisk'].includes(type))
  const expected = [
    extend(measured.map(data)),
    extend(measured.filter((section) => !later.has(section)).map(data)),
    extend([...later].map(data)),
  ]
  for (const pcr of [0, 1, 2] as const) {
    if (pcrs[pcr] !== expected[pcr]) throw new LawBroken(`PCR${pcr} differs from its formula`)
  }
}

function extend(parts: readonly Uint8Array[]): string {
  const inner = createSha384().update(Buffer.concat(parts)).digest()
  return createSha384().update(Buffer.alloc(48)).update(inner).digest('hex')
}

async function seeds(): Promise<readonly Uint8Array[]> {
  const metadata = encodeMetadata({
    ...{ imageName: 'a', imageVersion: '1', buildTool: 't', buildToolVersion: '0' },
    kernelVersion: '6',
  })
  const make = async (ramdisks: number): Promise<Uint8Array> => {
    const sink = memorySink()
    await writeImage(sink, {
      ...{ architecture: 'x86_64', kernel: Buffer.from('kernel'), cmdline: 'console=ttyS0' },
      ramdisks: Array.from({ length: ramdisks }, () => Buffer.from('070701-ramdisk')),
      ...{ metadata, createHash: createSha384 },
    })
    return sink.bytes()
  }
  const archive: Uint8Array[] = []
  const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 0 }
  const content = bytesSource(Buffer.from('text'))
  const entries = [
    { name: 'dev', node: { ...attributes, type: 'directory' as const } },
    { name: 'file', node: { ...attributes, type: 'file' as const, content } },
    { name: 'link', node: { ...attributes, type: 'symlink' as const, target: 'file' } },
  ]
  for await (const part of writeCpio(entries)) archive.push(part.slice())
  const made = [await make(1), await make(2), await make(3), Buffer.concat(archive), tar()]
  const signed = [
    'signed-es384',
    'signed-es512',
    'signed-two-entries',
    'signed-bytestring-encoding',
  ]
    .map((name) => vectors(`eif/vectors/${name}.eif`))
    .filter((path) => path !== undefined)
  return [...made, ...signed.map((path) => readFileSync(path))]
}

/** A layer with a directory, a file, links and whiteouts. */
function tar(): Uint8Array {
  const member = (path: string, type: string, target = ''): Buffer => {
    const block = Buffer.alloc(512)
    block.write(path, 0)
    block.write('0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00', 100)
    block.write(type, 156)
    block.write(target, 157)
    block.write('ustar\x0000', 257)
    block.fill(0x20, 148, 156)
    const sum = block.reduce((total, byte) => total + byte, 0)
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return block
  }
  return Buffer.concat([
    member('d/', '5'),
    member('d/f', '0'),
    member('d/h', '1', 'd/f'),
    member('s', '2', 'd/../d'),
    member('s/x', '0'),
    member('.wh.gone', '0'),
    member('d/.wh..wh..opq', '0'),
    Buffer.alloc(1024),
  ])
}

const text = (...words: readonly string[]): Uint8Array[] => words.map((word) => Buffer.from(word))

export const target: FuzzTarget = {
  format: undefined,
  maxLength: 16_384,
  dictionary: [
    ...text('.eif', 'HdrS', 'ARM\x64', '070701', 'TRAILER!!!', '../', '/', '.wh.', '.wh..wh..opq'),
    ...text('signing_certificate', 'signature', 'Signature1', '-----BEGIN CERTIFICATE-----'),
    ...text('rdinit=', 'init=', '12 path=a\n', 'ustar'),
  ],
  seeds,
  run,
}
