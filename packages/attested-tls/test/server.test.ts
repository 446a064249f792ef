// What a server answers to clients that are not ours: each refusal, each bound.
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createVerifier } from '@enclavejs/attestation'
import { ATTESTATION_PATH, SEALED_PATH } from '../src/index.ts'
import { serveAttested, type GetEvidence, type ServeAttestedOptions } from '../src/server.ts'
import { Attester, openEnclave, outcome, type Enclave } from './enclave.ts'

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The code in a problem document. */
  readonly code: unknown
}

/** One request as anybody can send it. */
function ask(
  url: string,
  {
    method = 'GET',
    body,
    headers = {},
  }: { method?: string; body?: Uint8Array; headers?: object } = {},
): Promise<Answer> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  const options = { method, headers: { ...headers }, rejectUnauthorized: false, agent: false }
  return new Promise((resolve, reject) => {
    const sent = send(url, options as object, (response) => {
      buffer(response).then((bytes) => {
        const isProblem = response.headers['content-type'] === 'application/problem+json'
        const code = isProblem ? (JSON.parse(String(bytes)) as { code: unknown }).code : undefined
        resolve({ status: response.statusCode, headers: response.headers, body: bytes, code })
      }, reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const url64 = (length: number): string => Buffer.alloc(length, 7).toString('base64url')
let attester: Attester
let enclave: Enclave
let sealed: Enclave

beforeAll(async () => {
  attester = await Attester.open()
  enclave = await openEnclave({ getEvidence: attester.evidence() })
  sealed = await openEnclave({ getEvidence: attester.evidence(), transport: 'sealed' })
})
afterAll(async () => {
  await enclave[Symbol.asyncDispose]()
  await sealed[Symbol.asyncDispose]()
})

describe('a nonce', () => {
  it.each([16, 32, 512])(
    'of %i bytes is answered with a document, in the query or as a body',
    async (length) => {
      const nonce = new Uint8Array(length).fill(7)
      const verifier = createVerifier(attester.policy())
      const place = `${enclave.url}${ATTESTATION_PATH}`
      for (const answer of [
        await ask(`${place}?nonce=${url64(length)}`),
        await ask(place, { method: 'POST', body: nonce }),
        await ask(`${sealed.url}${SEALED_PATH}?nonce=${url64(length)}`),
      ]) {
        expect(answer.status).toBe(200)
        expect(answer.headers['content-type']).toBe('application/cose; cose-type="cose-sign1"')
        expect(answer.headers['cache-control']).toBe('no-store')
        const { publicKey } = await verifier.verify(answer.body, { nonce })
        expect(publicKey).toHaveLength(91)
      }
    },
  )

  it.each([
    ['none', ''],
    ['an empty one', '?nonce='],
    ['one of 15 bytes', `?nonce=${url64(15)}`],
    ['one of 513 bytes', `?nonce=${url64(513)}`],
    ['one of 100 KB', `?nonce=${url64(10_000)}`],
    ['one with padding', `?nonce=${Buffer.alloc(16).toString('base64')}`],
    ['one in base64', `?nonce=${Buffer.alloc(18, 255).toString('base64')}`],
    ['one in no canonical form', `?nonce=${'A'.repeat(21)}B`],
    ['one of an impossible length', `?nonce=${'A'.repeat(25)}`],
    ['two', `?nonce=${url64(16)}&nonce=${url64(32)}`],
    ['another parameter beside it', `?nonce=${url64(16)}&x=1`],
  ])('that is %s is refused', async (_what, query) => {
    for (const place of [enclave.url + ATTESTATION_PATH, sealed.url + SEALED_PATH]) {
      const answer = await ask(place + query)
      expect([answer.status, answer.code]).toEqual([400, 'ERR_ATTESTED_TLS_NONCE'])
    }
  })

  it.each([0, 15, 513, 5_000_000])('of %i bytes in a body is refused', async (length) => {
    const body = new Uint8Array(length)
    const headers = { 'content-length': length }
    const place = enclave.url + ATTESTATION_PATH
    const answer = await ask(place, { method: 'POST', body, headers }).catch(() => undefined)
    // Of a large body only the beginning is read: its sender may see the connection end before the answer.
    if (length < 1_000_000 || answer !== undefined) {
      expect([answer?.status, answer?.code]).toEqual([400, 'ERR_ATTESTED_TLS_NONCE'])
    }
  })

  it('is not asked for with other methods', async () => {
    const path = `${ATTESTATION_PATH}?nonce=${url64(16)}`
    for (const place of [enclave.url + path, sealed.url + SEALED_PATH]) {
      const answer = await ask(place, { method: 'PUT' })
      expect([answer.status, answer.code]).toEqual([405, 'ERR_ATTESTED_TLS_METHOD'])
    }
  })

  it('gets a document of its own each time, of a clock that goes on', async () => {
    const place = `${enclave.url}${ATTESTATION_PATH}?nonce=${url64(16)}`
    const [one, two] = [await ask(place), await ask(place)]
    expect(one.body.equals(two.body)).toBe(false)
  })
})

describe('a listener behind which TLS has ended', () => {
  it('answers nothing but sealed requests', async () => {
    for (const path of [
      '/',
      `${ATTESTATION_PATH}?nonce=${url64(16)}`,
      `${SEALED_PATH}/x`,
      '/%2e',
    ]) {
      const answer = await ask(sealed.url + path)
      expect([answer.status, answer.code]).toEqual([404, 'ERR_ATTESTED_TLS_NOT_SEALED'])
    }
    expect(sealed.requests).toEqual([])
  })
})

describe('Evidence', () => {
  const place = (one: Enclave): string => `${one.url}${ATTESTATION_PATH}?nonce=${url64(16)}`

  it.each<[string, GetEvidence]>([
    ['fails', () => Promise.reject(new Error('secret detail'))],
    [
      'throws',
      () => {
        throw new Error('secret detail')
      },
    ],
    ['never comes', () => new Promise(() => {})],
    ['is no bytes', () => Promise.resolve('text' as never)],
    ['is empty', () => Promise.resolve(new Uint8Array(0))],
    ['is too large', () => Promise.resolve(new Uint8Array(16_385))],
  ])('that %s is answered with its code and no reason', async (_what, getEvidence) => {
    await using one = await openEnclave({ getEvidence, evidenceTimeout: 200 })
    const answer = await ask(place(one))
    expect([answer.status, answer.code]).toEqual([503, 'ERR_ATTESTED_TLS_EVIDENCE_SOURCE'])
    expect(String(answer.body)).not.toContain('secret detail')
  })

  it('is asked for so many times at once, and so many wait', async () => {
    let running = 0
    let most = 0
    let go = (): void => undefined
    const started = new Promise<void>((resolve) => (go = resolve))
    const getEvidence: GetEvidence = async (input) => {
      most = Math.max(most, ++running)
      await started
      running--
      return attester.issue(input)
    }
    await using one = await openEnclave({ getEvidence, maxConcurrentEvidence: 2 })
    const refused: Answer[] = []
    const answers = Array.from({ length: 70 }, async () => {
      const answer = await ask(place(one))
      if (answer.status === 503) refused.push(answer)
      return answer
    })
    await expect.poll(() => refused.length, { timeout: 5000 }).toBe(4)
    expect(refused[0]?.code).toBe('ERR_ATTESTED_TLS_BUSY')
    expect(refused[0]?.headers['retry-after']).toBe('1')
    go()
    const all = await Promise.all(answers)
    expect(all.filter(({ status }) => status === 200)).toHaveLength(2 + 64)
    expect(all.filter(({ code }) => code === 'ERR_ATTESTED_TLS_BUSY')).toHaveLength(4)
    expect(most).toBe(2)
  })

  it('is given so many times a second', async () => {
    await using one = await openEnclave({
      getEvidence: attester.evidence(),
      maxEvidencePerSecond: 3,
    })
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(place(one))))
    const busy = answers.filter(({ code }) => code === 'ERR_ATTESTED_TLS_BUSY')
    expect(busy.length).toBeGreaterThanOrEqual(4)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect((await ask(place(one))).status).toBe(200)
  })

  it('that is stuck keeps its place, and those who gave up waiting pass theirs on', async () => {
    const stuck: (() => void)[] = []
    const getEvidence: GetEvidence = async (input) => {
      await new Promise<void>((resolve) => stuck.push(resolve))
      return attester.issue(input)
    }
    await using one = await openEnclave({
      ...{ getEvidence, maxConcurrentEvidence: 1, evidenceTimeout: 150 },
    })
    const answers = await Promise.all([ask(place(one)), ask(place(one)), ask(place(one))])
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503])
    expect(stuck).toHaveLength(1)
    stuck[0]?.()
    const next = ask(place(one))
    await expect.poll(() => stuck.length).toBe(2)
    stuck[1]?.()
    expect((await next).status).toBe(200)
  })
})

describe('a connection', () => {
  const ended = (port: number, bytes: string, secure = false): Promise<string> =>
    new Promise((resolve) => {
      let seen = ''
      const options = { host: '127.0.0.1', port, rejectUnauthorized: false }
      const socket = secure ? connectTls(options) : connectTcp(options)
      socket.on('data', (chunk: Buffer) => (seen += chunk.toString('latin1')))
      socket.on('error', () => undefined).on('close', () => resolve(seen))
      socket.write(bytes)
    })

  it('that is slow in TLS or in a request is ended', async () => {
    const getEvidence = attester.evidence()
    const limits = { handshakeTimeout: 200, headersTimeout: 200, requestTimeout: 400 }
    await using tls = await openEnclave({ getEvidence, ...limits })
    await using plain = await openEnclave({ getEvidence, ...limits, transport: 'sealed' })
    const post = `POST ${SEALED_PATH} HTTP/1.1\r\nhost: a\r\ncontent-type: message/ohttp-req\r\ncontent-length: 500\r\n\r\nx`
    const [silent, head, inTls, body] = await Promise.all([
      ended(tls.port, ''),
      ended(plain.port, 'GET / HT'),
      ended(tls.port, 'GET / HT', true),
      ended(plain.port, post),
    ])
    expect(silent).toBe('')
    expect(head).toMatch(/^HTTP\/1\.1 408/)
    expect(inTls).toMatch(/^HTTP\/1\.1 408/)
    expect(body).toMatch(/^HTTP\/1\.1 408/)
  })

  it('too many is ended at once, and others are not', async () => {
    await using one = await openEnclave({ getEvidence: attester.evidence(), maxConnections: 2 })
    const options = { host: '127.0.0.1', port: one.port, rejectUnauthorized: false }
    const open = [connectTls(options), connectTls(options)]
    await Promise.all(open.map((socket) => new Promise((ok) => socket.once('secureConnect', ok))))
    expect(await ended(one.port, 'x')).toBe('')
    open[0]?.destroy()
    await expect.poll(() => outcome(() => ask(one.url)), { timeout: 2000 }).toBe('accepted')
    open[1]?.destroy()
  })

  it('that is idle ends with the server, and one that is busy ends first', async () => {
    let answer = (): void => undefined
    const one = await openEnclave({
      getEvidence: attester.evidence(),
      handler: (_request, response) => (answer = () => void response.end('done')),
    })
    const idle = ended(one.port, '', true)
    const busy = ask(one.url)
    await expect.poll(() => one.requests.length).toBe(1)
    const closing = one.served.close({ deadline: 5000 })
    expect(await outcome(() => ask(one.url))).toMatch(/^ECONN/)
    answer()
    expect(String((await busy).body)).toBe('done')
    await idle
    await closing
    await one.served.close()
  })
})

it('the Evidence of the NSM is the default, and without one says so', async () => {
  await using one = await openEnclave({} as { getEvidence: GetEvidence })
  const answer = await ask(`${one.url}${ATTESTATION_PATH}?nonce=${url64(16)}`)
  expect([answer.status, answer.code]).toEqual([503, 'ERR_ATTESTED_TLS_EVIDENCE_SOURCE'])
})

describe('options', () => {
  const handler = (): void => undefined
  it.each<[string, object, RegExp]>([
    ['an unknown one', { port: 1 }, /unknown option "port"/],
    ['no handler', { handler: undefined }, /handler must be a function/],
    ['a listener', { listener: {} }, /listener must be a net\.Server/],
    ['a transport', { transport: 'plain' }, /transport must be/],
    ['a curve', { curve: 'P-521' }, /curve must be/],
    ['a certificate without key', { certificate: { cert: 'x' } }, /certificate\.key must be PEM/],
    ['a certificate that attaches not', { certificate: { attach: 1 } }, /certificate\.attach/],
    [
      'a certificate and a curve',
      { certificate: { key: 'x', cert: 'x' }, curve: 'P-256' },
      /alone/,
    ],
    [
      'a certificate without TLS',
      { certificate: { key: 'x', cert: 'x' }, transport: 'sealed' },
      /alone/,
    ],
    ['getEvidence', { getEvidence: 1 }, /getEvidence must be a function/],
    ['rotateKeyAfter', { rotateKeyAfter: 59_999 }, /rotateKeyAfter must be/],
    ['maxRequestBytes', { maxRequestBytes: 2 ** 27 }, /maxRequestBytes must be/],
    ['evidenceTimeout', { evidenceTimeout: 0 }, /evidenceTimeout must be/],
    ['an origin', { allowedOrigins: ['https://a.example/'] }, /allowedOrigins must be/],
  ])('refuse %s', async (_what, options, message) => {
    const given = { handler, ...options } as ServeAttestedOptions
    await expect(serveAttested(given)).rejects.toThrow(message)
  })

  it('refuse a certificate that OpenSSL cannot read', async () => {
    const certificate = { key: 'x', cert: 'x' }
    await expect(serveAttested({ handler, certificate })).rejects.toThrow(/PEM/i)
  })
})
