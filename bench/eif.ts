// What measuring an image costs, in SHA-384 of the bytes that the formulas need (what PCR0 and PCR1 share once, the
// application ramdisk for PCR0 and for PCR2), checksum and reading included; how much memory it takes beside an idle Node;
// and what building takes, beside GNU cpio and gzip where they are installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, mkdir, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import {
  encodeMetadata,
  ociApplicationEntries,
  writeCpio,
  writeImage,
  type EifSink,
} from '@enclavejs/eif'
import { buildFile, createSha384, describeFile, treeOfDirectory } from '@enclavejs/eif/node'
import { runChild } from './child.ts'
import type { Row } from './row.ts'
import { compare, readBudget, type Operation } from './slice.ts'

const MIB = 1 << 20
const KERNEL = 8
const BOOT = 4
const APPLICATION = 84
const CMDLINE = 'console=ttyS0'

export async function bench(): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'enclavejs-bench-'))
  try {
    return [
      ...(await measure(folder)),
      ...(await measureMemory(folder)),
      ...(await measureBuild(folder)),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(folder: string): Promise<readonly Row[]> {
  const image = join(folder, 'image.eif')
  const pcr0 = await writeFixture(image, APPLICATION)
  const operation = async (): Promise<void> => {
    if ((await describeFile(image)).pcrs[0] !== pcr0) throw new Error('another PCR0')
  }
  const { cpu, wall, unit } = await compare(hashing(), operation, readBudget())
  const megabytes = KERNEL + BOOT + APPLICATION
  const share = Math.round((100 * APPLICATION) / megabytes)
  return [
    {
      row: 'unit',
      value: unit / 1000,
      unit: 'ms',
      note: `SHA-384 of ${KERNEL + BOOT + 2 * APPLICATION} MiB in memory`,
    },
    {
      row: 'measure',
      value: wall,
      unit: 'SHA-384 of the bytes needed, wall',
      note: `${megabytes} MiB from the page cache, ${share} % of it application, CRC included`,
    },
    { row: 'measure-cpu', value: cpu, unit: 'SHA-384 of the bytes needed, CPU of all threads' },
  ]
}

/** The floor: the same hashes over bytes that are in memory already. */
function hashing(): Operation {
  const bytes = new Uint8Array(MIB).fill(0x5a)
  return () => {
    const image = createHash('sha384')
    const application = createHash('sha384')
    for (let index = 0; index < KERNEL + BOOT + APPLICATION; index++) image.update(bytes)
    for (let index = 0; index < APPLICATION; index++) application.update(bytes)
    if (image.digest().length + application.digest().length !== 96) throw new Error('no SHA-384')
  }
}

async function measureMemory(folder: string): Promise<readonly Row[]> {
  const image = join(folder, 'large.eif')
  const megabytes = 2048
  const row = 'memory'
  const unit = 'MB of peak above an idle Node'
  try {
    await writeFixture(image, megabytes)
    const child = new URL('./eif/memory.ts', import.meta.url)
    const idle = (await runChild(new URL('./eif/idle.mjs', import.meta.url), [], {
      deadline: 30,
    })) as { peak: number }
    const use = (await runChild(child, [image], { deadline: 120 })) as { peak: number }
    const value = (use.peak - idle.peak) / 1000
    return [{ row, value, unit, note: `an image of ${megabytes} MiB` }]
  } catch (error) {
    return [{ row, value: undefined, unit, note: (error as Error).message }]
  } finally {
    await rm(image, { force: true })
  }
}

async function measureBuild(folder: string): Promise<readonly Row[]> {
  const root = join(folder, 'root')
  await mkdir(root)
  const text = new Uint8Array(MIB)
  for (let index = 0; index < 64; index++) {
    for (let at = 0; at < MIB; at++) text[at] = (at * (index + 1)) >> 5
    await writeFile(join(root, `file-${index}`), text)
  }
  const tree = await treeOfDirectory(root)
  const process = {
    ...{ command: ['/file-0'], environment: [], directory: '/' },
    ...{ uid: 0, gid: 0, groups: [] },
  }
  const entries = ociApplicationEntries(tree, process)
  const start = performance.now()
  let size = 0
  for await (const chunk of writeCpio(entries)) size += chunk.length
  const own = performance.now() - start
  const rows: Row[] = [
    { row: 'cpio', value: own, unit: 'ms', note: `64 files, ${Math.round(size / MIB)} MiB` },
  ]
  const peer =
    'find . -print0 | LC_ALL=C sort -z | cpio -o -H newc -R +0:+0 --reproducible --null --quiet'
  const available = spawnSync('cpio', ['--version']).status === 0
  const reference = (name: string, command: string): void => {
    const before = performance.now()
    const status = available ? spawnSync('sh', ['-c', command], { cwd: root }).status : 1
    const took = performance.now() - before
    const note = available ? 'the same files' : 'not measured: GNU cpio is not installed'
    rows.push({ row: name, value: status === 0 ? took : undefined, unit: 'ms', note })
  }
  reference('gnu-cpio', `${peer} > ${folder}/peer.cpio`)
  const kernel = join(folder, 'kernel')
  await writeFile(kernel, text)
  const began = performance.now()
  await buildFile(join(folder, 'built.eif'), {
    ...{ mode: 'oci', kernel, init: kernel, cmdline: CMDLINE },
    ...{ application: { directory: root }, config: { cmd: ['/file-0'] }, compress: true },
  })
  rows.push({
    row: 'build-compressed',
    value: performance.now() - began,
    unit: 'ms',
    note: 'a whole image of them, gzipped, measured, read back',
  })
  reference('gnu-cpio-gzip', `${peer} | gzip -n -9 > ${folder}/peer.cpio.gz`)
  return rows
}

/** An image of noise, written part by part; `megabytes` of it are the application ramdisk. */
async function writeFixture(path: string, megabytes: number): Promise<string> {
  const noise = new Uint8Array(MIB)
  for (let at = 0; at < MIB; at++) noise[at] = (at * 2_654_435_761) >>> 13
  async function* part(count: number): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < count; index++) yield noise
  }
  await using file = await open(path, 'w')
  const sink: EifSink = {
    async write(offset, bytes) {
      await file.write(bytes, 0, bytes.length, offset)
    },
  }
  const { pcrs } = await writeImage(sink, {
    ...{ architecture: 'x86_64', kernel: part(KERNEL), cmdline: CMDLINE },
    ramdisks: [part(BOOT), part(megabytes)],
    metadata: encodeMetadata({
      ...{ imageName: 'bench', imageVersion: '0', buildTool: 'bench' },
      ...{ buildToolVersion: '0', kernelVersion: '0' },
    }),
    ...{ createHash: createSha384, crc32 },
  })
  return pcrs[0]
}
