import type { FuzzTarget } from '../target.ts'
import { decodePlanted } from './planted/decoder.ts'

/** A target whose decoder has a bug, to show that the fuzzer finds one. */
export const target: FuzzTarget = {
  format: undefined,
  maxLength: 64,
  dictionary: [],
  seeds: () => [Uint8Array.of(1, 2, 3)],
  run(input) {
    try {
      decodePlanted(input)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
  },
}
