import { styleText } from 'node:util'
import { escapeLine } from './output/printable.ts'

/** The few styles that are used; they are dropped where the stream is no terminal or `NO_COLOR` is set. */
type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow'

/** What a command writes to: results on one side, everything else on the other. */
export interface Terminal {
  /** Writes one line of the result to stdout. Text that others wrote must have been escaped. */
  print(line?: string): void
  /** Writes bytes of the result to stdout as they are. */
  write(bytes: Uint8Array): void
  /** Writes one line to stderr, escaped as a whole: messages quote what was given. */
  warn(line: string): void
  /** Text in a style, for `print`. */
  paint(style: Style, text: string): string
  /** Whether a person reads stdout directly, where raw bytes have no place. */
  readonly interactive: boolean
}

/**
 * The terminal of this process. A reader that goes away (`| head`) ends the output, not the judgement; a result that
 * cannot be written (a full disk) ends the process with `failure`, which is no verdict.
 */
export function processTerminal(failure: number): Terminal {
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return
    process.stderr.write(`enclavejs: stdout cannot be written: ${error.code ?? error.message}\n`)
    process.exit(failure)
  })
  return {
    print: (line = '') => void process.stdout.write(`${line}\n`),
    write: (bytes) => void process.stdout.write(bytes),
    warn: (line) => void process.stderr.write(`${escapeLine(line)}\n`),
    paint: (style, text) => styleText(style, text, { stream: process.stdout }),
    interactive: process.stdout.isTTY === true,
  }
}
