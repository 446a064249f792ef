import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { seedEntropyWith } from '../src/entropy.ts'

function device(source: 'device' | 'simulator' | 'transport') {
  const given: Uint8Array[] = []
  const getRandom = async (count: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(count).fill(7)
    given.push(bytes)
    return bytes
  }
  return { source, getRandom, given }
}

/** An addon whose ioctl gives this errno, and what it was asked. */
function addon(errno: number) {
  const asked: { path: string; bytes: Uint8Array }[] = []
  const addEntropy = (path: string, bytes: Uint8Array): number => {
    asked.push({ path, bytes: bytes.slice() })
    return errno
  }
  return { asked, load: () => ({ addEntropy }) }
}

const unloadable = (): never => {
  throw new Error('the addon is not needed here')
}

function withFile(run: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'entropy-'))
  const path = join(folder, 'random')
  writeFileSync(path, '')
  return run(path).finally(() => rmSync(folder, { recursive: true }))
}

test('randomness of the device is credited, and wiped afterwards', async () => {
  const nsm = device('device')
  const { asked, load } = addon(0)
  expect(await seedEntropyWith(load, nsm, {})).toEqual({ bytes: 256, credited: true })
  expect(asked).toEqual([{ path: '/dev/random', bytes: new Uint8Array(256).fill(7) }])
  expect(nsm.given).toEqual([new Uint8Array(256)])
})

test('without CAP_SYS_ADMIN it is mixed in without credit', () =>
  withFile(async (path) => {
    const { load } = addon(constants.errno.EPERM)
    expect(await seedEntropyWith(load, device('device'), { path, bytes: 32 })).toEqual({
      bytes: 32,
      credited: false,
    })
    expect(Uint8Array.from(readFileSync(path))).toEqual(new Uint8Array(32).fill(7))
  }))

test.each(['simulator', 'transport'] as const)('what a %s gives is never credited', (source) =>
  withFile(async (path) => {
    const seeded = await seedEntropyWith(unloadable, device(source), { path })
    expect(seeded).toEqual({ bytes: 256, credited: false })
    expect(readFileSync(path)).toHaveLength(256)
  }),
)

test('a kernel that takes nothing is an error, and the bytes are wiped', async () => {
  const nsm = device('device')
  await expect(seedEntropyWith(addon(constants.errno.ENOTTY).load, nsm, {})).rejects.toMatchObject({
    code: 'ERR_NSM_ENTROPY',
    errno: constants.errno.ENOTTY,
  })
  expect(nsm.given).toEqual([new Uint8Array(256)])
  const simulator = device('simulator')
  for (const [path, errno] of [
    ['/nonexistent/random', constants.errno.ENOENT],
    ['/dev/full', constants.errno.ENOSPC],
  ] as const) {
    await expect(seedEntropyWith(unloadable, simulator, { path })).rejects.toMatchObject({
      code: 'ERR_NSM_ENTROPY',
      errno,
    })
  }
})

test('bounds', async () => {
  const { load } = addon(0)
  for (const bytes of [32, 4096]) {
    expect((await seedEntropyWith(load, device('device'), { bytes })).bytes).toBe(bytes)
  }
  for (const bytes of [31, 4097, 32.5, NaN]) {
    await expect(seedEntropyWith(load, device('device'), { bytes })).rejects.toThrow(
      /^bytes must be an integer from 32 to 4096/,
    )
  }
  await expect(seedEntropyWith(load, device('device'), { path: 'a\0' })).rejects.toThrow(TypeError)
})
