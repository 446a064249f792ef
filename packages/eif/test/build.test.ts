import { execFileSync } from 'node:child_process'
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import {
  bytesSource,
  FileTree,
  nitroCliProcess,
  ociProcess,
  readCpio,
  sectionSource,
  type ContainerConfig,
  type EifDescription,
} from '@enclavejs/eif'
import {
  buildFile,
  describeFile,
  openFileSource,
  pemSigner,
  treeOfDirectory,
  type BuildFileOptions,
} from '@enclavejs/eif/node'
import { afterAll, expect, test } from 'vitest'
import { tarOf } from './archive.ts'
import { ociLayout, writeArchive, type ImageFixture } from './container-image.ts'
import { bytes, outcome } from './fixture.ts'
import { makeSigningKey } from './signing-key.ts'

const folder = await mkdtemp(join(tmpdir(), 'enclavejs-build-test-'))
afterAll(() => rm(folder, { recursive: true }))
const at = (...names: string[]): string => join(folder, ...names)
await writeFile(at('kernel'), 'a kernel')
await writeFile(at('init'), 'an init')
await writeFile(at('nsm.ko'), 'a module')

const IMAGE: ImageFixture = {
  layers: [
    [
      { path: 'etc/', type: '5', mode: 0o755, mtime: 5 },
      { path: 'etc/passwd', data: 'root:x:0:0::/root:/bin/sh\napp:x:100:101::/home/app:/bin/sh\n' },
      { path: 'etc/group', data: 'root:x:0:\napp:x:101:\naudio:x:29:app,root\n' },
      { path: 'app', data: '#!app', mode: 0o755, mtime: 5 },
      { path: 'same', type: '1', target: 'app' },
    ],
  ],
  config: {
    Entrypoint: ['/app'],
    Cmd: ['a b', 'c\nd'],
    Env: ['A=1'],
    WorkingDir: '/srv',
    User: 'app',
  },
}
const image = await writeArchive(at('image.tar'), ociLayout(IMAGE))

const OPTIONS: BuildFileOptions = {
  mode: 'oci',
  kernel: at('kernel'),
  cmdline: 'console=ttyS0',
  init: at('init'),
  application: { image },
}

const build = (name: string, change: Partial<BuildFileOptions> = {}): Promise<EifDescription> =>
  buildFile(at(name), { ...OPTIONS, ...change })

/** A ramdisk's entries: name, mode in octal and, of a file or a link, what it holds. */
async function ramdisk(name: string, index: number): Promise<Record<string, string>> {
  const { sections } = await describeFile(at(name))
  await using source = await openFileSource(at(name))
  const part = sectionSource(
    source,
    sections.filter(({ type }) => type === 'ramdisk')[index] as never,
  )
  const buffer = new Uint8Array(part.size)
  await part.read(0, buffer)
  const archive = buffer[0] === 0x1f ? gunzipSync(buffer) : buffer
  const seen: Record<string, string> = {}
  for await (const { name: path, mode, offset, size } of readCpio(bytesSource(archive))) {
    const data = new TextDecoder().decode(archive.subarray(offset, offset + size))
    seen[path] = `${mode.toString(8)} ${data}`.trimEnd()
  }
  return seen
}

test('oci: the ramdisks hold our init, the root and what the configuration says', async () => {
  const { warnings, ramdisks } = await build('oci.eif', { nsmModule: at('nsm.ko') })
  expect(warnings).toEqual([])
  expect(ramdisks.map(({ format }) => format)).toEqual(['cpio', 'cpio'])
  expect(await ramdisk('oci.eif', 0)).toEqual({
    dev: '40755',
    'dev/console': '20600',
    init: '100755 an init',
    'nsm.ko': '100644 a module',
  })
  const application = await ramdisk('oci.eif', 1)
  expect(application).toMatchObject({
    'enclave/command': '100400 /app\0a b\0c\nd\0',
    'enclave/directory': '100400 /srv\0',
    'enclave/environment':
      '100400 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0A=1\0HOME=/home/app\0',
    'enclave/user': '100400 100\x00101\x0029\0',
    'rootfs/app': '100755',
    'rootfs/same': '100755 #!app',
    'rootfs/tmp': '41777',
    'rootfs/proc': '40755',
  })
})

