/** One thing to fuzz. A module in `targets/` exports one as `target`. */
export interface FuzzTarget {
  /** The format of the inputs, for mutations that keep its lengths and counts right; undefined: bytes. */
  readonly format: 'cbor' | 'der' | undefined
  /** Inputs are cut to this length. */
  readonly maxLength: number
  /** Tokens that help to come through comparisons; literals of the sources are added. */
  readonly dictionary: readonly Uint8Array[]
  /** Inputs to begin with. */
  seeds(): readonly Uint8Array[] | Promise<readonly Uint8Array[]>
  /**
   * Runs one input. A refusal by the package's own error is caught inside; whatever is thrown is a finding. The input
   * may be kept, and is not changed by anybody.
   */
  run(input: Uint8Array): void | Promise<void>
}

/** What a target throws when a law does not hold. */
export class LawBroken extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'LawBroken'
  }
}
