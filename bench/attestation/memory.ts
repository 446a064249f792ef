// A child of `npm run bench -- attestation`, with --expose-gc: verifies documents of more enclaves than the verifier
// remembers, and prints how the memory in use grows after the warm-up.
import { createVerifier } from '@enclavejs/attestation'
import { simulatedSample } from './sample.ts'

const ENCLAVES = 200
/** Fewer than the enclaves and their four CA certificates: every enclave is forgotten before its next turn. */
const CACHE_SIZE = 60
/** How often one enclave is seen in its turn: ten evictions in a hundred verifications. */
const TURN = 10
const SAMPLES = 40

/** What the child prints. */
export interface MemoryUse {
  /** Growth over all verifications, by the line through the samples, in percent of the memory in use at the start. */
  readonly growth: number
  readonly verifications: number
  /** Bytes in use after the warm-up. */
  readonly start: number
  /** Growth of the resident set, in bytes. */
  readonly resident: number
}

/** The heap and what hangs on it, after a full collection. */
function bytesInUse(): number {
  if (globalThis.gc === undefined) throw new Error('Run it with --expose-gc')
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function measure(verifications: number): Promise<MemoryUse> {
  const { documents, policy, currentDate } = await simulatedSample(ENCLAVES)
  const verifier = createVerifier({ ...policy, cacheSize: CACHE_SIZE, now: () => currentDate })
  let turn = 0
  const run = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += TURN) {
      const document = documents[turn++ % documents.length] as Uint8Array
      await verifier.verify(document)
      await Promise.all(Array.from({ length: TURN - 1 }, () => verifier.verify(document)))
    }
  }
  const step = Math.max(TURN, Math.ceil(verifications / SAMPLES))
  await run(Math.max(step, Math.ceil(0.4 * verifications)))
  const start = bytesInUse()
  const residentAtStart = process.memoryUsage.rss()
  const points: [number, number][] = [[0, start]]
  for (let done = step; done <= verifications; done += step) {
    await run(step)
    points.push([done, bytesInUse()])
  }
  return {
    growth: (100 * slope(points) * verifications) / start,
    verifications,
    start,
    resident: process.memoryUsage.rss() - residentAtStart,
  }
}

/** Least squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (axis: 0 | 1): number =>
    points.reduce((sum, point) => sum + point[axis], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  return over / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}

console.log(JSON.stringify(await measure(Number(process.argv[2]))))
