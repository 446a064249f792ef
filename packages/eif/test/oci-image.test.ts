import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openContainerImage, type ContainerImageOptions } from '@enclavejs/eif/node'
import { afterAll, expect, test } from 'vitest'
import {
  dockerSave,
  ociLayout,
  sha256,
  writeArchive,
  writeFolder,
  type ImageFixture,
} from './container-image.ts'
import { outcome } from './fixture.ts'

const folder = await mkdtemp(join(tmpdir(), 'enclavejs-oci-test-'))
afterAll(() => rm(folder, { recursive: true }))

const IMAGE: ImageFixture = {
  layers: [
    [
      { path: 'etc/', type: '5' },
      { path: 'etc/a', data: 'one' },
      { path: 'etc/b', data: 'b' },
    ],
    [{ path: 'etc/a', data: 'two' }, { path: 'etc/.wh.b' }],
  ],
  config: {
    Entrypoint: ['/app'],
    Cmd: ['serve'],
    Env: ['A=1'],
    WorkingDir: '/srv',
    User: 'app',
  },
}

async function contents(path: string, options?: ContainerImageOptions): Promise<object> {
  await using image = await openContainerImage(path, options)
  const files: Record<string, string> = {}
  for (const [name, node] of image.tree.entries()) {
    if (node.type !== 'file') continue
    const buffer = new Uint8Array(node.content.size)
    await node.content.read(0, buffer)
    files[name] = new TextDecoder().decode(buffer)
  }
  return { files, config: image.config, architecture: image.architecture }
}

const EXPECTED = {
  files: { 'etc/a': 'two' },
  config: {
    ...{ entrypoint: ['/app'], cmd: ['serve'], env: ['A=1'] },
    ...{ workingDir: '/srv', user: 'app' },
  },
  architecture: 'x86_64',
}

test.each([undefined, 'gzip', 'zstd'] as const)('an OCI layout, layers %s', async (compress) => {
  const files = ociLayout(compress === undefined ? IMAGE : { ...IMAGE, compress })
  const name = compress ?? 'plain'
  expect(await contents(await writeFolder(join(folder, name), files))).toEqual(EXPECTED)
  expect(await contents(await writeArchive(join(folder, `${name}.tar`), files))).toEqual(EXPECTED)
})

test('what docker save writes', async () => {
  const path = await writeArchive(join(folder, 'saved.tar'), dockerSave('app:1.0', IMAGE))
  expect(await contents(path)).toEqual(EXPECTED)
  expect(await contents(path, { reference: 'app:1.0' })).toEqual(EXPECTED)
  expect(await outcome(() => contents(path, { reference: 'app:2.0' }))).toBe('ERR_EIF_OCI')
  await using image = await openContainerImage(path)
  expect(image.name).toBe('app:1.0')
  expect(image.id).toMatch(/^sha256:[0-9a-f]{64}$/)
})

test('one of several images: by reference, or by platform', async () => {
  const arm = { ...IMAGE, architecture: 'arm64' }
  const two = await writeFolder(join(folder, 'platforms'), ociLayout(IMAGE, arm))
  expect(await contents(two)).toEqual(EXPECTED)
  expect(await contents(two, { architecture: 'aarch64' })).toMatchObject({
    architecture: 'aarch64',
  })
  const other = { ...IMAGE, config: { Cmd: ['other'] } }
  const same = await writeFolder(join(folder, 'same'), ociLayout(IMAGE, other))
  expect(await outcome(() => contents(same))).toBe('ERR_EIF_OCI')
  expect(await contents(same, { reference: '1' })).toMatchObject({ config: { cmd: ['other'] } })
})

test('nothing stays behind', async () => {
  const ours = async () =>
    (await readdir(tmpdir())).filter((name) => name.startsWith('enclavejs-eif-'))
  const before = await ours()
  const path = await writeFolder(join(folder, 'clean'), ociLayout({ ...IMAGE, compress: 'gzip' }))
  await contents(path)
  const bad = { ...IMAGE, diffIds: [sha256(new Uint8Array()), sha256(new Uint8Array())] }
  const refused = await writeFolder(join(folder, 'unclean'), ociLayout(bad))
  await outcome(() => contents(refused))
  expect(await ours()).toEqual(before)
})

