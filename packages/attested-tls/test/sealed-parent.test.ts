// The parent between a page and the enclave: it carries sealed messages, and does with them what it likes.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSealedFetch, type SealedFetchOptions } from '../src/browser.ts'
import { generateSealedKey, sealRequest } from '../src/encapsulation.ts'
import { SEALED_PATH } from '../src/index.ts'
import { SealedKeys } from '../src/sealed-keys.ts'
import { Attester, openEnclave, outcome, type Enclave } from './enclave.ts'

const DOCUMENT_TYPE = 'application/cose; cose-type="cose-sign1"'
const REQUEST_TYPE = 'message/ohttp-req'
const PURPOSE = new TextEncoder().encode('enclavejs:sealed-http:v1')
let attester: Attester
let enclave: Enclave

beforeAll(async () => {
  attester = await Attester.open()
  enclave = await openEnclave({ getEvidence: attester.evidence(), transport: 'sealed' })
})
afterAll(() => enclave[Symbol.asyncDispose]())
beforeEach(() => {
  attester.asked.length = 0
  enclave.requests.length = 0
})

/** A request as the page sent it, for the parent to do with. */
interface Message {
  readonly url: URL
  readonly init: RequestInit
  readonly isDocument: boolean
  pass(init?: RequestInit, url?: URL): Promise<Response>
}

/** A page's fetch through a parent. */
function through(
  mischief: (message: Message) => Promise<Response>,
  options: Partial<SealedFetchOptions> = {},
): ReturnType<typeof createSealedFetch> {
  const carrier = (input: unknown, given?: RequestInit): Promise<Response> => {
    const init = given ?? {}
    const url = new URL(String(input))
    const pass: Message['pass'] = (other = init, place = url) => fetch(place, other)
    return mischief({ url, init, isDocument: init.method === 'GET', pass })
  }
  return createSealedFetch({
    ...{ ...attester.policy(), url: enclave.url, fetch: carrier as typeof fetch, timeout: 2000 },
    ...options,
  })
}

const nonceOf = ({ url }: Message): Uint8Array =>
  new Uint8Array(Buffer.from(url.searchParams.get('nonce') ?? '', 'base64url'))
const documentAnswer = (document: Uint8Array): Response =>
  new Response(new Uint8Array(document), { headers: { 'content-type': DOCUMENT_TYPE } })
const sealedAnswer = (bytes: Uint8Array): Response =>
  new Response(new Uint8Array(bytes), { headers: { 'content-type': 'message/ohttp-res' } })
const problem = (code: string, status = 400): Response =>
  Response.json({ code }, { status, headers: { 'content-type': 'application/problem+json' } })
const post = { method: 'POST', body: 'a secret' }

