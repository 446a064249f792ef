import { AttestationError } from '@enclavejs/attestation'
import { MAX_INPUT, readInput } from './input-file.ts'

/** How the bytes of a document are written in a file. */
type Encoding = 'raw' | 'base64' | 'hex'

/** A document as it was given. */
export interface DocumentFile {
  readonly bytes: Uint8Array
  readonly encoding: Encoding
  /** What may be wrong with the file, where it is text that is neither hex nor base64. */
  readonly note: string | undefined
}

/**
 * Reads a document, raw, in base64 or in hex.
 *
 * @throws {CliError} `ERR_CLI_FILE` when the file cannot be read.
 * @throws {AttestationError} `ERR_ATTESTATION_SIZE` when it is larger than any document in any encoding.
 */
export async function readDocument(path: string): Promise<DocumentFile> {
  const bytes = await readInput(path)
  if (bytes !== undefined) return decodeDocument(bytes)
  throw new AttestationError(
    'ERR_ATTESTATION_SIZE',
    `A document has at most 16 KiB, this input has more than ${MAX_INPUT} bytes`,
  )
}

/**
 * Tells the encoding by the contents. It cannot be mistaken: a document begins with 0x84 or 0xd2, which is no text, its
 * base64 with `h` or `0o`, which is no hex. What is neither hex nor base64 in whole is left as it is for the verifier
 * to refuse.
 */
function decodeDocument(bytes: Uint8Array): DocumentFile {
  if (bytes.some((byte) => byte >= 0x80)) return { bytes, encoding: 'raw', note: undefined }
  const lines = Buffer.from(bytes).toString('latin1').trim()
  const text = lines.replace(/[\r\n]+[ \t]*/g, '')
  if (text === '') return { bytes: new Uint8Array(0), encoding: 'raw', note: undefined }
  if (/^(?:[0-9a-f]{2})+$/i.test(text)) {
    return { bytes: decode(text, 'hex'), encoding: 'hex', note: undefined }
  }
  if (isBase64(text)) return { bytes: decode(text, 'base64'), encoding: 'base64', note: undefined }
  const note = 'The input is text, but as a whole neither hex nor base64; it was taken as raw bytes'
  return { bytes, encoding: 'raw', note }
}

/** RFC 4648 §4 with padding, or §5 (`-` and `_`) with or without; no bits that decode to nothing. */
function isBase64(text: string): boolean {
  if (/^[0-9a-f]+$/i.test(text)) return false // hex that lost a digit
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    if (Buffer.from(text, 'base64').toString('base64') === text) return true
  }
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(text)) return false
  const [padded, bare] = [text, text.replace(/=+$/, '')]
  const sound = Buffer.from(bare, 'base64url').toString('base64url') === bare
  return sound && (padded === bare || padded.length % 4 === 0)
}

function decode(text: string, encoding: 'hex' | 'base64'): Uint8Array {
  return Uint8Array.from(Buffer.from(text, encoding))
}
