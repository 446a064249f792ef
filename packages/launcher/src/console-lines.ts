/** The longest line that is told; what is longer comes in several. */
const LONGEST = 8192

/**
 * Cuts a console into lines of printable ASCII. An enclave's console is the enclave's to write: escape sequences that would move,
 * clear or ask a terminal become visible text, except the colours and clearing that firmware begins a line with, which are left out.
 */
export class ConsoleLines {
  readonly #tell: (line: string) => void
  #held = ''

  constructor(tell: (line: string) => void) {
    this.#tell = tell
  }

  write(bytes: Uint8Array): void {
    const lines = (this.#held + Buffer.from(bytes).toString('latin1')).split('\n')
    this.#held = lines.pop() ?? ''
    for (const line of lines) this.#say(line)
    while (this.#held.length > LONGEST) {
      this.#say(this.#held.slice(0, LONGEST))
      this.#held = this.#held.slice(LONGEST)
    }
  }

  end(): void {
    if (this.#held !== '') this.#say(this.#held)
    this.#held = ''
  }

  #say(line: string): void {
    // oxlint-disable-next-line no-control-regex -- it is what is looked for
    const plain = line
      .replace(/^(?:\u001b\[[0-9;=?]{0,16}[A-Za-z]|\u001bc)+/, '')
      .replace(/\r+$/, '')
    for (let at = 0; at === 0 || at < plain.length; at += LONGEST) {
      this.#tell(printable(plain.slice(at, at + LONGEST)))
    }
  }
}

function printable(text: string): string {
  return Buffer.from(text, 'latin1')
    .toString('utf8')
    .replace(/[^ -~\t]/gu, (one) => `\\u{${(one.codePointAt(0) as number).toString(16)}}`)
}
