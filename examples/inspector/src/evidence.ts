import { InspectorError } from './inspector-error.ts'

/** A document has at most 16 KiB; as hex, with blanks between all bytes, that is 48 KiB. */
export const MAX_EVIDENCE = 65_536
const FETCH_TIMEOUT = 10_000

/** COSE_Sign1: an array of four, with or without tag 18. */
function looksBinary(bytes: Uint8Array): boolean {
  return bytes[0] === 0x84 || (bytes[0] === 0xd2 && bytes[1] === 0x84)
}

/**
 * The bytes of a document that was given as a file: binary, or text in base64 or hex.
 *
 * @throws {InspectorError} `ERR_INSPECTOR_SIZE`, `ERR_INSPECTOR_ENCODING`.
 */
export function evidenceOfFile(bytes: Uint8Array): Uint8Array {
  refuseLarge(bytes.length)
  if (looksBinary(bytes)) return bytes
  const text = new TextDecoder('latin1').decode(bytes).replace(/^\u00ef\u00bb\u00bf/, '')
  // What is neither becomes the verifier's to refuse, with its own code for what is wrong.
  return /^[\x09\x0a\x0d\x20-\x7e]+$/.test(text) ? evidenceOfText(text) : bytes
}

/**
 * The bytes of a document that was pasted: base64, base64url or hex. Blanks are taken anywhere; so are `0x`, colons or
 * commas between hex digits, quotes around the whole, a `data:` URL in base64, and armour lines.
 *
 * @throws {InspectorError} `ERR_INSPECTOR_SIZE`, `ERR_INSPECTOR_ENCODING`.
 */
export function evidenceOfText(text: string): Uint8Array {
  refuseLarge(text.length)
  const compact = text
    .replace(/^-----.*$/gm, '')
    .trim()
    .replace(/^(["'`])(.*)\1$/s, '$2')
    .replace(/^data:[^,]*;base64,/i, '')
    .replace(/\s+/g, '')
  const hex = compact.replace(/0x/gi, '').replace(/[:,]/g, '')
  if (/^(?:[0-9a-f]{2})+$/i.test(hex)) return fromHex(hex)
  const base64 = compact.replace(/-/g, '+').replace(/_/g, '/').replace(/=+$/, '')
  if (/^[A-Za-z0-9+/]+$/.test(base64) && base64.length % 4 !== 1) return fromBase64(base64)
  throw new InspectorError(
    'ERR_INSPECTOR_ENCODING',
    `Base64 or hex was expected; ${firstForeign(compact, base64.length)}`,
  )
}

function firstForeign(text: string, length: number): string {
  const foreign = /[^A-Za-z0-9+/=_-]/u.exec(text)?.[0]
  if (foreign === undefined) return `${length} characters are no whole number of bytes`
  const point = (foreign.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')
  return `the character U+${point} belongs to neither`
}

/**
 * Asks an address for a document: this page's only connection, made when a person asks for it. No cookies, no referrer,
 * no redirects, ten seconds, and never more than 64 KiB.
 *
 * @throws {InspectorError} `ERR_INSPECTOR_FETCH`, `ERR_INSPECTOR_SIZE`, `ERR_INSPECTOR_ENCODING`.
 */
export async function evidenceOfUrl(address: string): Promise<Uint8Array> {
  const url = readAddress(address)
  const signal = AbortSignal.timeout(FETCH_TIMEOUT)
  let response: Response
  try {
    response = await fetch(url, {
      ...{ signal, credentials: 'omit', referrerPolicy: 'no-referrer' },
      ...{ redirect: 'error', cache: 'no-store' },
    })
  } catch (cause) {
    throw new InspectorError(
      'ERR_INSPECTOR_FETCH',
      signal.aborted
        ? 'No answer within 10 seconds'
        : 'The address did not answer, redirected, or does not let other pages read it (Access-Control-Allow-Origin)',
      { cause },
    )
  }
  if (!response.ok) {
    throw new InspectorError('ERR_INSPECTOR_FETCH', `The address answered ${response.status}`)
  }
  return evidenceOfFile(await readBounded(response))
}

function readAddress(address: string): URL {
  const url = URL.parse(address.trim())
  const local = url?.hostname === 'localhost' || url?.hostname === '127.0.0.1'
  if (url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && local))) return url
  throw new InspectorError(
    'ERR_INSPECTOR_FETCH',
    'An address that begins with https:// was expected (http:// only for localhost)',
  )
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for (const reader = response.body?.getReader(); reader !== undefined;) {
      const { done, value } = await reader.read()
      if (done) break
      length += value.length
      if (length > MAX_EVIDENCE) await reader.cancel()
      refuseLarge(length)
      parts.push(value)
    }
  } catch (cause) {
    if (cause instanceof InspectorError) throw cause
    throw new InspectorError('ERR_INSPECTOR_FETCH', 'The answer broke off', { cause })
  }
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

/** @throws {InspectorError} `ERR_INSPECTOR_SIZE` for more than any form of a document has. */
export function refuseLarge(size: number): void {
  if (size <= MAX_EVIDENCE) return
  throw new InspectorError(
    'ERR_INSPECTOR_SIZE',
    `At most ${MAX_EVIDENCE} bytes were expected, ${size} or more were given: no attestation document is that large`,
  )
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, index) =>
    Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16),
  )
}

function fromBase64(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}

/** The bytes of a nonce in hex or base64; undefined for none. @throws {InspectorError} `ERR_INSPECTOR_ENCODING`. */
export function readNonce(text: string): Uint8Array | undefined {
  return text.trim() === '' ? undefined : evidenceOfText(text)
}

/**
 * Certificates in PEM, as DER.
 *
 * @throws {InspectorError} `ERR_INSPECTOR_TRUST_ANCHOR` where there is none, or something that is none.
 */
export function readPem(text: string): readonly Uint8Array[] {
  const found = [...text.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g)]
  const bodies = found.map(([, body = '']) => body.replace(/\s+/g, ''))
  const good = bodies.every((body) => /^[A-Za-z0-9+/]+={0,2}$/.test(body) && body.length % 4 === 0)
  if (bodies.length > 0 && bodies.length <= 16 && good && text.length <= MAX_EVIDENCE) {
    return bodies.map(fromBase64)
  }
  throw new InspectorError(
    'ERR_INSPECTOR_TRUST_ANCHOR',
    'A root certificate in PEM was expected: -----BEGIN CERTIFICATE----- and what follows',
  )
}
