import { askApplication, purposeError } from './appraisal.ts'
import { equalBytes, toBase64Url } from './bytes.ts'
import { carry } from './carrier.ts'
import { deadlineSignal } from './deadline.ts'
import { AttestedTlsError } from './error.ts'
import {
  DOCUMENT_MOST,
  DOCUMENT_TYPE,
  NONCE_LENGTH,
  SEALED_HTTP_PURPOSE,
  SEALED_PATH,
  sealedUserData,
} from './purpose.ts'
import type { SealedSettings } from './sealed-options.ts'

/** The HPKE key of the enclave, asked for with a nonce when it is needed, and as old as the settings allow. */
export class SealedKeySource {
  readonly #settings: SealedSettings
  #key: { readonly spki: Uint8Array; readonly until: number } | undefined
  #asking: Promise<Uint8Array> | undefined

  constructor(settings: SealedSettings) {
    this.#settings = settings
  }

  /** A key of a verified document. Callers who come at the same time share one document. */
  async key(): Promise<Uint8Array> {
    if (this.#key !== undefined && performance.now() < this.#key.until) return this.#key.spki
    return (this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    }))
  }

  /** No further request goes to this key. */
  forget(spki: Uint8Array): void {
    if (this.#key?.spki === spki) this.#key = undefined
  }

  async #ask(): Promise<Uint8Array> {
    const { appraise, fetch, onAttested, reattestAfter, timeout, url } = this.#settings
    // Counted from before the document is made, so that it is younger than it seems.
    const until = performance.now() + reattestAfter
    const signal = deadlineSignal(timeout)
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_LENGTH))
    const place = new URL(`${SEALED_PATH}?nonce=${toBase64Url(nonce)}`, url)
    const answer = await carry(fetch, place, { method: 'GET' }, DOCUMENT_MOST, signal)
    if (answer.status !== 200) {
      const message = `Whoever answered gives no document: status ${answer.status}`
      throw new AttestedTlsError('ERR_ATTESTED_TLS_UNAVAILABLE', message)
    }
    if (answer.type !== DOCUMENT_TYPE) {
      throw new AttestedTlsError('ERR_ATTESTED_TLS_RESPONSE', `${DOCUMENT_TYPE} was expected`)
    }
    const result = await appraise(answer.body, nonce)
    if (result.userData === null || !equalBytes(result.userData, sealedUserData())) {
      throw purposeError(SEALED_HTTP_PURPOSE)
    }
    const spki = result.publicKey ?? new Uint8Array(0)
    if (onAttested !== undefined) {
      await askApplication(() => onAttested(result), { timeout, signal })
    }
    this.#key = { spki, until }
    return spki
  }
}
