/** Typography of our own messages; everything else outside of printable ASCII is escaped. */
const OURS = new Set('…‖§–')

/**
 * Text that others wrote, safe to print: control characters, escape sequences of terminals, characters that change the
 * direction of writing, lone surrogates and everything else outside of printable ASCII as `\u{…}`, and the backslash as
 * two, so that nothing printed is ambiguous.
 */
export function escapeText(text: string): string {
  return escape(text, /[^ -[\]-~]/gu)
}

/** As {@link escapeText} for a line of ours that quotes text of others: backslashes stay as they are. */
export function escapeLine(text: string): string {
  return escape(text, /[^ -~]/gu)
}

/** As {@link escapeText}, cut after `length` characters. */
export function excerpt(text: string, length: number): string {
  if (text.length <= length) return escapeText(text)
  return `${escapeText(text.slice(0, length))}… (${text.length} characters)`
}

/** What the bytes say if they are text: escaped UTF-8; undefined where they are no text. */
export function readable(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return escapeText(text)
  } catch {
    return undefined
  }
}

function escape(text: string, unsafe: RegExp): string {
  return text.replace(unsafe, (character) => {
    if (character === '\\') return '\\\\'
    if (OURS.has(character)) return character
    return `\\u{${(character.codePointAt(0) as number).toString(16)}}`
  })
}
