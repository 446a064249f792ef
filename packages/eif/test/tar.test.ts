import { addLayer, addTar, bytesSource, FileTree, readTar, type TarEntry } from '@enclavejs/eif'
import { expect, test } from 'vitest'
import { tarOf, type TarFixture } from './archive.ts'
import { outcome } from './fixture.ts'

async function entries(archive: Uint8Array): Promise<TarEntry[]> {
  const list: TarEntry[] = []
  for await (const entry of readTar(bytesSource(archive))) list.push(entry)
  return list
}

/** Paths of a tree, with what a file holds or a link leads to. */
async function layers(...archives: readonly (readonly TarFixture[])[]): Promise<object> {
  const tree = new FileTree()
  for (const archive of archives) await addLayer(tree, bytesSource(tarOf(archive)))
  const seen: Record<string, string> = {}
  for (const [path, node] of tree.entries()) {
    if (node.type === 'file') {
      const buffer = new Uint8Array(node.content.size)
      await node.content.read(0, buffer)
      seen[path] = new TextDecoder().decode(buffer)
    } else seen[path] = node.type === 'symlink' ? `-> ${node.target}` : node.type
  }
  return seen
}

const dir = (path: string): TarFixture => ({ path: `${path}/`, type: '5', mode: 0o755 })
const link = (path: string, target: string): TarFixture => ({ path, type: '2', target })

test('ustar, pax and GNU names and numbers', async () => {
  const long = `${'d'.repeat(99)}/${'f'.repeat(120)}`
  const list = await entries(
    tarOf([
      { path: 'a', data: 'one', mode: 0o4755, uid: 7, gid: 8, mtime: 9 },
      { path: 'x', pax: { path: long, uid: '3000000', mtime: '12.75' }, data: 'two' },
      { path: 'next', data: 'three' },
      { path: '././@LongLink', type: 'L', data: `${long}2\0` },
      { path: 'cut', data: '4' },
      { path: 'name', patch: (block) => block.write('prefix', 345) },
      { path: 'big', patch: (block) => block.set([0x80, 0, 0, 0, 0, 0x2d, 0xc6, 0xc0], 108) },
      { path: 'old/', type: '\0' },
    ]),
  )
  expect(list.map(({ path }) => path)).toEqual([
    ...['a', long, 'next', `${long}2`, 'prefix/name', 'big', 'old/'],
  ])
  expect(list[0]).toMatchObject({ mode: 0o4755, uid: 7, gid: 8, mtime: 9, type: 'file' })
  expect(list[1]).toMatchObject({ uid: 3_000_000, mtime: 12 })
  expect(list[2]).toMatchObject({ uid: 0 })
  expect(list[5]).toMatchObject({ uid: 3_000_000 })
  expect(list[6]).toMatchObject({ type: 'directory' })
})

test('a time before 1970 becomes 1970', async () => {
  const block = (one: Buffer): void => void one.fill(0xff, 136, 148)
  const list = await entries(
    tarOf([
      { path: 'a', patch: block },
      { path: 'b', pax: { mtime: '-5.5' } },
    ]),
  )
  expect(list.map(({ mtime }) => mtime)).toEqual([0, 0])
})

test('an archive may end without its two empty blocks', async () => {
  expect(await entries(tarOf([{ path: 'a', data: 'x' }], false))).toHaveLength(1)
})

test.each<[string, Uint8Array]>([
  ['checksum', tarOf([{ path: 'a' }]).fill(0x62, 0, 1)],
  ['cut header', tarOf([{ path: 'a' }], false).subarray(0, 500)],
  ['cut data', tarOf([{ path: 'a', data: 'x' }], false).subarray(0, 512)],
  ['type', tarOf([{ path: 'a', type: 'S' }])],
  ['octal', tarOf([{ path: 'a', patch: (block) => block.write('99999999999', 136) }])],
  [
    'size too large',
    tarOf([{ path: 'a', patch: (block) => block.fill(0x7f, 125, 136).fill(0x80, 124, 125) }]),
  ],
  ['pax length', tarOf([{ path: 'p', type: 'x', data: '99 path=x\n' }])],
  ['pax without =', tarOf([{ path: 'p', type: 'x', data: '7 path\n' }])],
  ['negative pax size', tarOf([{ path: 'a', pax: { size: '-1' } }])],
  ['negative size', tarOf([{ path: 'a', patch: (block) => block.fill(0xff, 124, 136) }])],
  ['negative owner', tarOf([{ path: 'a', patch: (block) => block.fill(0xff, 108, 116) }])],
  ['negative pax owner', tarOf([{ path: 'a', pax: { gid: '-7' } }])],
  ['pax number', tarOf([{ path: 'a', pax: { size: 'many' } }])],
  ['sparse', tarOf([{ path: 'a', pax: { 'GNU.sparse.major': '1' } }])],
  ['no UTF-8', tarOf([{ path: 'a', patch: (block) => block.fill(0xff, 0, 1) }])],
  ['long extension', tarOf([{ path: 'p', type: 'L', data: 'a'.repeat((1 << 20) + 1) }])],
])('ERR_EIF_TAR: %s', async (_, archive) => {
  expect(await outcome(() => entries(archive))).toBe('ERR_EIF_TAR')
})