describe('a document', () => {
  const evidence = 'ERR_ATTESTED_TLS_EVIDENCE'

  it('over a key of the parent is refused', async () => {
    const { spki } = await generateSealedKey()
    const own = await Attester.open()
    const sealedFetch = through(async (message) =>
      documentAnswer(own.issue({ publicKey: spki, nonce: nonceOf(message), userData: PURPOSE })),
    )
    expect(await outcome(() => sealedFetch('/', post))).toBe(evidence)
  })

  it('of the enclave for another nonce is refused', async () => {
    let kept: Uint8Array | undefined
    const keeping = through(async ({ isDocument, pass }) => {
      const answer = await pass()
      if (isDocument) kept = new Uint8Array(await answer.clone().arrayBuffer())
      return answer
    })
    await keeping('/')
    const replaying = through(async () => documentAnswer(kept as Uint8Array))
    expect(await outcome(() => replaying('/', post))).toBe(evidence)
  })

  it('of another image is refused', async () => {
    await using other = await openEnclave({
      getEvidence: attester.evidence(2),
      transport: 'sealed',
    })
    const sealedFetch = createSealedFetch({ ...attester.policy(), url: other.url })
    expect(await outcome(() => sealedFetch('/', post))).toBe(evidence)
    expect(other.requests).toEqual([])
  })

  it.each<[string, Uint8Array | undefined]>([
    ['of a TLS key', new TextEncoder().encode(`enclavejs:attested-tls:v1\0${'x'.repeat(32)}`)],
    ['of another version', new TextEncoder().encode('enclavejs:sealed-http:v2')],
    ['of nothing', undefined],
  ])('for the purpose %s is refused', async (_what, userData) => {
    const { spki } = await generateSealedKey()
    const sealedFetch = through(async (message) => {
      const fields = { publicKey: spki, nonce: nonceOf(message), ...(userData && { userData }) }
      return documentAnswer(attester.issue(fields))
    })
    expect(await outcome(() => sealedFetch('/', post))).toBe('ERR_ATTESTED_TLS_PURPOSE')
  })

  it('over no key, over half of one, over a point that is on no curve is refused', async () => {
    const { spki } = await generateSealedKey()
    const offCurve = spki.slice()
    offCurve[90] = (offCurve[90] as number) ^ 1
    for (const publicKey of [undefined, spki.subarray(0, 90), offCurve, new Uint8Array(91)]) {
      const sealedFetch = through(async (message) =>
        documentAnswer(
          attester.issue({
            ...{ nonce: nonceOf(message), userData: PURPOSE, ...(publicKey && { publicKey }) },
          }),
        ),
      )
      expect(await outcome(() => sealedFetch('/', post))).toBe('ERR_ATTESTED_TLS_SEALED_KEY')
    }
  })

  it.each<[string, () => Promise<Response>, string]>([
    ['another type', async () => new Response('x'), 'ERR_ATTESTED_TLS_RESPONSE'],
    ['no answer', () => Promise.reject(new TypeError('no')), 'ERR_ATTESTED_TLS_CONNECTION'],
    [
      'a refusal',
      async () => problem('ERR_ATTESTED_TLS_BUSY', 503),
      'ERR_ATTESTED_TLS_UNAVAILABLE',
    ],
    ['silence', () => new Promise(() => {}), 'ERR_ATTESTED_TLS_DEADLINE'],
    ['a stall', async () => endless(1), 'ERR_ATTESTED_TLS_DEADLINE'],
    ['a flood', async () => endless(Infinity), 'ERR_ATTESTED_TLS_SEALED_SIZE'],
  ])('in whose place is %s is none', async (_what, answer, code) => {
    const sealedFetch = through(answer, { timeout: 300 })
    expect(await outcome(() => sealedFetch('/', post))).toBe(code)
    // It is asked for again by the next call.
    expect(await outcome(() => sealedFetch('/', post))).toBe(code)
  })
})

