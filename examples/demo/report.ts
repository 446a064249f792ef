// Tells the steps of the demo as they happen: lines for people, or one JSON object a line.
import { styleText } from 'node:util'
import { refusalOf } from './refusal.ts'

/** A step that did not do what it says; the steps after it have nothing to stand on. */
export class StepError extends Error {}

/** What a step found out: a sentence for people, and values for programs. */
export interface Outcome<T> {
  readonly says: string
  readonly value: T
  readonly data?: Readonly<Record<string, unknown>>
}

interface Line {
  readonly step: string
  readonly ok: boolean
  readonly ms: number
  readonly says: string
  readonly [name: string]: unknown
}

export class Report {
  readonly #json: boolean
  readonly #started = performance.now()
  readonly #counts = { steps: 0, attacks: 0, failures: 0 }

  constructor({ json }: { readonly json: boolean }) {
    this.#json = json
  }

  get failures(): number {
    return this.#counts.failures
  }

  title(text: string): void {
    if (!this.#json) print(paint('bold', text))
  }

  note(text: string): void {
    if (!this.#json) print(paint('dim', `     ${text}`))
  }

  /** Runs a step, and shows what it found out and how long it took. */
  async step<T>(name: string, text: string, run: () => Promise<Outcome<T>>): Promise<T> {
    this.#counts.steps += 1
    if (!this.#json) print(`\n${this.#counts.steps}. ${text}`)
    const begin = performance.now()
    try {
      const { says, value, data } = await run()
      this.#show({ step: name, ok: true, ms: since(begin), says, ...data })
      return value
    } catch (error) {
      const { code, message } = refusalOf(error)
      this.#show({ step: name, ok: false, ms: since(begin), says: `${code}: ${message}`, code })
      throw new StepError(name, { cause: error })
    }
  }

  /** Runs an attack that must fail with `code`, and where `because` is given for that; it goes on when it does not. */
  async refused(
    name: string,
    text: string,
    code: string,
    attack: () => Promise<unknown>,
    because = '',
  ): Promise<void> {
    const begin = this.#attack(text)
    const seen = await attack().then(() => undefined, refusalOf)
    const ok = seen?.code === code && seen.message.includes(because)
    const says = seen === undefined ? 'accepted' : `refused, ${seen.code}`
    this.#show({ step: name, attack: true, ok, ms: since(begin), says, ...seen })
    if (seen !== undefined) this.note(shortened(seen.message))
  }

  /** Runs an attack that nothing refuses, and that must find nothing; it goes on when it does. */
  async held(
    name: string,
    text: string,
    attack: () => Promise<{ readonly says: string; readonly [name: string]: unknown }>,
  ): Promise<void> {
    const begin = this.#attack(text)
    const seen = await attack().then(
      (found) => ({ ok: true, ...found }),
      (error: unknown) => ({ ok: false, says: refusalOf(error).message }),
    )
    this.#show({ step: name, attack: true, ms: since(begin), ...seen })
  }

  #attack(text: string): number {
    this.#counts.attacks += 1
    if (!this.#json) print(`   ${text}`)
    return performance.now()
  }

  /** The last line. */
  end(): void {
    const { attacks, failures } = this.#counts
    const ms = since(this.#started)
    const good = `All that is genuine was accepted, and ${attacks} attacks by the parent failed, in ${seconds(ms)}.`
    const says = failures === 0 ? good : `${failures} of the steps did not do what they say.`
    if (this.#json) print(JSON.stringify({ step: 'end', ok: failures === 0, ms, says, attacks }))
    else print(`\n${paint(failures === 0 ? 'green' : 'red', says)}`)
  }

  #show(line: Line): void {
    if (!line.ok) this.#counts.failures += 1
    if (this.#json) return print(JSON.stringify(line))
    const mark = line.ok ? paint('green', '✓') : paint('red', '✗ NOT AS EXPECTED:')
    print(`   ${mark} ${line.says} ${paint('dim', `(${seconds(line.ms)})`)}`)
  }
}

function shortened(text: string): string {
  // Of digests the beginning says which.
  const line = text.replace(/\b([0-9a-f]{12})[0-9a-f]{12,}\b/g, '$1…')
  return line.length > 105 ? `${line.slice(0, 105)}…` : line
}

function since(begin: number): number {
  return Math.round((performance.now() - begin) * 10) / 10
}

function seconds(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`
}

function paint(style: 'bold' | 'dim' | 'red' | 'green', text: string): string {
  return styleText(style, text, { stream: process.stdout })
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
