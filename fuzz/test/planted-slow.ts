import type { FuzzTarget } from '../target.ts'

/** A target that takes a second and more for one kind of input. */
export const target: FuzzTarget = {
  format: undefined,
  maxLength: 16,
  dictionary: [Uint8Array.of(0xaa)],
  seeds: () => [Uint8Array.of(1)],
  run(input) {
    const until = performance.now() + (input[0] === 0xaa ? 1100 : 0)
    while (performance.now() < until);
  },
}