describe('a request', () => {
  const refused = 'ERR_ATTESTED_TLS_SEALED_REFUSED'

  it('whose ciphertext, key or header is altered is not opened', async () => {
    for (const at of [0, 1, 8, 71, 80, -1]) {
      const sealedFetch = through(async ({ init, isDocument, pass }) => {
        if (isDocument) return pass()
        const body = new Uint8Array(init.body as Uint8Array)
        const index = at < 0 ? body.length + at : at
        body[index] = (body[index] as number) ^ 1
        return pass({ ...init, body })
      })
      expect(await outcome(() => sealedFetch('/', post))).toBe(refused)
    }
    expect(enclave.requests).toEqual([])
  })

  it('that is sent again is not taken again, one after the other or at once', async () => {
    const statuses: number[] = []
    const codes: unknown[] = []
    const sealedFetch = through(async ({ isDocument, pass }) => {
      if (isDocument) return pass()
      const all = await Promise.all([pass(), pass(), pass()])
      all.push(await pass())
      statuses.push(...all.map(({ status }) => status))
      const good = all.find(({ status }) => status === 200) as Response
      for (const one of all)
        if (one !== good) codes.push(((await one.json()) as { code: unknown }).code)
      return good
    })
    expect((await sealedFetch('/once', post)).status).toBe(200)
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 409, 409, 409])
    expect(codes).toEqual(Array.from({ length: 3 }, () => 'ERR_ATTESTED_TLS_SEALED_REPLAY'))
    expect(enclave.requests).toEqual(['POST /once'])
  })

  it.each([
    ['of no bytes', new Uint8Array(0)],
    ['of a few bytes', new Uint8Array(87)],
    [
      'of another suite',
      Uint8Array.from({ length: 200 }, (_, at) => [1, 0, 0x20, 0, 1, 0, 1][at] ?? 4),
    ],
  ])('%s is refused', async (_what, body) => {
    const answer = await sendSealed(body)
    expect([answer.status, await codeOf(answer)]).toEqual([400, 'ERR_ATTESTED_TLS_SEALED_REQUEST'])
  })

  it('to a key that the enclave does not have is refused', async () => {
    const unknown: (string | undefined)[] = []
    for (let index = 0; index < 8; index++) {
      const { message } = await sealRequest((await generateSealedKey()).spki, new Uint8Array(10))
      unknown.push(await codeOf(await sendSealed(message)))
    }
    // One in 256 has the name of the enclave's key, and does not open.
    expect(unknown.filter((code) => code?.endsWith('_KEY_UNKNOWN')).length).toBeGreaterThan(5)
  })

  it('that opens and is no HTTP is answered, sealed', async () => {
    const sealed = await sealRequest(await currentKey(), new TextEncoder().encode('hello'))
    const answer = await sendSealed(sealed.message)
    expect(answer.status).toBe(200)
    const opened = await sealed.open(new Uint8Array(await answer.arrayBuffer()))
    expect(Buffer.from(opened).toString('latin1')).toContain('ERR_ATTESTED_TLS_BINARY_HTTP')
  })

  it('of another media type, or too large, is refused', async () => {
    const plain = await sendSealed(new Uint8Array(100), 'text/plain')
    expect(await codeOf(plain)).toBe('ERR_ATTESTED_TLS_METHOD')
    const large = await sendSealed(new Uint8Array(2 ** 20 + 89)).catch(() => undefined)
    if (large !== undefined) expect(await codeOf(large)).toBe('ERR_ATTESTED_TLS_SEALED_SIZE')
  })

  it('above the number that is taken at once is told to come again', async () => {
    let go = (): void => undefined
    await using one = await openEnclave({
      ...{ getEvidence: attester.evidence(), transport: 'sealed', maxConcurrentSealed: 1 },
      handler: (_request, response) => (go = () => void response.end('first')),
    })
    const sealedFetch = createSealedFetch({ ...attester.policy(), url: one.url })
    const first = sealedFetch('/')
    await expect.poll(() => one.requests.length).toBe(1)
    expect(await outcome(() => sealedFetch('/'))).toBe(refused)
    go()
    expect(await (await first).text()).toBe('first')
  })
})

describe('an answer', () => {
  it('to another request, altered, cut or made up does not open', async () => {
    const kept: Uint8Array[] = []
    const keep = through(async ({ isDocument, pass }) => {
      const answer = await pass()
      if (!isDocument) kept.push(new Uint8Array(await answer.clone().arrayBuffer()))
      return answer
    })
    await keep('/one')
    const mischiefs: ((good: Uint8Array) => Uint8Array)[] = [
      () => kept[0] as Uint8Array,
      (good) => good.map((byte, at) => (at === 0 ? byte ^ 1 : byte)),
      (good) => good.map((byte, at) => (at === good.length - 1 ? byte ^ 1 : byte)),
      (good) => good.subarray(0, good.length - 1),
      (good) => good.subarray(0, 16),
      () => new Uint8Array(0),
      () => new Uint8Array(500),
    ]
    for (const mischief of mischiefs) {
      const sealedFetch = through(async ({ isDocument, pass }) => {
        const answer = await pass()
        return isDocument
          ? answer
          : sealedAnswer(mischief(new Uint8Array(await answer.arrayBuffer())))
      })
      const code = await outcome(() => sealedFetch('/two', post))
      expect(code).toBe('ERR_ATTESTED_TLS_SEALED_RESPONSE')
    }
  })

  it.each<[string, () => Promise<Response>, string]>([
    ['in the clear', async () => new Response('x'), 'ERR_ATTESTED_TLS_SEALED_REFUSED'],
    [
      'of another status',
      async () => new Response('x', { status: 404 }),
      'ERR_ATTESTED_TLS_SEALED_REFUSED',
    ],
    ['that never comes', () => new Promise(() => {}), 'ERR_ATTESTED_TLS_DEADLINE'],
    ['that stalls', async () => endless(1), 'ERR_ATTESTED_TLS_DEADLINE'],
    ['without end', async () => endless(Infinity), 'ERR_ATTESTED_TLS_SEALED_SIZE'],
  ])('%s is none', async (_what, answer, code) => {
    const sealedFetch = through(({ isDocument, pass }) => (isDocument ? pass() : answer()), {
      timeout: 700,
    })
    expect(await outcome(() => sealedFetch('/', post))).toBe(code)
  })

  it('that the key is unknown makes only what is safe go twice', async () => {
    const sent: string[] = []
    const lying = through(async ({ isDocument, pass, init }) => {
      if (isDocument) return pass()
      sent.push(String(init.method))
      if (sent.length % 2 === 0) return pass()
      // It did reach the enclave.
      await pass()
      return problem('ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN')
    })
    expect(await outcome(() => lying('/transfer', post))).toBe('ERR_ATTESTED_TLS_SEALED_REFUSED')
    expect(enclave.requests).toEqual(['POST /transfer'])
    sent.length = 0
    expect((await lying('/balance')).status).toBe(200)
    expect(sent).toHaveLength(2)
    const always = through(async ({ isDocument, pass }) =>
      isDocument ? pass() : problem('ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN'),
    )
    expect(await outcome(() => always('/balance'))).toBe('ERR_ATTESTED_TLS_SEALED_REFUSED')
  })
})

