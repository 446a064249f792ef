// Prints by how many bytes a process grows with each call: the least of eight rounds, because V8 takes memory in steps
// and gives it back late, and a leak would be in all of them.
//
//   MALLOC_ARENA_MAX=1 node --expose-gc --conditions=@enclavejs/source test/native/leak.ts ADDON
import { openTransport } from '../../src/transport.ts'
import { loadAddon } from './build.ts'

const CALLS = 50_000
const transport = openTransport(loadAddon(process.argv[2] ?? ''), 'fake:instant', 60_000)
const random = Uint8Array.from(Buffer.from('6947657452616e646f6d', 'hex'))
const alive = setInterval(() => {}, 1000)

async function grow(calls: number): Promise<number> {
  const before = process.memoryUsage.rss()
  for (let made = 0; made < calls; made += 100) {
    const answers = Array.from({ length: 50 }, () => transport(random))
    for (let index = 0; index < 50; index++) transport.requestSync(random)
    await Promise.all(answers)
  }
  global.gc?.()
  return process.memoryUsage.rss() - before
}

const rounds: number[] = []
for (let round = 0; round < 8; round++) rounds.push((await grow(CALLS)) / CALLS)
console.log(Math.min(...rounds))
clearInterval(alive)
transport.close()
