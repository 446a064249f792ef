import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EifError } from '@enclavejs/eif'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readElf, trimElf } from '../src/node/program/elf.ts'
import { outcome } from './fixture.ts'
import { AARCH64, elfOf, LOADER } from './program-fixture.ts'

const GOOD = elfOf({ interpreter: LOADER, needed: ['liba.so.1', 'libb.so'], tail: 40 })

test('what a program links, by whom it is loaded, and how much of it', () => {
  expect(readElf(GOOD, 'x')).toEqual({
    architecture: 'x86_64',
    interpreter: LOADER,
    needed: ['liba.so.1', 'libb.so'],
    loadedSize: GOOD.length - 40,
  })
  expect(readElf(elfOf({ machine: AARCH64 }), 'x')).toMatchObject({
    ...{ architecture: 'aarch64', interpreter: undefined, needed: [] },
  })
  expect(readElf(elfOf({ machine: 3 }), 'x').architecture).toBeUndefined()
})

test('trimmed: a copy up to the last segment, without a table of sections', () => {
  const before = Uint8Array.from(GOOD)
  const trimmed = trimElf(GOOD, readElf(GOOD, 'x'))
  expect(Uint8Array.from(GOOD)).toEqual(before)
  expect(trimmed.length).toBe(GOOD.length - 40)
  expect([...trimmed.subarray(40, 48), ...trimmed.subarray(60, 64)]).toEqual(Array(12).fill(0))
  expect(readElf(trimmed, 'x')).toEqual(readElf(GOOD, 'x'))
})

const changed = (change: (file: Buffer) => void): Buffer => {
  const file = Buffer.from(GOOD)
  change(file)
  return file
}

test.each<[string, Uint8Array, RegExp]>([
  ['no ELF', Buffer.from('#!/bin/sh\n'), /another beginning/],
  ['too short', GOOD.subarray(0, 63), /63 bytes/],
  ['32 bits', changed((file) => (file[4] = 1)), /class 1/],
  ['big-endian', changed((file) => (file[5] = 2)), /order 2/],
  ['headers of another size', changed((file) => file.writeUInt16LE(32, 54)), /program headers/],
  ['headers outside', changed((file) => file.writeUInt16LE(900, 56)), /program headers/],
  [
    'a segment outside',
    changed((file) => file.writeUInt32LE(GOOD.length + 1, 64 + 32)),
    /a segment/,
  ],
  ['a number too large', changed((file) => file.fill(0xff, 72, 80)), /no number/],
  [
    'names outside of what is loaded',
    changed((file) =>
      file.writeUInt32LE(9, file.indexOf(Buffer.from('0500000000000000', 'hex')) + 8),
    ),
    /names lie outside/,
  ],
  [
    'a name outside of the names',
    changed((file) => file.writeUInt32LE(99, readDynamic(file) + 8)),
    /the name of a library/,
  ],
  [
    'an interpreter without its end',
    changed((file) => file.writeUInt32LE(3, 64 + 2 * 56 + 32)),
    /no text/,
  ],
])('%s is refused', async (_name, file, message) => {
  expect(await outcome(() => readElf(file, 'x'))).toBe('ERR_EIF_ELF')
  expect(() => readElf(file, 'x')).toThrow(message)
})

function readDynamic(file: Buffer): number {
  return Number(file.readBigUInt64LE(64 + 56 + 8))
}

test('whatever is changed, it is read or refused with its own error', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(GOOD.length - 1), fc.nat(255)), { maxLength: 4 }),
      (list) => {
        const file = changed((copy) => list.forEach(([at, byte]) => (copy[at] = byte)))
        try {
          expect(readElf(file, 'x').loadedSize).toBeLessThanOrEqual(file.length)
        } catch (error) {
          if (!(error instanceof EifError)) throw error
        }
      },
    ),
  )
})

test.skipIf(process.platform !== 'linux')(
  'this Node runs trimmed, and links what readelf says',
  () => {
    const node = readFileSync(process.execPath)
    const elf = readElf(node, 'node')
    const folder = mkdtempSync(join(tmpdir(), 'enclavejs-elf-'))
    try {
      const path = join(folder, 'node')
      writeFileSync(path, trimElf(node, elf), { mode: 0o755 })
      const code = 'console.log(new Intl.NumberFormat("de").format(1234.5), process.version)'
      expect(execFileSync(path, ['-e', code], { encoding: 'utf8' })).toBe(
        `1.234,5 ${process.version}\n`,
      )
      const table = execFileSync('readelf', ['--dynamic', process.execPath], { encoding: 'utf8' })
      const needed = [...table.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name)
      expect(elf.needed).toEqual(needed)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)
