import {
  decodeInnerResponse,
  encodeInnerRequest,
  isCarried,
  type InnerRequest,
} from './binary-http.ts'
import { carry, claimedCode } from './carrier.ts'
import { deadlineSignal, unlessAborted } from './deadline.ts'
import { REQUEST_OVERHEAD, RESPONSE_OVERHEAD, sealRequest } from './encapsulation.ts'
import { AttestedTlsError } from './error.ts'
import { SEALED_PATH, SEALED_REQUEST_TYPE, SEALED_RESPONSE_TYPE } from './purpose.ts'
import { SealedKeySource } from './sealed-key-source.ts'
import {
  readSealedOptions,
  type SealedFetchOptions,
  type SealedSettings,
} from './sealed-options.ts'

/**
 * Sends one request, sealed, and opens the answer.
 *
 * @param input a path (`/account?id=1`), or a URL of the enclave's origin. Others are a `TypeError`.
 * @param init as of `fetch`: method, headers, body and signal. Everything else has no effect.
 */
export type SealedFetch = (input: string | URL, init?: RequestInit) => Promise<Response>

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Of these a Response has no body. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Makes a `fetch` whose requests only an enclave of the policy can read, and whose responses only it can have written: for pages, which
 * cannot see who ends their TLS. It asks the enclave for a document with a nonce of its own, verifies it, and seals each
 * request to the HPKE key in it. Whoever carries the messages sees their size and time, and can drop them; it can read, alter,
 * repeat or exchange none.
 *
 * It is worth as much as the page that runs it: one that the parent instance delivers can be any page. Redirects and cookies are not
 * followed or kept. A request is refused as a whole with `ERR_ATTESTED_TLS_SEALED_REFUSED` when its key is not known (any more), and
 * only GET, HEAD and OPTIONS are then sent once more under a new key: that it was not acted on is what the carrier says.
 *
 * It rejects with an {@link AttestedTlsError}; an answer of the application, whatever its status, is a `Response`.
 *
 * @throws {TypeError | RangeError} for options that are unsafe, wrong or unknown.
 *
 * @example
 * ```ts
 * import { createSealedFetch } from '@enclavejs/attested-tls/browser'
 *
 * const sealedFetch = createSealedFetch({
 *   url: 'https://enclave.example',
 *   referenceValues: { pcrs: { 0: 'a0'.repeat(48), 1: 'a1'.repeat(48), 2: 'a2'.repeat(48) } },
 * })
 * export async function save(secret: string): Promise<boolean> {
 *   const response = await sealedFetch('/secrets', { method: 'POST', body: secret })
 *   return response.ok
 * }
 * ```
 */
export function createSealedFetch(options: SealedFetchOptions): SealedFetch {
  const settings = readSealedOptions(options)
  const keys = new SealedKeySource(settings)
  return async (input, init) => {
    const signal = deadlineSignal(settings.timeout, init?.signal)
    const inner = await innerRequest(input, init, settings)
    const message = encodeInnerRequest(inner)
    if (message.length > settings.maxRequestBytes) {
      throw sizeError(`A request of at most ${settings.maxRequestBytes} bytes`)
    }
    for (let again = SAFE.has(inner.method); ; again = false) {
      const spki = await unlessAborted(keys.key(), signal)
      const outcome = await exchange(spki, message, inner, settings, signal)
      if (outcome instanceof Response) return outcome
      keys.forget(spki)
      if (!again || outcome.code !== 'ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN') throw outcome.error
    }
  }
}

async function innerRequest(
  input: string | URL,
  init: RequestInit | undefined,
  { maxRequestBytes, url }: SealedSettings,
): Promise<InnerRequest> {
  const target = new URL(input, url)
  if (target.origin !== url.origin) {
    throw new TypeError(`A path, or a URL of ${url.origin} was expected`)
  }
  const { body, headers, method } = init ?? {}
  // The platform knows what bodies there are, and which headers a page may not set.
  const request = new Request(target, {
    ...(method !== undefined && { method }),
    ...(headers !== undefined && { headers }),
    ...(body !== undefined && { body }),
    ...(body instanceof ReadableStream && { duplex: 'half' as const }),
  })
  const fields = [...request.headers].filter(
    ([name]) => isCarried(name) && name !== 'host' && name !== 'content-length',
  )
  const content = await readRequestBody(request, maxRequestBytes)
  const path = target.pathname + target.search
  return { method: request.method, authority: target.host, path, fields, content }
}

async function readRequestBody(request: Request, most: number): Promise<Uint8Array> {
  if (request.body === undefined) return new Uint8Array(await request.arrayBuffer())
  const reader = request.body?.getReader()
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let length = 0
  for (;;) {
    const { done = true, value } = (await reader?.read()) ?? {}
    if (done || value === undefined) break
    length += value.length
    if (length > most) {
      await reader?.cancel().catch(() => undefined)
      throw sizeError(`A request of at most ${most} bytes`)
    }
    chunks.push(new Uint8Array(value))
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer())
}

interface Refusal {
  readonly code: string | undefined
  readonly error: AttestedTlsError
}

async function exchange(
  spki: Uint8Array,
  message: Uint8Array,
  inner: InnerRequest,
  { fetch, maxResponseBytes, url }: SealedSettings,
  signal: AbortSignal,
): Promise<Response | Refusal> {
  const sealed = await sealRequest(spki, message)
  const headers = { 'content-type': SEALED_REQUEST_TYPE }
  const init = { method: 'POST', headers, body: sealed.message }
  const place = new URL(SEALED_PATH, url)
  // The head of a response comes on top of its content.
  const most = maxResponseBytes + RESPONSE_OVERHEAD + REQUEST_OVERHEAD + 65_536
  const answer = await carry(fetch, place, init, most, signal)
  if (answer.status !== 200 || answer.type !== SEALED_RESPONSE_TYPE) {
    const code = claimedCode(answer)
    const why = `status ${answer.status}, which says ${code ?? 'no code of ours'}`
    const text = `The request was not answered by the enclave: ${why}`
    return { code, error: new AttestedTlsError('ERR_ATTESTED_TLS_SEALED_REFUSED', text) }
  }
  const { content, fields, status } = decodeInnerResponse(await sealed.open(answer.body))
  if (content.length > maxResponseBytes) {
    throw sizeError(`A response of at most ${maxResponseBytes} bytes`)
  }
  const none = BODILESS.has(status) || inner.method === 'HEAD'
  return new Response(none ? null : new Uint8Array(content), {
    status,
    headers: fields.map(([name, value]): [string, string] => [name, value]),
  })
}

function sizeError(expected: string): AttestedTlsError {
  return new AttestedTlsError('ERR_ATTESTED_TLS_SEALED_SIZE', `${expected} was expected`)
}
