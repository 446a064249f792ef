import { spawnSync } from 'node:child_process'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { writeImage } from '@enclavejs/eif'
import { createSha384 } from '@enclavejs/eif/node'
import { afterAll, expect, test } from 'vitest'

const folder = await mkdtemp(join(tmpdir(), 'enclavejs-memory-'))
afterAll(() => rm(folder, { recursive: true }))

/** Peak of memory of a Node that runs this, in MB. */
function peak(code: string, ...args: readonly string[]): number {
  const script = `${code}\nconsole.log(process.resourceUsage().maxRSS)`
  const node = fileURLToPath(import.meta.resolve('@enclavejs/eif/node'))
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--conditions=@enclavejs/source', '--input-type=module', '-e', script, node, ...args],
    { encoding: 'utf8' },
  )
  expect(stderr).toBe('')
  return Number(stdout) / 1000
}

test('a large image is measured within 64 MB above an idle Node', async () => {
  const image = join(folder, 'large.eif')
  const part = new Uint8Array(1 << 20)
  async function* zeros(): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < 256; index++) yield part
  }
  await using file = await open(image, 'w')
  await writeImage(
    { write: async (offset, bytes) => void (await file.write(bytes, 0, bytes.length, offset)) },
    {
      ...{ architecture: 'x86_64', kernel: new Uint8Array(9), cmdline: 'a' },
      ...{ ramdisks: [new Uint8Array(4), zeros()], metadata: new TextEncoder().encode('{}') },
      ...{ createHash: createSha384, crc32 },
    },
  )
  const measure = `const [, node, image] = process.argv
const { describeFile } = await import(node)
await describeFile(image)`
  expect(peak(measure, image) - peak('')).toBeLessThan(64)
})