test('the same inputs give the same bytes, whatever the times of layers and files', async () => {
  await build('one.eif')
  const later = ociLayout({
    ...IMAGE,
    layers: IMAGE.layers.map((layer) => layer.map((entry) => ({ ...entry, mtime: 99 }))),
  })
  const other = await writeArchive(at('later.tar'), later)
  await build('two.eif', { application: { image: other }, metadata: { imageVersion: 'x' } })
  await build('three.eif')
  expect(await readFile(at('three.eif'))).toEqual(await readFile(at('one.eif')))
  const [one, two] = [await describeFile(at('one.eif')), await describeFile(at('two.eif'))]
  expect(two.pcrs).toEqual(one.pcrs)
})

test('a directory gives the same image from any checkout', async () => {
  const make = async (name: string, umask: number, time: number): Promise<string> => {
    await mkdir(at(name, 'bin'), { recursive: true })
    await writeFile(at(name, 'bin', 'run'), 'run')
    await chmod(at(name, 'bin', 'run'), 0o777 & ~umask)
    await writeFile(at(name, 'data'), 'data')
    await chmod(at(name, 'data'), 0o666 & ~umask)
    await symlink('bin/run', at(name, 'link'))
    await utimes(at(name, 'data'), time, time)
    return at(name)
  }
  const config = { entrypoint: ['/bin/run'] }
  const one = await make('checkout-1', 0o022, 1000)
  const two = await make('checkout-2', 0o077, 2000)
  const first = await build('dir-1.eif', { application: { directory: one }, config })
  await build('dir-2.eif', { application: { directory: two }, config })
  expect(await readFile(at('dir-2.eif'))).toEqual(await readFile(at('dir-1.eif')))
  expect(first.warnings).toEqual([])
  expect(await ramdisk('dir-1.eif', 1)).toMatchObject({
    'rootfs/bin/run': '100755 run',
    'rootfs/data': '100644 data',
    'rootfs/link': '120777 bin/run',
  })
})

test('a tar becomes the root', async () => {
  await writeFile(at('root.tar'), tarOf([{ path: './run', data: 'r', mode: 0o755 }]))
  await build('tar.eif', { application: { tar: at('root.tar') }, config: { cmd: ['/run'] } })
  expect(await ramdisk('tar.eif', 1)).toMatchObject({ 'rootfs/run': '100755 r' })
})

test('gzip: the same bytes again, with nothing of the machine in their header', async () => {
  const { ramdisks, warnings } = await build('gzip-1.eif', { compress: true })
  await build('gzip-2.eif', { compress: true })
  expect(ramdisks.map(({ format }) => format)).toEqual(['gzip', 'gzip'])
  expect(warnings).toEqual([])
  const file = await readFile(at('gzip-1.eif'))
  expect(await readFile(at('gzip-2.eif'))).toEqual(file)
  const start = file.indexOf(Buffer.from('1f8b08', 'hex'))
  expect(file.subarray(start, start + 10).toString('hex')).toBe('1f8b08000000000002ff')
  await build('plain.eif')
  expect(await ramdisk('gzip-1.eif', 1)).toEqual(await ramdisk('plain.eif', 1))
})

test('signed', async () => {
  const key = makeSigningKey({
    notBefore: new Date('2020-01-01T00:00:00Z'),
    notAfter: new Date('2049-01-01T00:00:00Z'),
  })
  const signer = pemSigner({ certificate: key.certificate, privateKey: key.privateKeyPem })
  const signed = await build('signed.eif', { signer })
  expect(signed.signature?.check).toBe('valid')
  expect(signed.warnings).toEqual([])
  expect(signed.pcrs).toMatchObject((await build('unsigned.eif')).pcrs)
})

