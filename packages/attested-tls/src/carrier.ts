import { concatBytes } from './bytes.ts'
import { unlessAborted } from './deadline.ts'
import { AttestedTlsError } from './error.ts'

/** An answer of whoever carries sealed messages, read within bounds. */
export interface CarriedAnswer {
  readonly status: number
  readonly type: string
  readonly body: Uint8Array
}

/** No credentials, no cache, no other place: what is asked for is in the message alone. */
const ALONE = {
  credentials: 'omit',
  cache: 'no-store',
  redirect: 'error',
  referrerPolicy: 'no-referrer',
} as const

/**
 * Sends one message, and reads the whole answer.
 *
 * @throws {AttestedTlsError} `ERR_ATTESTED_TLS_CONNECTION`, `ERR_ATTESTED_TLS_SEALED_SIZE`; the reason of `signal`.
 */
export async function carry(
  fetch: typeof globalThis.fetch,
  url: URL,
  init: RequestInit,
  most: number,
  signal: AbortSignal,
): Promise<CarriedAnswer> {
  try {
    const response = await unlessAborted(fetch(url, { ...ALONE, ...init, signal }), signal)
    const body = await readBounded(response, most, signal)
    const type = response.headers.get('content-type') ?? ''
    return { status: response.status, type, body }
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    if (cause instanceof AttestedTlsError) throw cause
    const message = `${url.origin} was not reached, or the answer broke off`
    throw new AttestedTlsError('ERR_ATTESTED_TLS_CONNECTION', message, { cause })
  }
}

async function readBounded(
  response: Response,
  most: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0)
  const reader = response.body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), {
    once: true,
  })
  for (;;) {
    const { done, value } = await unlessAborted(reader.read(), signal)
    if (done) return concatBytes(...chunks)
    length += value.length
    if (length > most) {
      void reader.cancel().catch(() => undefined)
      const message = `An answer of at most ${most} bytes was expected`
      throw new AttestedTlsError('ERR_ATTESTED_TLS_SEALED_SIZE', message)
    }
    chunks.push(value)
  }
}

/** What a problem document says its code is. Whoever carries the message can have written it. */
export function claimedCode({ body }: CarriedAnswer): string | undefined {
  try {
    const { code } = JSON.parse(new TextDecoder().decode(body)) as { code?: unknown }
    return typeof code === 'string' && /^ERR_ATTESTED_TLS_[A-Z_]{1,40}$/.test(code)
      ? code
      : undefined
  } catch {
    return undefined
  }
}