describe('keys', () => {
  it('change, and the one before opens for as long again', async () => {
    const keys = new SealedKeys({ rotateAfter: 200, maxRequestsPerKey: 100 })
    const first = await keys.current()
    expect(await keys.current()).toBe(first)
    await new Promise((resolve) => setTimeout(resolve, 250))
    const [second, same] = await Promise.all([keys.current(), keys.current()])
    expect(second).toBe(same)
    expect(second.id).not.toBe(first.id)
    expect(keys.find(first.id)).toBe(first)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await outcome(() => keys.find(first.id))).toBe('ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN')
    expect(keys.find(second.id)).toBe(second)
    keys.close()
  })

  it('change when they are half full, and take no more than fits', async () => {
    const keys = new SealedKeys({ rotateAfter: 60_000, maxRequestsPerKey: 100 })
    const first = await keys.current()
    const secret = (index: number): Uint8Array => Uint8Array.of(index)
    for (let index = 0; index < 50; index++) keys.remember(first, secret(index))
    const second = await keys.current()
    expect(second).not.toBe(first)
    for (let index = 50; index < 100; index++) keys.remember(keys.find(first.id), secret(index))
    const unknown = 'ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN'
    expect(await outcome(() => keys.find(first.id))).toBe(unknown)
    expect(await outcome(() => keys.remember(first, secret(100)))).toBe(unknown)
    const replay = 'ERR_ATTESTED_TLS_SEALED_REPLAY'
    expect(await outcome(() => keys.remember(first, secret(0)))).toBe(replay)
    keys.close()
  })
})

describe('pages', () => {
  const origins = async (one: Enclave, origin: string): Promise<(string | null)[]> => {
    const answer = await fetch(one.url + SEALED_PATH, { method: 'OPTIONS', headers: { origin } })
    const { headers, status } = answer
    expect(status).toBe(204)
    return [headers.get('access-control-allow-origin'), headers.get('vary')]
  }

  it('of every origin may ask, or of those that are named', async () => {
    expect(await origins(enclave, 'https://any.example')).toEqual(['*', null])
    await using one = await openEnclave({
      ...{ getEvidence: attester.evidence(), transport: 'sealed' },
      allowedOrigins: ['https://app.example'],
    })
    expect(await origins(one, 'https://app.example')).toEqual(['https://app.example', 'origin'])
    expect(await origins(one, 'https://any.example')).toEqual([null, 'origin'])
  })
})

function sendSealed(body: Uint8Array, type = REQUEST_TYPE): Promise<Response> {
  const headers = { 'content-type': type }
  const bytes = new Uint8Array(body)
  return fetch(enclave.url + SEALED_PATH, { method: 'POST', headers, body: bytes })
}

async function codeOf(answer: Response): Promise<string | undefined> {
  return ((await answer.json()) as { code?: string }).code
}

async function currentKey(): Promise<Uint8Array> {
  await createSealedFetch({ ...attester.policy(), url: enclave.url })('/')
  return attester.asked.at(-1)?.publicKey as Uint8Array
}

/** A body of so many chunks of 64 KiB, and then silence. */
function endless(chunks: number): Response {
  let left = chunks
  const body = new ReadableStream({
    pull: (controller) =>
      left-- > 0
        ? controller.enqueue(new Uint8Array(left === 0 ? 10 : 65_536))
        : new Promise(() => {}),
  })
  const headers = { 'content-type': 'message/ohttp-res' }
  return new Response(body, { headers })
}
