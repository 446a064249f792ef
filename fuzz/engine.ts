import { Coverage } from './coverage.ts'
import type { Instrumentation } from './instrumentation.ts'
import { Mutator } from './mutator.ts'
import { Random } from './random.ts'
import type { FuzzTarget } from './target.ts'

/** How long to go on, whichever ends first. */
export interface Limits {
  readonly milliseconds: number
  readonly runs: number
}

/** Figures of a run so far. */
export interface Progress {
  readonly runs: number
  readonly seconds: number
  /** Time of a processor, which a busy machine does not stretch. */
  readonly cpuSeconds: number
  readonly branchesHit: number
  readonly branches: number
  readonly corpus: number
  /** Branches that the seeds took, before anything was mutated. */
  readonly branchesOfSeeds: number
}

/** An input for which a law does not hold. */
export interface Finding {
  readonly input: Uint8Array
  readonly reason: string
}

/** One input may take this long; decoders of a few kilobytes take microseconds. */
const MAX_MILLISECONDS = 1000
const MAX_ARRAY_BUFFERS = 512 * 1024 * 1024
const REPORT_EVERY = 2000

export class Engine {
  readonly #target: FuzzTarget
  readonly #random: Random
  readonly #mutator: Mutator
  readonly #coverage: Coverage
  readonly #instrumentation: Instrumentation
  readonly #corpus: Uint8Array[] = []
  #started = 0
  #cpuStarted = process.cpuUsage()
  #runs = 0
  #branchesOfSeeds = 0

  constructor(target: FuzzTarget, instrumentation: Instrumentation, seed: number) {
    this.#target = target
    this.#instrumentation = instrumentation
    this.#random = new Random(seed)
    this.#mutator = new Mutator(target, instrumentation.literals, this.#random)
    const { counters, branches } = instrumentation
    this.#coverage = new Coverage(counters, () => branches.length)
  }

  /**
   * Fuzzes until a limit or a finding. `before` is called with each input ahead of its run, so that another thread can
   * tell which one hangs.
   */
  async fuzz(
    limits: Limits,
    before: (input: Uint8Array) => void,
    report: (progress: Progress) => void,
  ): Promise<Finding | undefined> {
    this.#started = performance.now()
    this.#cpuStarted = process.cpuUsage()
    Error.stackTraceLimit = 0
    for (const seed of await this.#target.seeds()) {
      const finding = await this.#run(seed, before)
      if (finding !== undefined) return finding
      // Seeds are kept whatever they bring.
      if (this.#corpus.at(-1) !== seed) this.#corpus.push(seed)
    }
    if (this.#corpus.length === 0) this.#corpus.push(new Uint8Array(0))
    this.#branchesOfSeeds = this.#coverage.hit
    report(this.progress)
    while (this.#runs < limits.runs && performance.now() - this.#started < limits.milliseconds) {
      const input = this.#mutator.mutate(this.#choose(), this.#random.pick(this.#corpus))
      const finding = await this.#run(input, before)
      if (finding !== undefined) return finding
      if (this.#runs % REPORT_EVERY === 0) report(this.progress)
    }
    return undefined
  }

  get progress(): Progress {
    const { user, system } = process.cpuUsage(this.#cpuStarted)
    return {
      cpuSeconds: (user + system) / 1_000_000,
      runs: this.#runs,
      seconds: (performance.now() - this.#started) / 1000,
      branchesHit: this.#coverage.hit,
      branches: this.#instrumentation.branches.length,
      corpus: this.#corpus.length,
      branchesOfSeeds: this.#branchesOfSeeds,
    }
  }

  /** `file:line` of the branches that nothing took. */
  get missed(): string[] {
    const { branches } = this.#instrumentation
    return this.#coverage.missed.map((index) => {
      const branch = branches[index]
      return `${branch?.file}:${branch?.line}`
    })
  }

  /** Half of the time one of the last that brought something new; small ones rather than large ones. */
  #choose(): Uint8Array {
    const random = this.#random
    const recent = random.once(2) ? Math.ceil(this.#corpus.length / 8) : this.#corpus.length
    const one = this.#corpus[this.#corpus.length - 1 - random.below(recent)] as Uint8Array
    const other = this.#corpus[this.#corpus.length - 1 - random.below(recent)] as Uint8Array
    return other.length < one.length ? other : one
  }

  async #run(input: Uint8Array, before: (input: Uint8Array) => void): Promise<Finding | undefined> {
    before(input)
    this.#coverage.reset()
    const started = performance.now()
    try {
      const running = this.#target.run(input)
      if (running !== undefined) await running
    } catch (error) {
      return { input, reason: await this.#explain(input, error) }
    }
    this.#runs++
    const took = performance.now() - started
    if (took > MAX_MILLISECONDS && (await this.#isSlow(input))) {
      return { input, reason: `took ${Math.round(took)} ms, and again` }
    }
    if (this.#coverage.learn()) this.#corpus.push(input)
    if (this.#runs % 1000 === 0) {
      const { arrayBuffers } = process.memoryUsage()
      if (arrayBuffers > MAX_ARRAY_BUFFERS) {
        return { input, reason: `${arrayBuffers} bytes of buffers are held` }
      }
    }
    return undefined
  }

  /** Whether the input is slow again and again: on a busy machine anything is slow once. */
  async #isSlow(input: Uint8Array): Promise<boolean> {
    for (let round = 0; round < 5; round++) {
      const started = performance.now()
      await this.#target.run(input)
      if (performance.now() - started <= MAX_MILLISECONDS) return false
    }
    return true
  }

  /** The error of a second run, with the stack that the others go without: it takes longer than most refusals. */
  async #explain(input: Uint8Array, first: unknown): Promise<string> {
    Error.stackTraceLimit = 20
    let error = first
    try {
      await this.#target.run(input)
    } catch (second) {
      error = second
    }
    if (!(error instanceof Error)) return String(error)
    const cause = error.cause instanceof Error ? `\ncause: ${error.cause.stack}` : ''
    return `${error.stack}${cause}`
  }
}
