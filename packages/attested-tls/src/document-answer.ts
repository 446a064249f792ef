import type { TLSSocket } from 'node:tls'
import { AttestedTlsError } from './error.ts'
import { ATTESTATION_PATH, DOCUMENT_MOST, DOCUMENT_TYPE } from './purpose.ts'

const HEAD_MOST = 8192
const HEAD_END = '\r\n\r\n'

/**
 * Asks for a document on a TLS connection, and reads the one answer from it: nothing of what follows. The form is strict, because
 * what serves it is known: HTTP/1.1, a length, no encoding. Bytes beyond it are refused, since nobody asked for them.
 *
 * @returns the document; the stream is as it was, for HTTP/1.1 to go on.
 * @throws {AttestedTlsError} `ERR_ATTESTED_TLS_RESPONSE`, `ERR_ATTESTED_TLS_UNAVAILABLE`, `ERR_ATTESTED_TLS_CONNECTION`
 */
export function askForDocument(
  socket: TLSSocket,
  host: string,
  nonce: string,
): Promise<Uint8Array> {
  const request = `GET ${ATTESTATION_PATH}?nonce=${nonce} HTTP/1.1\r\nhost: ${host}\r\naccept: application/cose\r\n\r\n`
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0)
    const settle = (action: () => void): void => {
      socket.off('readable', read)
      socket.off('error', failed)
      socket.off('end', ended)
      socket.off('close', ended)
      action()
    }
    const failed = (cause: Error): void => settle(() => reject(broken(cause)))
    const ended = (): void => settle(() => reject(broken()))
    const read = (): void => {
      for (let chunk; (chunk = socket.read() as Buffer | null) !== null;) {
        seen = Buffer.concat([seen, chunk])
        if (seen.length > HEAD_MOST + DOCUMENT_MOST) break
      }
      try {
        const document = documentOf(seen)
        if (document !== undefined) settle(() => resolve(document))
      } catch (error) {
        settle(() => reject(error as Error))
      }
    }
    socket.on('readable', read).on('error', failed).on('end', ended).on('close', ended)
    socket.write(request)
    read()
  })
}

/** The document once it is complete; undefined while it is not. */
function documentOf(seen: Buffer): Uint8Array | undefined {
  const end = seen.subarray(0, HEAD_MOST).indexOf(HEAD_END)
  if (end < 0) {
    if (seen.length >= HEAD_MOST) throw refusal(`a head of at most ${HEAD_MOST} bytes expected`)
    return undefined
  }
  const { status, fields } = readHead(seen.subarray(0, end).toString('latin1'))
  if (status !== 200) {
    const message = `Whoever answered gives no document: status ${status}`
    throw new AttestedTlsError('ERR_ATTESTED_TLS_UNAVAILABLE', message)
  }
  if (fields.get('content-type') !== DOCUMENT_TYPE) throw refusal(`${DOCUMENT_TYPE} expected`)
  const text = fields.get('content-length') ?? ''
  const length = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0
  if (length < 1 || length > DOCUMENT_MOST) {
    throw refusal(`a content-length of 1 to ${DOCUMENT_MOST} expected`)
  }
  for (const name of ['transfer-encoding', 'content-encoding', 'upgrade']) {
    if (fields.has(name)) throw refusal(`no ${name} expected`)
  }
  if (fields.get('connection')?.toLowerCase() === 'close') {
    throw refusal('a connection that stays open expected')
  }
  const body = seen.subarray(end + HEAD_END.length)
  if (body.length > length) throw refusal('nothing beyond the document expected')
  return body.length === length ? new Uint8Array(body) : undefined
}

function readHead(head: string): { status: number; fields: ReadonlyMap<string, string> } {
  const [first = '', ...lines] = head.split('\r\n')
  const status = /^HTTP\/1\.1 ([2-5]\d\d)(?: [\t\x20-\x7e]*)?$/.exec(first)?.[1]
  if (status === undefined) throw refusal('HTTP/1.1 with a final status expected')
  const fields = new Map<string, string>()
  for (const line of lines) {
    const [, name = '', value = ''] =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
    const key = name.toLowerCase()
    if (key === '') throw refusal('a header field has no form of HTTP')
    if (fields.has(key)) throw refusal(`${key} comes twice`)
    fields.set(key, value.trimEnd())
  }
  return { status: Number(status), fields }
}

function refusal(why: string): AttestedTlsError {
  return new AttestedTlsError('ERR_ATTESTED_TLS_RESPONSE', `The answer with the document: ${why}`)
}

function broken(cause?: Error): AttestedTlsError {
  const message = 'The connection ended before the document had arrived'
  return new AttestedTlsError('ERR_ATTESTED_TLS_CONNECTION', message, { cause })
}