test('zstd: the same bytes again; what compress may be', async () => {
  const { ramdisks } = await build('zstd-1.eif', { compress: 'zstd' })
  await build('zstd-2.eif', { compress: 'zstd' })
  expect(ramdisks.map(({ format }) => format)).toEqual(['zstd', 'zstd'])
  expect(await readFile(at('zstd-2.eif'))).toEqual(await readFile(at('zstd-1.eif')))
  const wrong = { compress: 'xz' as 'zstd' }
  expect(await outcome(() => build('x.eif', wrong))).toBe('TypeError')
})

test('a tree that was put together already becomes the root', async () => {
  const tree = new FileTree()
  const content = bytesSource(bytes('run'))
  tree.put('run', { type: 'file', mode: 0o755, uid: 0, gid: 0, mtime: 9, content })
  await build('tree.eif', { application: { tree }, config: { cmd: ['/run'] } })
  expect(await ramdisk('tree.eif', 1)).toMatchObject({ 'rootfs/run': '100755 run' })
  const two = { application: { tree, image } }
  expect(await outcome(() => build('x.eif', two))).toBe('TypeError')
})

/** Bits whose CRC-32 is zero, whatever lies around them: the generator polynomial itself, lowest bit of a byte first. */
function flipUnseen(file: Uint8Array, offset: number): void {
  const POLYNOMIAL = 0x1_04c1_1db7n
  for (let bit = 0; bit <= 32; bit++) {
    if (((POLYNOMIAL >> BigInt(32 - bit)) & 1n) === 0n) continue
    const at = offset + (bit >> 3)
    file[at] = (file[at] as number) ^ (1 << (bit & 7))
  }
}

test('a file that is changed while it is written is refused, be its CRC right', async () => {
  const key = makeSigningKey({
    notBefore: new Date('2020-01-01T00:00:00Z'),
    notAfter: new Date('2049-01-01T00:00:00Z'),
  })
  const signer = pemSigner({ certificate: key.certificate, privateKey: key.privateKeyPem })
  const tamper = async (request: Parameters<typeof signer.sign>[0]): Promise<Uint8Array> => {
    // The ramdisks are in the file by now, and measured; the checksum is not in it yet.
    const [partial] = (await readdir(folder)).filter((name) => name.startsWith('raced.eif.'))
    const file = await readFile(at(partial as string))
    flipUnseen(file, file.indexOf('an init'))
    await writeFile(at(partial as string), file)
    return signer.sign(request)
  }
  const call = build('raced.eif', { signer: { ...signer, sign: tamper } })
  await expect(call).rejects.toMatchObject({
    ...{ code: 'ERR_EIF_BUILD', message: expect.stringMatching(/^PCR0 of the file/) as string },
  })
  expect((await readdir(folder)).filter((name) => name.startsWith('raced.eif'))).toEqual([])
})

test('without its file there is no init, and the message says what to do', async () => {
  const copy = at('installation', 'src')
  for (const name of ['node/own-init.ts', 'error.ts']) {
    const source = fileURLToPath(new URL(`../src/${name}`, import.meta.url))
    await cp(source, join(copy, name))
  }
  const code = `const { ownInit } = await import(${JSON.stringify(join(copy, 'node/own-init.ts'))})
for (const architecture of ['x86_64', 'aarch64']) {
  try { console.log(ownInit(architecture)) } catch ({ code, message }) { console.log(code, message) }
}`
  const run = (): string[] =>
    execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
      .trimEnd()
      .split('\n')
  expect(run()).toEqual(
    ['x86_64', 'aarch64'].map(
      (architecture) =>
        `ERR_EIF_BUILD This installation has no init for ${architecture}: build it with native/build.mjs, or give one by its path`,
    ),
  )
  const init = at('installation', 'prebuilds', 'init-linux-x64')
  await mkdir(at('installation', 'prebuilds'))
  await writeFile(init, '')
  expect(run()[0]).toBe(init)
})