test('a layer adds, replaces and takes away', async () => {
  expect(
    await layers(
      [
        dir('etc'),
        { path: 'etc/a', data: '1' },
        { path: 'etc/b', data: '1' },
        dir('old'),
        { path: 'old/x' },
      ],
      [
        { path: 'etc/a', data: '2' },
        { path: 'etc/.wh.b' },
        { path: '.wh.old' },
        { path: './new', data: 'n' },
      ],
    ),
  ).toEqual({ etc: 'directory', 'etc/a': '2', new: 'n' })
})

test('an opaque directory hides what lower layers have, and not its own layer, in any order', async () => {
  const lower = [dir('d'), { path: 'd/low', data: '1' }, dir('d/sub'), { path: 'd/sub/low' }]
  const own = [dir('d'), { path: 'd/own', data: '2' }]
  const opaque = { path: 'd/.wh..wh..opq' }
  const expected = { d: 'directory', 'd/own': '2' }
  expect(await layers(lower, [...own, opaque])).toEqual(expected)
  expect(await layers(lower, [opaque, ...own])).toEqual(expected)
})

test('a whiteout of a name leaves an entry of that name in its own layer', async () => {
  expect(
    await layers([{ path: 'a', data: '1' }], [{ path: 'a', data: '2' }, { path: '.wh.a' }]),
  ).toEqual({ a: '2' })
})

test('a whiteout at the root, and an opaque root', async () => {
  const lower = [{ path: 'a' }, dir('b'), { path: 'b/c' }]
  expect(await layers(lower, [{ path: '.wh..wh..opq' }, { path: 'x', data: 'y' }])).toEqual({
    x: 'y',
  })
  expect(await layers(lower, [{ path: '.wh.b' }])).toEqual({ a: '' })
})

test('kinds replace each other; a directory keeps what it holds', async () => {
  expect(await layers([dir('a'), { path: 'a/x' }], [{ path: 'a', data: 'f' }])).toEqual({ a: 'f' })
  expect(await layers([{ path: 'a', data: 'f' }], [dir('a'), { path: 'a/x', data: '1' }])).toEqual({
    a: 'directory',
    'a/x': '1',
  })
  expect(await layers([dir('a'), { path: 'a/x', data: '1' }], [dir('a')])).toEqual({
    a: 'directory',
    'a/x': '1',
  })
  expect(await layers([dir('t'), link('a', 't')], [dir('a'), { path: 'a/x' }])).toEqual({
    ...{ t: 'directory', a: 'directory', 'a/x': '' },
  })
})

test('links on the way are followed inside of the tree', async () => {
  expect(
    await layers(
      [dir('usr'), dir('usr/bin'), link('bin', 'usr/bin'), link('abs', '/usr')],
      [
        { path: 'bin/tool', data: 't' },
        { path: 'abs/bin/other', data: 'o' },
        { path: 'bin/.wh.x' },
      ],
    ),
  ).toMatchObject({ 'usr/bin/tool': 't', 'usr/bin/other': 'o' })
  expect(
    await layers([dir('usr'), { path: 'usr/x' }, link('l', 'usr')], [{ path: 'l/.wh.x' }]),
  ).toEqual({ usr: 'directory', l: '-> usr' })
})

test('hard links share a file, over layers too', async () => {
  const tree = new FileTree()
  const hard = (path: string, target: string): TarFixture => ({ path, type: '1', target })
  await addTar(tree, bytesSource(tarOf([{ path: 'a', data: 'x' }, hard('b', './a')])))
  await addLayer(tree, bytesSource(tarOf([hard('c', 'a')])))
  expect(tree.get('b')).toBe(tree.get('a'))
  expect(tree.get('c')).toBe(tree.get('a'))
  const none = () => addTar(tree, bytesSource(tarOf([hard('d', 'nothing')])))
  expect(await outcome(none)).toBe('ERR_EIF_ENTRY')
  const out = () => addTar(tree, bytesSource(tarOf([hard('d', '../a')])))
  expect(await outcome(out)).toBe('ERR_EIF_PATH')
})

test.each<[string, readonly TarFixture[]]>([
  ['absolute', [{ path: '/etc/passwd' }]],
  ['dot dot', [{ path: '../x' }]],
  ['dot dot inside', [{ path: 'a/../../x' }]],
  ['through a link that leads out', [link('a', '../..'), { path: 'a/x' }]],
  ['through an absolute link with dot dot', [link('a', '/..'), { path: 'a/x' }]],
  ['through a circle of links', [link('a', 'b'), link('b', 'a'), { path: 'a/x' }]],
  ['through a file', [{ path: 'a', data: 'x' }, { path: 'a/x' }]],
  ['a whiteout of dot dot', [{ path: '.wh...' }]],
  ['a whiteout of nothing', [{ path: '.wh.' }]],
  ['the root as a file', [{ path: './', type: '2', target: 'x' }]],
  ['too long', [{ path: 'p', pax: { path: 'a/'.repeat(2100) } }]],
])('ERR_EIF_PATH: %s', async (_, archive) => {
  expect(await outcome(() => layers(archive))).toBe('ERR_EIF_PATH')
})

test('ERR_EIF_ENTRY: a symbolic link to nothing', async () => {
  expect(await outcome(() => layers([link('a', '')]))).toBe('ERR_EIF_ENTRY')
})
