import type { Terminal } from '../terminal.ts'

/** Lower-case hex. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

/** Hex, and null for what a document does not have. */
export function hexOrNull(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : hex(bytes)
}

/** PCRs as JSON has them: index to hex. */
export function pcrsToJson(pcrs: ReadonlyMap<number, Uint8Array>): Record<string, string> {
  return Object.fromEntries([...pcrs].map(([index, value]) => [String(index), hex(value)]))
}

/** Prints one JSON value in pure ASCII: what a document says cannot move a terminal's cursor either. */
export function printJson(terminal: Terminal, value: unknown): void {
  const text = JSON.stringify(value, undefined, 2)
  terminal.print(
    text.replace(/[^\n -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}
