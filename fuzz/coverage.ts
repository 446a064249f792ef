/** Which branches inputs took, and how often, in eight classes as in AFL: 1, 2, 3, 4–7, 8–15, 16–31, 32–127, 128 and more. */
export class Coverage {
  readonly #counters: Uint8Array
  readonly #size: () => number
  /** For each branch a bit for each class that was seen. */
  readonly #seen: Uint8Array

  constructor(counters: Uint8Array, size: () => number) {
    this.#counters = counters
    this.#size = size
    this.#seen = new Uint8Array(counters.length)
  }

  /** Before an input is run. */
  reset(): void {
    this.#counters.fill(0, 0, this.#size())
  }

  /** After it: whether it took a branch as nothing before it did. */
  learn(): boolean {
    const counters = this.#counters
    const seen = this.#seen
    const size = this.#size()
    let fresh = false
    for (let index = 0; index < size; index++) {
      const count = counters[index] as number
      if (count === 0) continue
      const bit = CLASSES[count] as number
      if (((seen[index] as number) & bit) !== 0) continue
      seen[index] = (seen[index] as number) | bit
      fresh = true
    }
    return fresh
  }

  get hit(): number {
    return this.#seen.subarray(0, this.#size()).reduce((sum, bits) => sum + (bits === 0 ? 0 : 1), 0)
  }

  /** Indices of the branches that no input took. */
  get missed(): number[] {
    return Array.from({ length: this.#size() }, (_, index) => index).filter(
      (index) => this.#seen[index] === 0,
    )
  }
}

const CLASSES = Uint8Array.from({ length: 256 }, (_, count) => {
  const limits = [2, 3, 4, 8, 16, 32, 128]
  const place = limits.findIndex((limit) => count < limit)
  return 1 << (place === -1 ? 7 : place)
})
