import { BHttpDecoder, BHttpEncoder } from 'bhttp-js'
import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  integer,
  pre,
  property,
  record,
} from 'fast-check'
import { stringMatching, tuple, uint8Array, uniqueArray } from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeInnerRequest,
  decodeInnerResponse,
  encodeInnerRequest,
  encodeInnerResponse,
} from '../src/binary-http.ts'
import { outcome } from './enclave.ts'

const CODE = 'ERR_ATTESTED_TLS_BINARY_HTTP'
const hex = (digits: string): Uint8Array => new Uint8Array(Buffer.from(digits, 'hex'))

/** RFC 9292 §5.1, Figure 8: a request of HTTP/1.1, as a message of known length. */
const RFC_REQUEST =
  '0003474554056874747073000a2f68656c6c6f2e747874406c0a757365722d6167656e74346375726c2f372e31362e33' +
  '206c69626375726c2f372e31362e33204f70656e53534c2f302e392e376c207a6c69622f312e322e3304686f7374' +
  '0f7777772e6578616d706c652e636f6d0f6163636570742d6c616e677561676506656e2c206d690000'

const fieldName = stringMatching(/^[a-z][a-z0-9-]{0,20}$/).map((name) => `x-${name}`)
const fieldValue = stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/)
const fields = array(tuple(fieldName, fieldValue), { maxLength: 8 })
const content = uint8Array({ maxLength: 300 })
const requests = record({
  method: constantFrom('GET', 'POST', 'PATCH', 'QUERY'),
  authority: constantFrom('enclave.example', '[::1]:8443'),
  path: stringMatching(/^\/[!-~]{0,60}$/),
  ...{ fields, content },
})
const responses = record({ status: integer({ min: 200, max: 599 }), fields, content })

describe('binary HTTP', () => {
  it('is read as it was written', () => {
    assert(
      property(requests, (request) => {
        expect(decodeInnerRequest(encodeInnerRequest(request))).toEqual(request)
      }),
    )
    assert(
      property(responses, (response) => {
        expect(decodeInnerResponse(encodeInnerResponse(response))).toEqual(response)
      }),
    )
  })

  it('is that of the RFC', () => {
    expect(decodeInnerRequest(hex(RFC_REQUEST))).toEqual({
      ...{ method: 'GET', authority: 'www.example.com', path: '/hello.txt' },
      fields: [
        ['user-agent', 'curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3'],
        ['accept-language', 'en, mi'],
      ],
      content: new Uint8Array(0),
    })
    const host = (name: string): Uint8Array => hex(RFC_REQUEST.replace('686f7374', name))
    expect(() => decodeInnerRequest(host('686f7375'))).toThrow(/authority/)
    const twice = RFC_REQUEST.replace('0f6163636570742d6c616e6775616765', '04686f7374')
    expect(() => decodeInnerRequest(hex(twice.replace('406c', '4061')))).toThrow(/authority/)
  })

  it('is read by another implementation as it was written, and the reverse', async () => {
    // Theirs keeps one field of a name.
    const once = uniqueArray(tuple(fieldName, fieldValue), {
      maxLength: 8,
      selector: ([name]) => name,
    })
    const read = record({ status: integer({ min: 200, max: 599 }), fields: once, content })
    await assert(
      asyncProperty(read, async (response) => {
        pre(![204, 205, 304].includes(response.status)) // Theirs makes a Response of it, which then has no body.
        const theirs = new BHttpDecoder().decodeResponse(encodeInnerResponse(response))
        expect(theirs.status).toBe(response.status)
        expect(new Uint8Array(await theirs.arrayBuffer())).toEqual(response.content)
        for (const [name, value] of response.fields) {
          expect(theirs.headers.get(name)).toBe(value)
        }
      }),
      { numRuns: 200 },
    )
    const init = { method: 'POST', body: 'hello', headers: { 'x-one': 'two' } }
    const encoded = await new BHttpEncoder().encodeRequest(new Request('https://a.example/b', init))
    const ours = decodeInnerRequest(new Uint8Array(encoded))
    expect([ours.method, ours.authority, ours.path]).toEqual(['POST', 'a.example', '/b'])
    expect(ours.fields).toContainEqual(['x-one', 'two'])
    expect(Buffer.from(ours.content).toString()).toBe('hello')
    const response = new Response('hello', { status: 201, headers: { 'x-one': 'two' } })
    const answer = decodeInnerResponse(
      new Uint8Array(await new BHttpEncoder().encodeResponse(response)),
    )
    expect([answer.status, Buffer.from(answer.content).toString()]).toEqual([201, 'hello'])
  })

  it('of any bytes is read or refused, and nothing else', () => {
    for (const decode of [decodeInnerRequest, decodeInnerResponse]) {
      assert(
        property(uint8Array({ maxLength: 100 }), (bytes) => {
          try {
            decode(bytes)
          } catch (error) {
            expect((error as { code: string }).code).toBe(CODE)
          }
        }),
      )
    }
  })

  it('that is cut anywhere is refused, or lacks only what is empty', () => {
    const request = {
      method: 'GET',
      authority: 'a',
      path: '/',
      fields: [['x-a', 'b']],
      content: new Uint8Array(0),
    } as const
    const bytes = encodeInnerRequest(request)
    for (let length = 0; length < bytes.length - 2; length++) {
      expect(() => decodeInnerRequest(bytes.subarray(0, length)), String(length)).toThrow(
        /complete/,
      )
    }
    for (const length of [bytes.length - 2, bytes.length - 1]) {
      expect(decodeInnerRequest(bytes.subarray(0, length))).toEqual(request)
    }
    const padded = new Uint8Array(bytes.length + 20)
    padded.set(bytes)
    expect(decodeInnerRequest(padded)).toEqual(request)
    padded[padded.length - 1] = 1
    expect(() => decodeInnerRequest(padded)).toThrow(/padding/)
  })

  it('takes integers of every length', () => {
    const short = hex('0140c80000')
    expect(decodeInnerResponse(short).status).toBe(200)
    expect(decodeInnerResponse(hex('4001800000c80000')).status).toBe(200)
    expect(decodeInnerResponse(hex('01c0000000000000c80000')).status).toBe(200)
    expect(() => decodeInnerResponse(hex('01ffffffffffffffff0000'))).toThrow(/complete/)
  })
})