test("nitro-cli: linuxkit's ramdisks, CMD instead of ENTRYPOINT, USER and WORKDIR left out", async () => {
  const config = { cmd: ['/app', 'serve'] }
  await build('nitro.eif', { mode: 'nitro-cli', nsmModule: at('nsm.ko'), config })
  expect(await ramdisk('nitro.eif', 0)).toEqual({
    dev: '40755',
    init: '100755 an init',
    'nsm.ko': '100755 a module',
  })
  const application = await ramdisk('nitro.eif', 1)
  expect(application).toEqual({
    rootfs: '40755',
    'rootfs/app': '100755 #!app',
    'rootfs/dev/': '40755',
    'rootfs/dev/pts/': '40755',
    'rootfs/dev/shm/': '40755',
    'rootfs/etc/': '40755',
    'rootfs/etc/group': expect.stringContaining('audio') as string,
    'rootfs/etc/hosts': expect.stringContaining('100755 127.0.0.1       localhost') as string,
    'rootfs/etc/mtab': '120777 /proc/mounts',
    'rootfs/etc/passwd': expect.stringContaining('app') as string,
    'rootfs/etc/resolv.conf': '120755 /run/resolvconf/resolv.conf',
    'rootfs/proc/': '40755',
    'rootfs/same': '120755 app',
    'rootfs/sys/': '40755',
    'rootfs/dev': '40755',
    'rootfs/run': '40755',
    'rootfs/sys': '40755',
    'rootfs/var': '40755',
    'rootfs/proc': '40755',
    'rootfs/tmp': '40755',
    cmd: '100644 /app\nserve',
    env: '100644 A=1',
  })
})

test("nitro-cli: Docker's own files, whatever the image has in their places", async () => {
  const data = bytes('own')
  const layer = [
    { path: 'app', mode: 0o755, data },
    { path: 'etc/', type: '5', mode: 0o750, mtime: 9 },
    { path: 'etc/hosts', mode: 0o640, uid: 7, data },
    { path: 'etc/hostname', data },
    { path: 'etc/resolv.conf', mode: 0o600, data },
    { path: 'etc/mtab', data },
    { path: 'link', type: '2', mode: 0o644, target: 'app' },
    { path: 'proc', type: '2', target: 'etc' },
    { path: 'dev/console', data },
    { path: '.dockerenv', data },
  ]
  const archive = await writeArchive(
    at('docker.tar'),
    ociLayout({ layers: [layer], config: { Cmd: ['/app'], Env: ['A=1'] } }),
  )
  await build('docker.eif', { mode: 'nitro-cli', application: { image: archive } })
  expect(await ramdisk('docker.eif', 1)).toEqual({
    rootfs: '40755',
    'rootfs/app': '100755 own',
    'rootfs/dev/': '40755',
    'rootfs/dev/pts/': '40755',
    'rootfs/dev/shm/': '40755',
    'rootfs/etc/': '40750',
    'rootfs/etc/hosts': expect.stringContaining('100755 127.0.0.1       localhost') as string,
    'rootfs/etc/mtab': '120777 /proc/mounts',
    'rootfs/etc/resolv.conf': '120755 /run/resolvconf/resolv.conf',
    'rootfs/link': '120777 app',
    'rootfs/proc/': '40755',
    'rootfs/sys/': '40755',
    ...Object.fromEntries(
      ['dev', 'run', 'sys', 'var', 'proc', 'tmp'].map((name) => [`rootfs/${name}`, '40755']),
    ),
    cmd: '100644 /app',
    env: '100644 A=1',
  })
})

const CONFIG: ContainerConfig = {
  ...{ entrypoint: undefined, cmd: undefined, env: undefined },
  ...{ workingDir: undefined, user: undefined },
}

