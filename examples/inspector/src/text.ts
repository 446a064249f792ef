const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\u034f\u115f\u1160\u3164\uffa0]/gu
const LONGEST = 300

/**
 * Text of a document for display: control, invisible and direction-changing characters are written out, so that it
 * cannot look like something else, and no more than 300 characters are shown.
 */
export function printable(text: string): string {
  const characters = [...text.slice(0, 2 * LONGEST)]
  const shown = characters.slice(0, LONGEST).join('')
  const rest = text.length - shown.length
  const safe = shown.replace(
    INVISIBLE,
    (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  )
  return rest === 0 ? safe : `${safe}… (${rest} more)`
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0')
  return hex
}

/** `2026-11-21 15:40:12 UTC`. */
export function formatDate(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** `3 hours`, `2 days`: one unit, rounded down. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000)
  const units = [
    [31_557_600, 'year'],
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ] as const
  const [size, name] = units.find(([length]) => seconds >= length) ?? [1, 'second']
  const count = Math.floor(seconds / size)
  return `${count} ${name}${count === 1 ? '' : 's'}`
}

/** `1.5 MB`, `812 bytes`. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** The text that bytes are in UTF-8; undefined where they are none that a person could read. */
export function readableText(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return text === '' || /[\p{Cc}\p{Cn}\p{Co}]/u.test(text.replace(/[\n\r\t]/g, ''))
      ? undefined
      : text
  } catch {
    return undefined
  }
}
