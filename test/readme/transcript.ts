/** One command of a `console` block, and what the block says it prints. */
export interface Step {
  readonly command: string
  readonly expected: readonly string[]
}

/** The commands of a block in which each begins with `$ `. */
export function readTranscript(code: string): Step[] {
  const steps: { command: string; expected: string[] }[] = []
  for (const line of code.split('\n')) {
    const last = steps.at(-1)
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), expected: [] })
    else if (last === undefined) throw new Error(`a console block begins with "$ ", not ${line}`)
    else last.expected.push(line)
  }
  return steps
}

/**
 * What must be printed, as a pattern: `…` in a line stands for anything in it, `…` alone for any number of lines. A
 * command under which nothing is written must print nothing.
 */
export function pattern(expected: readonly string[]): RegExp {
  const lines = expected.map((line) =>
    line === '…' ? '(?:.*\\n)*?' : `${line.split('…').map(escape).join('.*')}\\n`,
  )
  return new RegExp(`^${lines.join('')}$`)
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
