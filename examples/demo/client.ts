// A client of the enclave in Node: it trusts nothing between itself and the image that it knows.
import { randomBytes, verify } from 'node:crypto'
import type { AttestationResult } from '@enclavejs/attestation'
import { createAttestedFetch, type AttestedFetch } from '@enclavejs/attested-tls/client'
import type { EifReferenceValues } from '@enclavejs/eif'
import { RefusedError, type Refusal } from './refusal.ts'

/** What an answer says: fields of text, bytes in base64. */
export type Answer = Readonly<Record<string, string>>

interface KeyPolicyAnswer {
  readonly access: readonly { readonly action: string; readonly images: readonly string[] }[]
  readonly locked: boolean
}

export class EnclaveClient implements AsyncDisposable {
  /** What was verified of each connection, before its first request. */
  readonly attested: AttestationResult[] = []
  readonly #fetch: AttestedFetch
  readonly #url: string

  /** @param port - of the parent, which leads to the enclave. */
  constructor(port: number, referenceValues: EifReferenceValues, trustAnchor: Uint8Array) {
    this.#url = `https://127.0.0.1:${port}`
    this.#fetch = createAttestedFetch({
      ...{ referenceValues, trustAnchors: [trustAnchor] },
      onAttested: (result) => void this.attested.push(result),
    })
  }

  /** What the enclave verified of the policy of its key. */
  async keyPolicy(): Promise<KeyPolicyAnswer> {
    return (await this.ask('policy')) as unknown as KeyPolicyAnswer
  }

  async secret(ciphertext: Uint8Array): Promise<Buffer> {
    const { secret = '' } = await this.ask('secret', { ciphertext: base64(ciphertext) })
    return Buffer.from(secret, 'base64')
  }

  /** Whether the enclave signs a message with the key in the envelope. */
  async signs(user: string, envelope: Uint8Array, verifyingKey: string): Promise<boolean> {
    const message = randomBytes(32)
    const { signature = '' } = await this.ask('sign', {
      ...{ user, envelope: base64(envelope), message: base64(message) },
    })
    const key = Buffer.from(verifyingKey, 'base64')
    const publicKey = { key, format: 'der', type: 'spki' } as const
    return verify(null, message, publicKey, Buffer.from(signature, 'base64'))
  }

  /** @throws {RefusedError} the code is KMS's own where KMS refused. */
  async ask(question: string, fields: Answer = {}): Promise<Answer> {
    const body = JSON.stringify(fields)
    const signal = AbortSignal.timeout(15_000)
    const response = await this.#fetch(`${this.#url}/${question}`, { method: 'POST', body, signal })
    const answer = (await response.json()) as Answer & { refused?: Refusal }
    if (answer.refused !== undefined) throw new RefusedError(answer.refused)
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fetch.close()
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
