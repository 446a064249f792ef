// Prints by how many bytes the process grows with each key that is loaded, used and let go: the least of five rounds, because
// V8 takes memory in steps, and a leak would be in all of them.
//
//   MALLOC_ARENA_MAX=1 node --expose-gc --conditions=@enclavejs/source test/native/leak.ts ADDON
import { generateKeyPairSync } from 'node:crypto'
import { loadAddon } from './build.ts'

const KEYS = 1500
const binding = loadAddon(process.argv[2] ?? '')
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const der = privateKey.export({ type: 'pkcs8', format: 'der' })

async function grow(): Promise<number> {
  const before = process.memoryUsage.rss()
  for (let count = 0; count < KEYS; count++) {
    const key = binding.load(Uint8Array.from(der))
    if (key === null) throw new Error('the key is not read')
    await binding.sign(key, 2, 256, new Uint8Array(32))
    // Every other one is left to the collector.
    if (count % 2 === 0) binding.release(key)
    if (count % 100 === 0) global.gc?.()
  }
  global.gc?.()
  return (process.memoryUsage.rss() - before) / KEYS
}

const rounds: number[] = []
for (let round = 0; round < 5; round++) rounds.push(await grow())
console.log(Math.min(...rounds))
