/** A head of HTTP/1.1 taken apart: its first line, and its fields with names in lower case. */
export interface HttpHead {
  readonly start: string
  readonly fields: readonly (readonly [name: string, value: string])[]
}

const FIELDS_MOST = 64
const END = Buffer.from('\r\n\r\n')

/** The length of a head, once its end is there. */
export function measureHead(bytes: Buffer): number | undefined {
  const end = bytes.indexOf(END)
  return end < 0 ? undefined : end + END.length
}

/**
 * Takes a whole head apart, strictly (RFC 9112 §2.2, §5): lines end with CRLF and nothing else, no control characters, no
 * folding, a name is a token directly before the colon. Undefined for everything else: whatever two readers may read in
 * two ways is not a head.
 */
export function parseHead(bytes: Uint8Array): HttpHead | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const [start, ...lines] = text.slice(0, -END.length).split('\r\n')
  if (start === undefined || !/^[\x21-\x7e][\x20-\x7e]*$/.test(start)) return undefined
  if (lines.length > FIELDS_MOST) return undefined
  const fields = lines.map((line) => {
    const [, name, value] =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
    return name === undefined || value === undefined
      ? undefined
      : ([name.toLowerCase(), value.trimEnd()] as const)
  })
  return fields.some((field) => field === undefined)
    ? undefined
    : { start, fields: fields as HttpHead['fields'] }
}

/** The values of a field, of every line that has it. */
export function valuesOf(head: HttpHead, name: string): readonly string[] {
  return head.fields.filter(([field]) => field === name).map(([, value]) => value)
}
