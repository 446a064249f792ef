import { spawnSync } from 'node:child_process'
import {
  bytesSource,
  FileTree,
  LINUXKIT_STYLE,
  readCpio,
  writeCpio,
  type CpioEntry,
  type CpioRecord,
  type TreeNode,
} from '@enclavejs/eif'
import { expect, test } from 'vitest'
import { collect } from '../src/cpio.ts'
import { bytes, outcome } from './fixture.ts'

const own = { mode: 0o644, uid: 0, gid: 0, mtime: 0 }
const file = (text: string): TreeNode => ({
  ...own,
  type: 'file',
  content: bytesSource(bytes(text)),
})
const shared = file('shared')

const ENTRIES: CpioEntry[] = [
  { name: 'dev', node: { ...own, type: 'directory', mode: 0o755 } },
  { name: 'dev/console', node: { ...own, type: 'char', mode: 0o600, major: 5, minor: 1 } },
  { name: 'one', node: shared },
  { name: 'text', node: { ...file('some text'), uid: 1000, gid: 1001, mtime: 7 } },
  { name: 'two', node: shared },
  { name: 'way', node: { ...own, type: 'symlink', mode: 0o777, target: 'text' } },
]

async function records(archive: Uint8Array): Promise<CpioRecord[]> {
  const list: CpioRecord[] = []
  for await (const record of readCpio(bytesSource(archive))) list.push(record)
  return list
}

test('what is written is read again', async () => {
  const archive = await collect(writeCpio(ENTRIES))
  expect(archive.length % 512).toBe(0)
  const list = await records(archive)
  const brief = list.map(({ name, mode, links, size }) => [name, mode.toString(8), links, size])
  expect(brief).toEqual([
    ['dev', '40755', 1, 0],
    ['dev/console', '20600', 1, 0],
    ['one', '100644', 2, 0],
    ['text', '100644', 1, 9],
    ['two', '100644', 2, 6],
    ['way', '120777', 1, 4],
  ])
  const [, console, one, text, two] = list as [CpioRecord, ...CpioRecord[]]
  expect(console?.device).toEqual([5, 1])
  expect(one?.inode).toBe(two?.inode)
  expect(text).toMatchObject({ uid: 1000, gid: 1001, mtime: 7 })
  const at = text?.offset as number
  expect(new TextDecoder().decode(archive.subarray(at, at + 9))).toBe('some text')
})

test('the header of one file, digit by digit', async () => {
  const archive = await collect(writeCpio([{ name: 'a', node: file('xyz') }]))
  const head = new TextDecoder().decode(archive.subarray(0, 116))
  expect(head).toBe(
    '070701' +
      ['00000001', '000081a4', '00000000', '00000000', '00000001', '00000000', '00000003'].join(
        '',
      ) +
      ['00000000', '00000000', '00000000', '00000000', '00000002', '00000000'].join('') +
      'a\0xyz\0',
  )
  expect(new TextDecoder().decode(archive.subarray(116 + 110, 116 + 121))).toBe('TRAILER!!!\0')
})

test("linuxkit's style: its inode numbers, device and links", async () => {
  const list = await records(await collect(writeCpio(ENTRIES, LINUXKIT_STYLE)))
  expect(list.map(({ inode }) => inode)).toEqual([721, 722, 723, 724, 725, 726])
  expect(list[0]?.links).toBe(2)
  expect(list[2]).toMatchObject({ links: 1, size: 6 })
})

test('GNU cpio reads what is written', async (context) => {
  if (spawnSync('cpio', ['--version']).status !== 0) context.skip('GNU cpio is not installed')
  const archive = await collect(writeCpio(ENTRIES))
  const { stdout, status } = spawnSync('cpio', ['-itv', '--quiet', '--numeric-uid-gid'], {
    input: archive,
    encoding: 'utf8',
  })
  expect(status).toBe(0)
  expect(stdout.split('\n').map((line) => line.slice(0, 10))).toEqual([
    ...['drwxr-xr-x', 'crw-------', '-rw-r--r--', '-rw-r--r--', '-rw-r--r--', 'lrwxrwxrwx', ''],
  ])
})

test.each<[string, CpioEntry]>([
  ['an empty name', { name: '', node: file('') }],
  ['a name of 4096 bytes', { name: 'a'.repeat(4096), node: file('') }],
  ['an empty target', { name: 'a', node: { ...own, type: 'symlink', target: '' } }],
  ['a target with NUL', { name: 'a', node: { ...own, type: 'symlink', target: 'a\0b' } }],
  ['a negative time', { name: 'a', node: { ...file(''), mtime: -1 } }],
  [
    'a file of 4 GiB',
    { name: 'a', node: { ...own, type: 'file', content: { size: 2 ** 32, read: async () => 0 } } },
  ],
])('ERR_EIF_ENTRY: %s', async (_, entry) => {
  expect(await outcome(() => collect(writeCpio([entry])))).toBe('ERR_EIF_ENTRY')
})

test('ERR_EIF_CPIO: damaged archives', async () => {
  const archive = await collect(writeCpio(ENTRIES))
  const write = (copy: Uint8Array, data: Uint8Array, offset = 0): Uint8Array => {
    copy.set(data, offset)
    return copy
  }
  const damage = (change: (copy: Uint8Array) => Uint8Array) => {
    const copy = archive.slice()
    return outcome(() => records(change(copy)))
  }
  expect(await damage((copy) => write(copy, bytes('070707')))).toBe('ERR_EIF_CPIO')
  expect(await damage((copy) => write(copy, bytes('ffffffff'), 54))).toBe('ERR_EIF_CPIO')
  expect(await damage((copy) => write(copy, bytes('00000000'), 94))).toBe('ERR_EIF_CPIO')
  expect(await damage((copy) => write(copy, bytes('x'), 113))).toBe('ERR_EIF_CPIO')
  expect(await damage((copy) => copy.subarray(0, 300))).toBe('ERR_EIF_CPIO')
  expect(await damage(() => new Uint8Array())).toBe('ERR_EIF_CPIO')
})

test('a tree sorts by bytes, and what a directory holds stands behind it', () => {
  const tree = new FileTree()
  for (const path of ['b', 'a/x', 'a-b', 'a', 'é', 'z', '\u{1f600}', '\uffee', 'a/x/deep']) {
    tree.put(path, path === 'a' || path === 'a/x' ? { ...own, type: 'directory' } : file(''))
  }
  expect(tree.entries().map(([path]) => path)).toEqual([
    ...['a', 'a/x', 'a/x/deep', 'a-b', 'b', 'z', 'é', '\uffee', '\u{1f600}'],
  ])
})
