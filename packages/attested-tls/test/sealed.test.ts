// Sealed requests end to end, in Node: what a page does with them in Chromium is in the root's test/attested-tls.test.ts.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSealedFetch, type SealedFetchOptions } from '../src/browser.ts'
import { channelOf } from '../src/server.ts'
import { createAttestedFetch } from '../src/client.ts'
import { Attester, openEnclave, outcome, type Enclave } from './enclave.ts'

let attester: Attester
let enclave: Enclave

beforeAll(async () => {
  attester = await Attester.open()
  enclave = await openEnclave({
    getEvidence: attester.evidence(),
    transport: 'sealed',
    maxRequestBytes: 100_000,
    maxResponseBytes: 100_000,
    handlerTimeout: 500,
    handler: (request, response) => {
      const url = new URL(request.url ?? '', 'https://enclave')
      const status = Number(url.searchParams.get('status') ?? 200)
      switch (url.pathname) {
        case '/echo':
          response.writeHead(status, {
            'x-channel': String(channelOf(request)),
            'x-request': JSON.stringify([request.method, request.url, request.headers]),
            'set-cookie': ['a=1', 'b=2'],
            'content-type': request.headers['content-type'] ?? 'none/none',
          })
          return void request.pipe(response)
        case '/large':
          return void response.end(Buffer.alloc(Number(url.searchParams.get('bytes'))))
        case '/never':
          return
        case '/fields':
          for (let index = 0; index < 201; index++) response.appendHeader('x-many', 'x')
          return void response.end()
        case '/throws':
          return void response.destroy()
        case '/broken':
          response.writeHead(200, { 'content-length': 10 })
          return void response.write('half', () => response.destroy())
        case '/chunks':
          for (let index = 0; index < 5; index++) response.write(`${index}`)
          return void response.end()
      }
      return void response.writeHead(404).end()
    },
  })
})
afterAll(() => enclave[Symbol.asyncDispose]())
beforeEach(() => {
  attester.asked.length = 0
  enclave.requests.length = 0
})

const options = (): SealedFetchOptions => ({ ...attester.policy(), url: enclave.url })

