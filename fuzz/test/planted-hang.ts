import type { FuzzTarget } from '../target.ts'

/** A target that never comes back from one kind of input. */
export const target: FuzzTarget = {
  format: undefined,
  maxLength: 16,
  dictionary: [Uint8Array.of(0xaa)],
  seeds: () => [Uint8Array.of(1)],
  run(input) {
    while (input[0] === 0xaa);
  },
}
