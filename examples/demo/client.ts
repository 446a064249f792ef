// A client of the enclave: it trusts nothing between itself and the image that it knows.
import { generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import { connect } from 'node:net'
import { createVerifier, type AttestationResult, type Verifier } from '@enclavejs/attestation'
import type { EifReferenceValues } from '@enclavejs/eif'
import { MessageClient } from '@enclavejs/vsock'
import { open, PURPOSE } from './enclave/sealed.ts'
import type { Refusal } from './report.ts'

/** What the enclave says it was refused. */
class RefusedError extends Error implements Refusal {
  readonly code: string

  constructor({ code, kmsCode, message }: Refusal & { readonly kmsCode?: string }) {
    super(message)
    this.code = kmsCode ?? code
  }
}

export interface Attested {
  readonly result: AttestationResult
  readonly document: Uint8Array
  readonly enclaveKey: Uint8Array
}

interface KeyPolicyAnswer {
  readonly access: readonly { readonly action: string; readonly images: readonly string[] }[]
  readonly locked: boolean
}

export class EnclaveClient implements AsyncDisposable {
  readonly #messages: MessageClient
  readonly #verifier: Verifier

  /** @param port - of the parent, which leads to the enclave. */
  constructor(port: number, referenceValues: EifReferenceValues, trustAnchor: Uint8Array) {
    this.#messages = new MessageClient({
      connect: async () => connect({ host: '127.0.0.1', port }),
      deadline: 15_000,
    })
    this.#verifier = createVerifier({ referenceValues, trustAnchors: [trustAnchor] })
  }

  /** Asks for a document over a fresh nonce, and verifies it: image, nonce, and what its key is for. */
  async attest(): Promise<Attested> {
    const nonce = randomBytes(32)
    const { document } = await this.ask({ ask: 'attest', nonce: base64(nonce) })
    const bytes = new Uint8Array(Buffer.from(document ?? '', 'base64'))
    const userData = new TextEncoder().encode(PURPOSE)
    const result = await this.#verifier.verify(bytes, { nonce, userData })
    if (result.publicKey === null) throw new Error('the enclave attested no key')
    return { result, document: bytes, enclaveKey: result.publicKey }
  }

  /** What the enclave verified of the policy of its key. */
  async keyPolicy(): Promise<KeyPolicyAnswer> {
    return (await this.ask({ ask: 'policy' })) as unknown as KeyPolicyAnswer
  }

  /** The secret, as the holder of the attested key sealed it for this client. */
  async secret(ciphertext: Uint8Array, { enclaveKey }: Attested): Promise<Uint8Array> {
    const pair = generateKeyPairSync('x25519')
    const clientKey = pair.publicKey.export({ type: 'spki', format: 'der' })
    const question = { ciphertext: base64(ciphertext), clientKey: base64(clientKey) }
    const { sealed = '' } = await this.ask({ ask: 'secret', ...question })
    const ends = { privateKey: pair.privateKey, publicKey: enclaveKey, enclaveKey, clientKey }
    return open(ends, Buffer.from(sealed, 'base64'))
  }

  /** Whether the enclave signs a message with the key in the envelope. */
  async signs(user: string, { envelope = '', verifyingKey = '' }: Answer): Promise<boolean> {
    const message = randomBytes(32)
    const { signature = '' } = await this.ask({
      ...{ ask: 'sign', user, envelope, message: base64(message) },
    })
    const key = Buffer.from(verifyingKey, 'base64')
    const publicKey = { key, format: 'der', type: 'spki' } as const
    return verify(null, message, publicKey, Buffer.from(signature, 'base64'))
  }

  /** @throws {RefusedError} the code is KMS's own where KMS refused. */
  async ask(question: Answer): Promise<Answer> {
    const request = new TextEncoder().encode(JSON.stringify(question))
    const response = new TextDecoder().decode(await this.#messages.request(request))
    const answer = JSON.parse(response) as Answer & { refused?: Refusal }
    if (answer.refused !== undefined) throw new RefusedError(answer.refused)
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#messages.close({ deadline: 0 })
  }
}

/** A message: fields of text, bytes in base64. */
export type Answer = Readonly<Record<string, string>>

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
