import { createHash, type Hash } from 'node:crypto'
import { CKR, CryptokiError } from './cryptoki.ts'
import { readDigestInfo } from './digest-info.ts'
import type { SignPlan } from './mechanism.ts'
import { DIGEST_LENGTHS, type HashName, type SignInput, type SigningKey } from './signing-key.ts'

/** What C_SignInit began in a session. */
export class SignOperation {
  readonly #key: SigningKey
  readonly #plan: SignPlan
  #hash: Hash | undefined

  constructor(key: SigningKey, plan: SignPlan) {
    this.#key = key
    this.#plan = plan
  }

  get signatureLength(): number {
    return this.#key.signatureLength
  }

  /** Whether C_SignUpdate was called. */
  get multiPart(): boolean {
    return this.#hash !== undefined
  }

  /** C_SignUpdate. */
  update(data: Uint8Array): void {
    if (this.#plan.input !== 'data') throw new CryptokiError(CKR.FUNCTION_NOT_SUPPORTED)
    this.#hash ??= createHash(this.#plan.hash as HashName)
    this.#hash.update(data)
  }

  /** C_SignFinal. */
  finish(): Promise<Uint8Array> {
    this.update(new Uint8Array(0))
    const digest = (this.#hash as Hash).digest()
    return this.#key.sign({
      scheme: this.#plan.scheme,
      hash: this.#plan.hash as HashName,
      digest,
    })
  }

  /** C_Sign. What is no digest is refused before the key is asked. */
  sign(data: Uint8Array): Promise<Uint8Array> {
    if (this.#plan.input === 'data') {
      this.update(data)
      return this.finish()
    }
    return this.#key.sign(
      this.#plan.input === 'digest' ? this.#digest(data) : this.#digestInfo(data),
    )
  }

  #digestInfo(data: Uint8Array): SignInput {
    const info = readDigestInfo(data)
    if (info === undefined) throw new CryptokiError(CKR.DATA_INVALID)
    return { scheme: 'pkcs1', ...info }
  }

  #digest(digest: Uint8Array): SignInput {
    const { scheme, hash: wanted } = this.#plan
    const hash = (Object.keys(DIGEST_LENGTHS) as HashName[]).find(
      (name) => DIGEST_LENGTHS[name] === digest.length,
    )
    if (hash === undefined || (wanted !== undefined && wanted !== hash)) {
      throw new CryptokiError(CKR.DATA_LEN_RANGE)
    }
    return { scheme, hash, digest }
  }
}
