/** What a run of the suite came to. */
export interface ConformanceReport {
  readonly passed: number
  readonly failed: number
  /** `name: what was expected and seen`. */
  readonly failures: readonly string[]
}

/** Counts checks; a check fails by throwing. */
export class Checks {
  readonly #log: (line: string) => void
  readonly #failures: string[] = []
  #passed = 0

  constructor(log: (line: string) => void) {
    this.#log = log
  }

  async check(name: string, work: () => unknown): Promise<void> {
    try {
      await work()
      this.#passed++
    } catch (error) {
      const failure = `${name}: ${error instanceof Error ? error.message : String(error)}`
      this.#failures.push(failure)
      this.#log(failure)
    }
  }

  report(): ConformanceReport {
    const failures = [...this.#failures]
    return { passed: this.#passed, failed: failures.length, failures }
  }
}

/** @throws {Error} when the two differ. */
export function expectSame(actual: unknown, expected: unknown, what: string): void {
  if (Object.is(actual, expected)) return
  throw new Error(`${what}: ${String(expected)} expected, ${String(actual)} seen`)
}

/** What a call throws or rejects with; undefined when it does neither. */
export async function thrown(call: () => unknown): Promise<unknown> {
  try {
    await call()
    return undefined
  } catch (error) {
    return error ?? new Error('something empty was thrown')
  }
}
