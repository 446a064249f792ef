import { concatBytes } from './bytes.ts'
import { AttestedTlsError } from './error.ts'
import { integer, lengthPrefixed, MessageReader } from './message-reader.ts'

/** Lower-case names, in their order; a name may come more than once. */
type FieldLines = readonly (readonly [name: string, value: string])[]

/** What a sealed request says. */
export interface InnerRequest {
  readonly method: string
  readonly authority: string
  /** Path and query. */
  readonly path: string
  readonly fields: FieldLines
  readonly content: Uint8Array
}

/** What a sealed response says. */
export interface InnerResponse {
  readonly status: number
  readonly fields: FieldLines
  readonly content: Uint8Array
}

/** Framing indicators of RFC 9292 §3.1; messages of indeterminate length are not taken. */
const KNOWN_LENGTH_REQUEST = 0
const KNOWN_LENGTH_RESPONSE = 1
const FIELDS_MOST = 32_768
const FIELD_COUNT_MOST = 200

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/
/** RFC 9110 §5.5: visible characters, obs-text, and spaces between them. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
const AUTHORITY = /^[\x21-\x7e]{1,255}$/
const PATH = /^\/[\x21-\x7e]{0,8191}$/
/** Of one connection (RFC 9110 §7.6.1), and what the connection inside says by itself. */
const NOT_CARRIED: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'],
  ...['upgrade', 'http2-settings', 'proxy-authorization', 'proxy-authenticate'],
])
/** Methods that mean the connection, not a resource. */
const NOT_TAKEN: ReadonlySet<string> = new Set(['CONNECT', 'TRACE'])

/** Whether a field belongs to one connection, and does not go into a sealed message. */
export function isCarried(name: string): boolean {
  return !NOT_CARRIED.has(name)
}

/** A known-length request, RFC 9292 §3.1. @throws {AttestedTlsError} `ERR_ATTESTED_TLS_BINARY_HTTP` */
export function encodeInnerRequest(request: InnerRequest): Uint8Array<ArrayBuffer> {
  checkRequest(request)
  return concatBytes(
    integer(KNOWN_LENGTH_REQUEST),
    lengthPrefixed(latin1(request.method)),
    lengthPrefixed(latin1('https')),
    lengthPrefixed(latin1(request.authority)),
    lengthPrefixed(latin1(request.path)),
    fieldSection(request.fields),
    lengthPrefixed(request.content),
    integer(0),
  )
}

/** @throws {AttestedTlsError} `ERR_ATTESTED_TLS_BINARY_HTTP` */
export function decodeInnerRequest(bytes: Uint8Array): InnerRequest {
  const reader = new MessageReader(bytes)
  if (reader.integer() !== KNOWN_LENGTH_REQUEST) throw refusal('a request of known length expected')
  const method = reader.text()
  const scheme = reader.text()
  const authority = reader.text()
  const path = reader.text()
  if (scheme !== 'https') throw refusal('the scheme must be https')
  const { content, fields } = readRest(reader)
  const request = { method, path, ...targetOf(authority, fields), content }
  checkRequest(request)
  return request
}

/** A message that was made of HTTP/1.1 may say in `host` what the authority is (RFC 9292 §3.4), then once and alone. */
function targetOf(
  authority: string,
  fields: FieldLines,
): Pick<InnerRequest, 'authority' | 'fields'> {
  const hosts = fields.filter(([name]) => name === 'host')
  if (authority !== '' || hosts.length !== 1) return { authority, fields }
  const rest = fields.filter(([name]) => name !== 'host')
  return { authority: hosts[0]?.[1] ?? '', fields: rest }
}

/** A known-length response without informational ones. @throws {AttestedTlsError} `ERR_ATTESTED_TLS_BINARY_HTTP` */
export function encodeInnerResponse(response: InnerResponse): Uint8Array<ArrayBuffer> {
  checkStatus(response.status)
  checkFields(response.fields, [])
  return concatBytes(
    integer(KNOWN_LENGTH_RESPONSE),
    integer(response.status),
    fieldSection(response.fields),
    lengthPrefixed(response.content),
    integer(0),
  )
}

/** @throws {AttestedTlsError} `ERR_ATTESTED_TLS_BINARY_HTTP` */
export function decodeInnerResponse(bytes: Uint8Array): InnerResponse {
  const reader = new MessageReader(bytes)
  if (reader.integer() !== KNOWN_LENGTH_RESPONSE) {
    throw refusal('a response of known length expected')
  }
  const status = reader.integer()
  checkStatus(status)
  const response = { status, ...readRest(reader) }
  checkFields(response.fields, [])
  return response
}

function checkRequest({ method, authority, path, fields }: InnerRequest): void {
  if (!TOKEN.test(method) || NOT_TAKEN.has(method.toUpperCase())) {
    throw refusal('a method other than CONNECT and TRACE expected')
  }
  if (!AUTHORITY.test(authority)) throw refusal('an authority of 1 to 255 characters expected')
  if (!PATH.test(path)) throw refusal('a path of 1 to 8192 visible characters expected')
  // Inside, HTTP/1.1 says both by itself: a second saying would be another request.
  checkFields(fields, ['host', 'content-length'])
}

function checkStatus(status: number): void {
  if (Number.isInteger(status) && status >= 200 && status <= 599) return
  throw refusal('a final status of 200 to 599 expected, and no other before it')
}

function checkFields(fields: FieldLines, refused: readonly string[]): void {
  if (fields.length > FIELD_COUNT_MOST) throw refusal(`at most ${FIELD_COUNT_MOST} fields expected`)
  for (const [name, value] of fields) {
    if (!NAME.test(name)) throw refusal('a field name is no lower-case token')
    if (!VALUE.test(value)) throw refusal(`the value of ${name} is none of HTTP`)
    if (!isCarried(name) || refused.includes(name))
      throw refusal(`the field ${name} is not carried`)
  }
}

function fieldSection(fields: FieldLines): Uint8Array {
  const lines = fields.flatMap(([name, value]) => [
    lengthPrefixed(latin1(name)),
    lengthPrefixed(latin1(value)),
  ])
  const section = concatBytes(...lines)
  if (section.length > FIELDS_MOST) throw refusal(`fields of at most ${FIELDS_MOST} bytes expected`)
  return lengthPrefixed(section)
}

/** Fields, content, no trailers, and padding of zeros (RFC 9292 §3.8). */
function readRest(reader: MessageReader): { fields: FieldLines; content: Uint8Array } {
  const section = reader.bytes()
  if (section.length > FIELDS_MOST) throw refusal(`fields of at most ${FIELDS_MOST} bytes expected`)
  const fields: (readonly [string, string])[] = []
  const lines = new MessageReader(section)
  while (!lines.atEnd) {
    if (fields.length === FIELD_COUNT_MOST) {
      throw refusal(`at most ${FIELD_COUNT_MOST} fields expected`)
    }
    fields.push([lines.text(), lines.text()])
  }
  // What is empty at the end may be left out.
  const content = reader.atEnd ? new Uint8Array(0) : reader.bytes()
  if (!reader.atEnd && reader.bytes().length > 0) throw refusal('trailers are not taken')
  if (!reader.restIsZero()) throw refusal('padding is not zero')
  return { fields, content }
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const code = character.charCodeAt(0)
    if (code > 0xff) throw refusal('characters above U+00FF have no place in HTTP')
    return code
  })
}

function refusal(why: string): AttestedTlsError {
  return new AttestedTlsError('ERR_ATTESTED_TLS_BINARY_HTTP', `Binary HTTP: ${why}`)
}
