import { hash } from 'node:crypto'

/** A request as it came in. */
export interface SignedRequest {
  readonly method: string
  /** Path and query, as in the request line. */
  readonly url: string
  /** Names and values in turn, as node:http gives them. */
  readonly rawHeaders: readonly string[]
  readonly body: Uint8Array
}

/** The canonical request of a received request, for the headers named as signed; the path stays as it came. `bodyHash`: SHA-256 in hex. */
export function canonicalRequest(
  request: SignedRequest,
  headers: ReadonlyMap<string, string>,
  signedHeaders: readonly string[],
  bodyHash: string,
): string {
  const [path = '/', query = ''] = request.url.split(/\?(.*)/s)
  const lines = signedHeaders.map((name) => `${name}:${headers.get(name) ?? ''}\n`)
  return [
    request.method,
    path,
    canonicalQuery(query),
    lines.join(''),
    signedHeaders.join(';'),
    bodyHash,
  ].join('\n')
}

/** Headers by name in lower case; values trimmed, runs of blanks made one, repeated ones joined with a comma. */
export function joinHeaders(rawHeaders: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? ''
    const value = oneBlank(rawHeaders[index + 1]?.trim() ?? '')
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before},${value}`)
  }
  return headers
}

/** Most values have no blanks to be made one. */
function oneBlank(value: string): string {
  return /\s\s|[^\S ]/.test(value) ? value.replaceAll(/\s+/g, ' ') : value
}

function canonicalQuery(query: string): string {
  if (query === '') return ''
  return query
    .split('&')
    .map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s)
      return [encodeOnce(name), encodeOnce(value)] as const
    })
    .toSorted(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** What is on the wire may be encoded already; it is brought to the one form that is signed. */
function encodeOnce(text: string): string {
  try {
    return encode(decodeURIComponent(text))
  } catch {
    return encode(text)
  }
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data)
}