test('nitro-cli takes CMD, and ENTRYPOINT only where CMD or ENV is missing', async () => {
  const of = (config: Partial<ContainerConfig>) => nitroCliProcess({ ...CONFIG, ...config }).command
  expect(of({ entrypoint: ['e'], cmd: ['c'], env: [] })).toEqual(['c'])
  expect(of({ entrypoint: ['e'], cmd: ['c'] })).toEqual(['e'])
  expect(of({ entrypoint: ['e'], env: [] })).toEqual(['e'])
  expect(await outcome(() => of({ cmd: ['c'] }))).toBe('ERR_EIF_OCI_CONFIG')
  expect(await outcome(() => of({ cmd: ['c\nd'], env: [] }))).toBe('ERR_EIF_OCI_CONFIG')
})

test('users by name and by number, with their groups', async () => {
  const tree = new FileTree()
  const file = (text: string) =>
    ({
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: 0,
      content: bytesSource(bytes(text)),
    }) as const
  tree.put('etc/passwd', file('root:x:0:0::/root:/bin/sh\napp:x:100:101::/home/app:/bin/sh\n'))
  tree.put('etc/group', file('app:x:101:app\naudio:x:29:app,root\nvideo:x:44:app\n'))
  const of = async (user?: string) => {
    const { uid, gid, groups, environment } = await ociProcess(tree, {
      ...CONFIG,
      cmd: ['x'],
      user,
    })
    return [uid, gid, groups.join(), environment.at(-1)]
  }
  expect(await of()).toEqual([0, 0, '29', 'HOME=/root'])
  expect(await of('app')).toEqual([100, 101, '29,44', 'HOME=/home/app'])
  expect(await of('100')).toEqual([100, 101, '29,44', 'HOME=/home/app'])
  expect(await of('app:audio')).toEqual([100, 29, '', 'HOME=/home/app'])
  expect(await of('app:7')).toEqual([100, 7, '', 'HOME=/home/app'])
  expect(await of('5000')).toEqual([5000, 0, '', 'HOME=/'])
  for (const user of ['nobody', 'app:nothing', '4294967295']) {
    expect(await outcome(() => of(user))).toBe('ERR_EIF_OCI_CONFIG')
  }
})

test.each<[string, Partial<ContainerConfig>]>([
  ['no command', {}],
  ['a NUL', { cmd: ['a\0b'] }],
  ['a relative directory', { cmd: ['x'], workingDir: 'srv' }],
  ['an environment without =', { cmd: ['x'], env: ['A'] }],
])('ERR_EIF_OCI_CONFIG: %s', async (_, config) => {
  const call = () => ociProcess(new FileTree(), { ...CONFIG, ...config })
  expect(await outcome(call)).toBe('ERR_EIF_OCI_CONFIG')
})

test('a build that fails leaves nothing, and what was there before stays', async () => {
  await writeFile(at('kept.eif'), 'before')
  expect(await outcome(() => build('kept.eif', { cmdline: 'a\nb' }))).toBe('ERR_EIF_BUILD')
  expect(await outcome(() => build('kept.eif', { kernel: at('nowhere') }))).toBe('ERR_EIF_READ')
  expect(await readFile(at('kept.eif'), 'utf8')).toBe('before')
  expect((await readdir(folder)).filter((name) => name.includes('partial'))).toEqual([])
})

test('what the caller does wrong is a TypeError', async () => {
  const of = (change: object) => outcome(() => build('wrong.eif', change))
  expect(await of({ mode: 'docker' })).toBe('TypeError')
  expect(await of({ application: {} })).toBe('TypeError')
  expect(await of({ application: { image, directory: folder } })).toBe('TypeError')
  expect(await of({ comprss: true })).toBe('TypeError')
  expect(await of({ mode: 'nitro-cli', init: undefined })).toBe('TypeError')
})

test('a directory with what no ramdisk should hold', async () => {
  const { createServer } = await import('node:net')
  await mkdir(at('odd'))
  const server = createServer().listen(at('odd', 'socket'))
  try {
    await new Promise((resolve) => server.once('listening', resolve))
    expect(await outcome(() => treeOfDirectory(at('odd')))).toBe('ERR_EIF_ENTRY')
  } finally {
    server.close()
  }
  expect(await outcome(() => treeOfDirectory(at('nowhere')))).toBe('ERR_EIF_READ')
})