describe('a message is refused', () => {
  const request = {
    method: 'GET',
    authority: 'a',
    path: '/',
    fields: [] as [string, string][],
    content: new Uint8Array(0),
  }
  const response = { status: 200, fields: [] as [string, string][], content: new Uint8Array(0) }

  it.each<[string, Partial<typeof request>, RegExp]>([
    ['CONNECT', { method: 'CONNECT' }, /CONNECT/],
    ['trace', { method: 'trace' }, /TRACE/],
    ['no token', { method: 'GET /' }, /method/],
    ['no method', { method: '' }, /method/],
    ['no authority', { authority: '' }, /authority/],
    ['an authority with a line', { authority: 'a\r\nx: y' }, /authority/],
    ['no path', { path: '' }, /path/],
    ['a path that is no path', { path: '*' }, /path/],
    ['a path with a space', { path: '/ HTTP/1.1' }, /path/],
    ['a path beyond 8 KiB', { path: `/${'x'.repeat(8192)}` }, /path/],
    ['a second host', { fields: [['host', 'b']] }, /host is not carried/],
    ['a second length', { fields: [['content-length', '3']] }, /content-length is not carried/],
    ['a transfer encoding', { fields: [['transfer-encoding', 'chunked']] }, /not carried/],
    ['an upgrade', { fields: [['upgrade', 'websocket']] }, /not carried/],
    ['a pseudo field', { fields: [[':path', '/']] }, /token/],
    ['a name in capitals', { fields: [['X-A', 'b']] }, /token/],
    ['no name', { fields: [['', 'b']] }, /token/],
    ['a value with a line', { fields: [['x', 'a\r\nb: c']] }, /value of x/],
    ['a value with NUL', { fields: [['x', 'a\0b']] }, /value of x/],
    ['a value with spaces around', { fields: [['x', ' a']] }, /value of x/],
    ['201 fields', { fields: Array.from({ length: 201 }, () => ['x', 'y']) }, /200 fields/],
    ['fields beyond 32 KiB', { fields: [['x', 'y'.repeat(32_768)]] }, /32768 bytes/],
  ])('with %s', async (_what, wrong, message) => {
    expect(() => encodeInnerRequest({ ...request, ...wrong })).toThrow(message)
    expect(await outcome(() => encodeInnerRequest({ ...request, ...wrong }))).toBe(CODE)
  })

  it.each([
    ['of a character above U+00FF', { fields: [['x', 'ő']] as [string, string][] }],
    ['of an informational status', { status: 103 }],
    ['of status 600', { status: 600 }],
  ])('%s', async (_what, wrong) => {
    expect(await outcome(() => encodeInnerResponse({ ...response, ...wrong }))).toBe(CODE)
  })

  it.each([
    ['of indeterminate length', '02034745540568747470730161012f000000', /known length/],
    ['that is a response', '0140c8000000', /known length/],
    ['of another scheme', '000347455404687474700161012f000000', /https/],
    ['with trailers', '00034745540568747470730161012f00000401780179', /trailers/],
    ['of a name without end', '00034745540568747470730161012f03057800000000', /complete/],
  ])('%s', (_what, digits, message) => {
    expect(() => decodeInnerRequest(hex(digits))).toThrow(message)
  })

  it('with an informational response before it', () => {
    expect(() => decodeInnerResponse(hex('014067000040c8000000'))).toThrow(/final status/)
  })
})
