// A client: it seals to the key that the known image attested, and takes no answer but one from whoever can use that key.
import { createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { Verifier } from '@enclavejs/attestation'
import { MessageClient } from '@enclavejs/vsock'
import { ASK, ATTEST, PURPOSE } from './purpose.ts'
import { KEY_LENGTH, open, seal } from './sealed.ts'

/** A key, or an answer, that is not the service's. */
export class ServiceError extends Error {
  readonly code: 'ERR_SERVICE_KEY' | 'ERR_SERVICE_ANSWER'

  constructor(code: ServiceError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What the service answers. */
export interface Mean {
  readonly count: number
  readonly mean: number
}

export class ServiceClient implements AsyncDisposable {
  readonly #messages: MessageClient

  constructor(connect: (options: { readonly signal: AbortSignal }) => Promise<Duplex>) {
    this.#messages = new MessageClient({ connect, deadline: 20_000, maxMessageLength: 65_536 })
  }

  /** The key, DER SubjectPublicKeyInfo. It stays the service's for as long as KMS has it: keep it, and need no enclave to seal. */
  async attest(verifier: Verifier): Promise<Uint8Array> {
    const nonce = randomBytes(32)
    const document = await this.#messages.request(Buffer.concat([Uint8Array.of(ATTEST), nonce]))
    const userData = new TextEncoder().encode(PURPOSE)
    const { publicKey } = await verifier.verify(document, { nonce, userData })
    if (publicKey?.length !== KEY_LENGTH || curveOf(publicKey) !== 'prime256v1') {
      throw new ServiceError('ERR_SERVICE_KEY', 'the attested key is not of P-256')
    }
    return publicKey
  }

  async ask(serviceKey: Uint8Array, values: readonly number[]): Promise<Mean> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const clientKey = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
    const peer = createPublicKey({ key: Buffer.from(serviceKey), format: 'der', type: 'spki' })
    const agreement = {
      ...{ serviceKey, clientKey },
      secret: diffieHellman({ privateKey, publicKey: peer }),
    }
    const question = seal(agreement, 'question', Buffer.from(JSON.stringify(values)))
    const message = Buffer.concat([Uint8Array.of(ASK), clientKey, question])
    const sealed = await this.#messages.request(message)
    try {
      return JSON.parse(new TextDecoder().decode(open(agreement, 'answer', sealed))) as Mean
    } catch (cause) {
      const message = 'what came is not an answer of the key to this question'
      throw new ServiceError('ERR_SERVICE_ANSWER', message, { cause })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#messages.close()
  }
}

function curveOf(spki: Uint8Array): string | undefined {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  return key.asymmetricKeyDetails?.namedCurve
}