let count = 0
const damaged = async (
  change: (files: Map<string, Buffer>) => void,
  image: ImageFixture = IMAGE,
  options: ContainerImageOptions = {},
): Promise<string> => {
  const files = ociLayout(image)
  change(files)
  const path = await writeFolder(join(folder, `damaged-${count++}`), files)
  return outcome(() => contents(path, options))
}
const largestBlob = (files: Map<string, Buffer>): string =>
  [...files]
    .filter(([name]) => name.startsWith('blobs'))
    .sort(([, a], [, b]) => b.length - a.length)[0]?.[0] as string

test('ERR_EIF_OCI: what is incomplete or not what it says', async () => {
  const none = () => {}
  expect(await damaged((files) => files.delete('index.json'))).toBe('ERR_EIF_OCI')
  expect(await damaged((files) => files.set('index.json', Buffer.from('{')))).toBe('ERR_EIF_OCI')
  expect(await damaged((files) => files.set('index.json', Buffer.from('{}')))).toBe('ERR_EIF_OCI')
  expect(await damaged((files) => files.delete(largestBlob(files)))).toBe('ERR_EIF_OCI')
  const flip = (files: Map<string, Buffer>): void => {
    const name = largestBlob(files)
    const copy = Buffer.from(files.get(name) as Buffer)
    copy[0] = (copy[0] as number) ^ 1
    files.set(name, copy)
  }
  expect(await damaged(flip)).toBe('ERR_EIF_OCI')
  const longer = (files: Map<string, Buffer>): void => {
    const name = largestBlob(files)
    files.set(name, Buffer.concat([files.get(name) as Buffer, Buffer.alloc(1)]))
  }
  expect(await damaged(longer)).toBe('ERR_EIF_OCI')
  const zero = sha256(new Uint8Array())
  expect(await damaged(none, { ...IMAGE, diffIds: [zero, zero] })).toBe('ERR_EIF_OCI')
  expect(await damaged(none, { ...IMAGE, diffIds: [] })).toBe('ERR_EIF_OCI')
  expect(await damaged(none, { ...IMAGE, config: { Cmd: 'text' } })).toBe('ERR_EIF_OCI')
  expect(await damaged(none, { ...IMAGE, config: { User: 7 } })).toBe('ERR_EIF_OCI')
  expect(await damaged(none, { ...IMAGE, architecture: 'riscv64' })).toBe('ERR_EIF_OCI')
  expect(await damaged(none, IMAGE, { architecture: 'aarch64' })).toBe('ERR_EIF_OCI')
  expect(await damaged(none, IMAGE, { reference: 'nothing' })).toBe('ERR_EIF_OCI')
})

test('ERR_EIF_OCI: a layer that unpacks to more than it may', async () => {
  const bomb = [[{ path: 'zeros', data: new Uint8Array(4 << 20) }]]
  const image: ImageFixture = { layers: bomb, compress: 'gzip' }
  const none = () => {}
  expect(await damaged(none, image, { maxLayerSize: 1 << 20 })).toBe('ERR_EIF_OCI')
  expect(await damaged(none, { layers: bomb }, { maxLayerSize: 1 << 20 })).toBe('ERR_EIF_OCI')
  expect(await damaged(none, image)).toBe('accepted')
})

test.each(['gzip', 'zstd'] as const)('ERR_EIF_OCI: %s that is cut short', async (compress) => {
  const layers = [[{ path: 'a', data: 'x' }]]
  expect(await damaged(() => {}, { layers, compress, cut: 9 })).toBe('ERR_EIF_OCI')
})

test('codes of what a layer holds, and of a path that is not there', async () => {
  const none = () => {}
  expect(await damaged(none, { layers: [[{ path: '../x' }]] })).toBe('ERR_EIF_PATH')
  expect(await damaged(none, { layers: [[{ path: 'x', type: 'Z' }]] })).toBe('ERR_EIF_TAR')
  expect(await outcome(() => contents(join(folder, 'nowhere')))).toBe('ERR_EIF_READ')
  const text = join(folder, 'text')
  await writeFile(text, 'no archive')
  expect(await outcome(() => contents(text))).toBe('ERR_EIF_TAR')
})
