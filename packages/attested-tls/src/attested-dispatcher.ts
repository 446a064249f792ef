import { fetch as undiciFetch, Pool, type Agent, type Dispatcher } from 'undici'
import { answer, openAttestedStream, type StreamCallback } from './attested-stream.ts'
import { readClientOptions, type AttestedClientOptions } from './client-options.ts'
import { AttestedTlsError } from './error.ts'
import { ReusingAgent } from './reusing-agent.ts'

/** `fetch` whose connections are attested, and their end. */
export interface AttestedFetch extends AsyncDisposable {
  /**
   * As the platform's, for `https:` URLs; the `Response` is one of undici's. Redirects to another host are attested there, under
   * the same policy.
   */
  (input: string | URL, init?: RequestInit): Promise<Response>
  /** Waits for requests under way, then closes all connections. */
  close(): Promise<void>
}

/**
 * A dispatcher of undici whose connections all end in an enclave of the policy. Each connection is attested on itself before its
 * first request: a nonce of its own, the document verified, its `public_key` compared with the key of the connection's
 * certificate, its `user_data` with the connection's channel binding. Where any of it fails, nothing of the application has been
 * sent, and the request fails with an {@link AttestedTlsError}.
 *
 * Names and issuers of certificates are not looked at, unless `webPki` asks for it: whoever runs the parent instance may well
 * have a certificate for the name. It is for undici's own `fetch` and `request`; the `fetch` of Node 22 and 24 takes only
 * dispatchers of its own version: see {@link createAttestedFetch}.
 *
 * @throws {TypeError | RangeError} for options that are unsafe, wrong or unknown.
 *
 * @example
 * ```ts
 * import { createAttestedDispatcher } from '@enclavejs/attested-tls/client'
 * import { request } from 'undici'
 *
 * export async function status(pcrs: { 0: string; 1: string; 2: string }): Promise<string> {
 *   const dispatcher = createAttestedDispatcher({ referenceValues: { pcrs } })
 *   const { body } = await request('https://enclave.example/status', { dispatcher })
 *   return body.text()
 * }
 * ```
 */
export function createAttestedDispatcher(options: AttestedClientOptions): Dispatcher {
  const settings = readClientOptions(options, 'createAttestedDispatcher')
  const { reattestAfter } = settings
  const ended = new AbortController()
  const connect: AgentConnect = ({ hostname, port, protocol }, callback) => {
    if (protocol !== 'https:') return callback(plaintextError(), null)
    const peer = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 443) }
    void answer(openAttestedStream(peer, settings, ended.signal), callback, 2 * reattestAfter)
  }
  const agent = new ReusingAgent({
    // Alone, a client would be reconnected and never be too old.
    factory: (origin, one) => new Pool(origin, one as Pool.Options),
    connect: connect as NonNullable<Pool.Options['connect']>,
    clientTtl: reattestAfter,
    pipelining: 1,
    allowH2: false,
  } as Agent.Options)
  const destroy = agent.destroy.bind(agent)
  return Object.assign(agent, {
    destroy: (...rest: Parameters<typeof destroy>) => {
      ended.abort(new AttestedTlsError('ERR_ATTESTED_TLS_CLOSED', 'The dispatcher was destroyed'))
      return destroy(...rest)
    },
  })
}

/**
 * `fetch` over {@link createAttestedDispatcher}. A refusal is the `cause` of the `TypeError` that `fetch` rejects with.
 *
 * @throws {TypeError | RangeError} for options that are unsafe, wrong or unknown.
 *
 * @example
 * ```ts
 * import { createAttestedFetch } from '@enclavejs/attested-tls/client'
 *
 * export async function status(pcrs: { 0: string; 1: string; 2: string }): Promise<string> {
 *   await using fetch = createAttestedFetch({ referenceValues: { pcrs } })
 *   const response = await fetch('https://enclave.example/status')
 *   return response.text()
 * }
 * ```
 */
export function createAttestedFetch(options: AttestedClientOptions): AttestedFetch {
  const dispatcher = createAttestedDispatcher(options)
  const attested = async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const sent = { ...init, ...(await formOf(init)) } as object
    return undiciFetch(input, { ...sent, dispatcher }) as unknown as Promise<Response>
  }
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= dispatcher.close())
  return Object.assign(attested, { close, [Symbol.asyncDispose]: close })
}

/** The platform's FormData is none of undici's, which would send its name. */
async function formOf({ body, headers }: RequestInit): Promise<RequestInit> {
  if (!(body instanceof FormData)) return {}
  const form = new Response(body)
  const all = new Headers(headers)
  all.set('content-type', form.headers.get('content-type') ?? '')
  return { body: new Uint8Array(await form.arrayBuffer()), headers: [...all] }
}

type AgentConnect = (
  target: { readonly hostname: string; readonly port: string; readonly protocol: string },
  callback: StreamCallback,
) => void

function plaintextError(): AttestedTlsError {
  return new AttestedTlsError(
    'ERR_ATTESTED_TLS_PLAINTEXT',
    'https: expected: without TLS there is nothing to attest, and nothing was sent',
  )
}
