import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BytesToCome, type Reading } from '../src/envelope/reading.ts'

async function* none(): AsyncGenerator<Uint8Array> {}

function* wanting(length: number): Reading<Uint8Array> {
  return yield length
}

test('bytes come out as they went in, in any pieces', async () => {
  const sizes = fc.oneof(fc.nat(40), fc.constantFrom(2048, 4095, 4096, 4097, 10_000))
  const steps = fc.array(fc.tuple(fc.boolean(), sizes), { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const bytes = new BytesToCome(none())
      const source = new Uint8Array(randomBytes(400_000))
      const got: Uint8Array[] = []
      let pushed = 0
      let read = 0
      for (const [comes, size] of list) {
        if (comes) {
          const piece = source.slice(pushed, pushed + size)
          pushed += piece.length
          bytes.push(piece)
          piece.fill(0)
        } else {
          const length = Math.min(size, pushed - read)
          read += length
          got.push(await bytes.read(wanting(length)))
        }
      }
      got.push(await bytes.read(wanting(pushed - read)))
      expect(Buffer.compare(Buffer.concat(got), source.subarray(0, pushed))).toBe(0)
      await bytes.end()
    }),
    { numRuns: 300 },
  )
})

test('a byte at a time costs little more than the bytes', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const held = (): number => {
    collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const bytes = new BytesToCome(none())
  const before = held()
  for (let count = 0; count < 1 << 19; count++) bytes.push(Uint8Array.of(count))
  expect(held() - before).toBeLessThan(8 << 20)
  expect(bytes).toBeDefined()
})
