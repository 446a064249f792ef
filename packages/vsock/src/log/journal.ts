/** A line and its place. */
interface JournalLine {
  readonly sequence: number
  readonly bytes: Uint8Array
}

/**
 * The last lines of a log, in bounded memory: the oldest goes when there is no more room. Lines are numbered from 1 without
 * a gap, so that their places are known from the first one's.
 */
export class Journal {
  readonly #limit: number
  #lines: JournalLine[] = []
  /** How many of `#lines` are gone: cut off together, now and then. */
  #gone = 0
  #size = 0
  #next = 1
  /** The highest number that a reader was given. */
  #read = 0
  #overflow = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The number of the line that comes next. */
  get next(): number {
    return this.#next
  }

  /** Lines that went before anybody had read them. */
  get overflow(): number {
    return this.#overflow
  }

  get size(): number {
    return this.#size
  }

  add(bytes: Uint8Array): void {
    this.#lines.push({ sequence: this.#next++, bytes })
    this.#size += bytes.length
    while (this.#size > this.#limit) {
      const { sequence, bytes: old } = this.#lines[this.#gone++] as JournalLine
      this.#size -= old.length
      if (sequence > this.#read) this.#overflow++
    }
    if (this.#gone > 64 && this.#gone * 2 > this.#lines.length) {
      this.#lines = this.#lines.slice(this.#gone)
      this.#gone = 0
    }
  }

  /** The first line behind `sequence` that is still there; undefined where there is none. */
  after(sequence: number): JournalLine | undefined {
    const first = this.#lines[this.#gone]
    if (first === undefined) return undefined
    const line = this.#lines[this.#gone + Math.max(0, sequence + 1 - first.sequence)]
    if (line !== undefined) this.#read = Math.max(this.#read, line.sequence)
    return line
  }
}