describe('a sealed request', () => {
  it('reaches the handler as it was, and the answer comes back as it was', async () => {
    const sealedFetch = createSealedFetch(options())
    const body = 'árvíztűrő'
    const response = await sealedFetch('/echo?a=b&c=%20', {
      ...{ method: 'PATCH', body },
      headers: { 'content-type': 'text/x', 'x-one': 'two' },
    })
    expect([response.status, await response.text()]).toEqual([200, body])
    expect(response.headers.get('x-channel')).toBe('sealed')
    expect(JSON.parse(response.headers.get('x-request') as string)).toEqual([
      'PATCH',
      '/echo?a=b&c=%20',
      {
        ...{ host: `127.0.0.1:${enclave.port}`, connection: 'close', 'x-one': 'two' },
        ...{ 'content-type': 'text/x', 'content-length': String(Buffer.byteLength(body)) },
      },
    ])
  })

  it.each<[string, RequestInit | undefined, string]>([
    ['nothing', undefined, ''],
    ['bytes', { method: 'POST', body: new Uint8Array([1, 2, 3]) }, '\x01\x02\x03'],
    ['a form', { method: 'POST', body: new URLSearchParams({ a: 'b c' }) }, 'a=b+c'],
    ['a blob', { method: 'POST', body: new Blob(['blob']) }, 'blob'],
    ['a stream', { method: 'POST', body: new Blob(['stream']).stream() }, 'stream'],
    ['an empty body', { method: 'POST', body: '' }, ''],
    ['a deletion', { method: 'DELETE' }, ''],
  ])('carries %s', async (_what, init, text) => {
    const sealedFetch = createSealedFetch(options())
    expect(await (await sealedFetch('/echo', init)).text()).toBe(text)
  })

  it('has answers of all kinds', async () => {
    const sealedFetch = createSealedFetch(options())
    const codeOf = async (path: string, init?: RequestInit): Promise<unknown[]> => {
      const response = await sealedFetch(path, init)
      return [response.status, await response.text()]
    }
    expect(await codeOf('/absent')).toEqual([404, ''])
    expect(await codeOf('/echo?status=500', { method: 'POST', body: 'x' })).toEqual([500, 'x'])
    expect(await codeOf('/echo?status=204')).toEqual([204, ''])
    expect(await codeOf('/echo?status=304')).toEqual([304, ''])
    expect(await codeOf('/echo', { method: 'HEAD' })).toEqual([200, ''])
    expect(await codeOf('/chunks')).toEqual([200, '01234'])
    expect(await codeOf('/large?bytes=90000')).toEqual([200, '\0'.repeat(90_000)])
    const { headers } = await sealedFetch('/echo')
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  it('whose handler fails is answered, sealed, and told no more', async () => {
    const sealedFetch = createSealedFetch(options())
    for (const [path, status] of [
      ['/throws', 502],
      ['/broken', 502],
      ['/fields', 502],
      ['/large?bytes=100001', 502],
      ['/never', 504],
    ] as const) {
      const response = await sealedFetch(path)
      const { code } = (await response.json()) as { code: string }
      expect([path, response.status, code]).toEqual([path, status, 'ERR_ATTESTED_TLS_HANDLER'])
    }
  })

  it('shares one document with others, for the time that is set', async () => {
    const sealedFetch = createSealedFetch({ ...options(), reattestAfter: 1000 })
    await Promise.all(Array.from({ length: 5 }, () => sealedFetch('/echo')))
    expect(attester.asked).toHaveLength(1)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await sealedFetch('/echo')
    expect(attester.asked).toHaveLength(2)
    expect(attester.asked[0]?.nonce).not.toEqual(attester.asked[1]?.nonce)
    expect(attester.asked[0]?.publicKey).toEqual(attester.asked[1]?.publicKey)
  })

  it('goes through an enclave that ends TLS itself as well', async () => {
    await using tls = await openEnclave({ getEvidence: attester.evidence() })
    await using carrier = createAttestedFetch(attester.policy())
    const sealedFetch = createSealedFetch({
      ...{ ...attester.policy(), url: tls.url },
      fetch: (input, init) => carrier(input as URL, init),
    })
    expect(await (await sealedFetch('/')).text()).toBe('from the enclave')
    const purposes = attester.asked.map(({ userData }) => Buffer.from(userData).subarray(0, 21))
    expect(purposes.map(String)).toEqual(['enclavejs:attested-tl', 'enclavejs:sealed-http'])
    expect(attester.asked[0]?.publicKey).not.toEqual(attester.asked[1]?.publicKey)
  })
})

describe('what is too large, too slow or too strange', () => {
  it('is not sent', async () => {
    const sealedFetch = createSealedFetch({ ...options(), maxRequestBytes: 2000 })
    const post = (body: NonNullable<RequestInit['body']>): Promise<string> =>
      outcome(() => sealedFetch('/echo', { method: 'POST', body }))
    expect(await post('x'.repeat(1500))).toBe('accepted')
    expect(await post('x'.repeat(1999))).toBe('ERR_ATTESTED_TLS_SEALED_SIZE')
    let pulled = 0
    const endless = new ReadableStream({
      pull: (controller) => {
        pulled++
        controller.enqueue(new Uint8Array(1000))
      },
    })
    expect(await post(endless)).toBe('ERR_ATTESTED_TLS_SEALED_SIZE')
    expect(pulled).toBeLessThan(10)
    const long = `/${'x'.repeat(8192)}`
    const large = createSealedFetch(options())
    expect(await outcome(() => large(long))).toBe('ERR_ATTESTED_TLS_BINARY_HTTP')
    await expect(large('https://other.example/')).rejects.toThrow(TypeError)
    await expect(large('//other.example/')).rejects.toThrow(TypeError)
    expect(enclave.requests).toHaveLength(1)
  })

  it('is refused by the enclave', async () => {
    const sealedFetch = createSealedFetch(options())
    const body = 'x'.repeat(100_001)
    const refused = outcome(() => sealedFetch('/echo', { method: 'POST', body }))
    // The answer may be lost where the enclave ends the connection before all has arrived.
    expect(await refused).toMatch(/^ERR_ATTESTED_TLS_(?:SEALED_REFUSED|CONNECTION)$/)
    const small = createSealedFetch({ ...options(), maxResponseBytes: 2000 })
    expect(await outcome(() => small('/large?bytes=2000'))).toBe('accepted')
    const size = 'ERR_ATTESTED_TLS_SEALED_SIZE'
    expect(await outcome(() => small('/large?bytes=2001'))).toBe(size)
    expect(await outcome(() => small('/large?bytes=99000'))).toBe(size)
  })

  it('ends with its deadline or with its signal', async () => {
    const never = createSealedFetch({
      ...options(),
      fetch: () => new Promise(() => {}),
      timeout: 100,
    })
    expect(await outcome(() => never('/echo'))).toBe('ERR_ATTESTED_TLS_DEADLINE')
    const slow = createSealedFetch({ ...options(), timeout: 200 })
    await slow('/echo')
    expect(await outcome(() => slow('/never'))).toBe('ERR_ATTESTED_TLS_DEADLINE')
    const sealedFetch = createSealedFetch(options())
    const signal = AbortSignal.timeout(50)
    await expect(sealedFetch('/never', { signal })).rejects.toThrow('timeout')
    const aborted = sealedFetch('/never', { signal: AbortSignal.abort(new Error('mine')) })
    await expect(aborted).rejects.toThrow('mine')
  })
})

describe('onAttested', () => {
  it('refuses a key, and is given what was verified', async () => {
    const seen: string[] = []
    const good = createSealedFetch({
      ...options(),
      onAttested: ({ moduleId }) => void seen.push(moduleId),
    })
    await good('/echo')
    expect(seen).toEqual([attester.authority.moduleId])
    const onAttested = (): void => {
      throw new Error('not this one')
    }
    const bad = createSealedFetch({ ...options(), onAttested })
    enclave.requests.length = 0
    expect(await outcome(() => bad('/echo'))).toBe('ERR_ATTESTED_TLS_REFUSED')
    expect(enclave.requests).toEqual([])
  })
})

describe('options', () => {
  it.each<[string, object, RegExp]>([
    ['an unknown one', { credentials: 'include' }, /unknown option "credentials"/],
    ['no URL', { url: undefined }, /url must be an origin/],
    ['a URL with a path', { url: 'https://a.example/b' }, /url must be an origin/],
    ['a URL with a user', { url: 'https://u@a.example' }, /url must be an origin/],
    ['another scheme', { url: 'ftp://a.example' }, /url must be an origin/],
    ['no reference values', { referenceValues: undefined }, /referenceValues are required/],
    ['reattestAfter', { reattestAfter: 3_600_001 }, /reattestAfter must be/],
    ['maxResponseBytes', { maxResponseBytes: 1 }, /maxResponseBytes must be/],
    ['timeout', { timeout: 0.5 }, /timeout must be/],
    ['fetch', { fetch: 1 }, /fetch must be a function/],
  ])('refuse %s', (_what, wrong, message) => {
    expect(() => createSealedFetch({ ...options(), ...wrong } as never)).toThrow(message)
  })
})
