import type { Console } from './machine.ts'

/** What was tried, printed as it happens. */
export class Results {
  passed = 0
  failed = 0
  skipped = 0

  pass(name: string): void {
    this.passed++
    console.log(`ok    ${name}`)
  }

  fail(name: string): void {
    this.failed++
    console.log(`FAIL  ${name}`)
  }

  skip(name: string, reason: string): void {
    this.skipped++
    console.log(`skip  ${name}: ${reason}`)
  }

  /** One check on the host. */
  async check(name: string, run: () => unknown): Promise<void> {
    try {
      const note = await run()
      this.pass(`${name}${typeof note === 'string' ? ` (${note})` : ''}`)
    } catch (error) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.fail(`${name}: ${message}`)
    }
  }

  /** A line of a guest's program (inside/report.ts). */
  hear(guest: string, text: string): void {
    const match = /^@(ok|fail|note) (.*)$/.exec(text)
    if (match?.[1] === 'ok') this.pass(`${guest}: ${match[2]}`)
    else if (match?.[1] === 'fail') this.fail(`${guest}: ${match[2]}`)
    else if (match?.[1] === 'note') console.log(`      ${guest}: ${match[2]}`)
  }

  /** The last line of the command. */
  line(): string {
    const skipped = this.skipped > 0 ? `, ${this.skipped} skipped` : ''
    return `${this.passed} passed, ${this.failed} failed${skipped}`
  }

  /** A guest that did not come to its end is a failure, whatever it said before. */
  ended(guest: string, { lines, status, seconds }: Console): void {
    if (status === 0 && lines.includes('@done')) {
      this.pass(`${guest}: ran to its end (${seconds.toFixed(1)} s)`)
      return
    }
    this.fail(`${guest}: did not come to its end (status ${status}, ${seconds.toFixed(1)} s)`)
    for (const text of lines.slice(-25)) console.log(`        ${text}`)
  }
}
