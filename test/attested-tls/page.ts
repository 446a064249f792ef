// The program of the page in Chromium. The page comes from an origin of its own: not from the parent, and not through it.
import { createSealedFetch, type SealedFetchOptions } from '@enclavejs/attested-tls/browser'

/** What one call came to. */
export interface Outcome {
  readonly text?: string
  readonly status?: number
  /** The code of a refusal, and of what is below it. */
  readonly codes?: readonly unknown[]
}

async function attempt(options: SealedFetchOptions, path: string, body?: string): Promise<Outcome> {
  try {
    const sealedFetch = createSealedFetch(options)
    const response = await sealedFetch(path, body === undefined ? {} : { method: 'POST', body })
    return { status: response.status, text: await response.text() }
  } catch (error) {
    const { cause, code } = error as { code?: unknown; cause?: { code?: unknown } }
    return { codes: [code, cause?.code] }
  }
}

Object.assign(globalThis, { attempt })
