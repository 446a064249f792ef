// A child of `npm run bench -- attestation`: how many documents one Node verifies in a second with `concurrency` calls
// under way, their signatures spread over WebCrypto's pool. The parent pins it to one core or to two.
import { createVerifier, verifyAttestation } from '@enclavejs/attestation'
import { median, readBudget } from '../slice.ts'
import { simulatedSample } from './sample.ts'

/** Documents per second. */
export interface Throughput {
  readonly cold: number
  readonly sameEnclave: number
}

const CONCURRENCY = 8

async function measure(operation: () => Promise<unknown>): Promise<number> {
  const { milliseconds, slices: most } = readBudget()
  const slices = Math.min(most, 9)
  const rates: number[] = []
  for (let slice = 0; slice <= slices; slice++) {
    let count = 0
    const start = performance.now()
    const work = async (): Promise<void> => {
      while (performance.now() - start < milliseconds) {
        await operation()
        count++
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, work))
    rates.push((1000 * count) / (performance.now() - start))
  }
  // The first slice warms up.
  return median(rates.slice(1))
}

const { documents, policy, currentDate } = await simulatedSample(1)
const document = documents[0] as Uint8Array
const verifier = createVerifier({ ...policy, now: () => currentDate })
const result: Throughput = {
  cold: await measure(() => verifyAttestation(document, { ...policy, currentDate })),
  sameEnclave: await measure(() => verifier.verify(document)),
}
console.log(JSON.stringify(result))
