// A client of the signer: it takes signatures of the key that the known image attested, and of no other.
import { createPublicKey, randomBytes, verify, type KeyObject } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { Verifier } from '@enclavejs/attestation'
import { MessageClient } from '@enclavejs/vsock'
import { ATTEST, PURPOSE, SIGN, signedBytes } from './purpose.ts'

/** A signature, or a key, that is not the signer's. */
export class SignerError extends Error {
  readonly code: 'ERR_SIGNER_KEY' | 'ERR_SIGNER_SIGNATURE'

  constructor(code: SignerError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface SignerClientOptions {
  /** Opens a stream to the enclave: over vsock, or over TCP through the parent's proxy. */
  readonly connect: (options: { readonly signal: AbortSignal }) => Promise<Duplex>
  /** With the reference values of the image. */
  readonly verifier: Verifier
}

export class SignerClient implements AsyncDisposable {
  readonly #messages: MessageClient
  readonly #verifier: Verifier

  constructor({ connect, verifier }: SignerClientOptions) {
    this.#messages = new MessageClient({ connect, deadline: 5000, maxMessageLength: 16_384 })
    this.#verifier = verifier
  }

  /** The verifying key. Keep it, with the document, for as long as its signatures are to count. */
  async attest(): Promise<KeyObject> {
    const nonce = randomBytes(32)
    const document = await this.#messages.request(Buffer.concat([Uint8Array.of(ATTEST), nonce]))
    const userData = new TextEncoder().encode(PURPOSE)
    const { publicKey } = await this.#verifier.verify(document, { nonce, userData })
    const der = Buffer.from(publicKey ?? [])
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new SignerError('ERR_SIGNER_KEY', 'the attested key is not of P-256')
    }
    return key
  }

  /** @throws {SignerError} `ERR_SIGNER_SIGNATURE` where what comes is no signature of `key` over the message. */
  async sign(message: Uint8Array, key: KeyObject): Promise<Uint8Array> {
    const signature = await this.#messages.request(Buffer.concat([Uint8Array.of(SIGN), message]))
    if (!isSigned(message, signature, key)) {
      throw new SignerError('ERR_SIGNER_SIGNATURE', 'not a signature of the attested key')
    }
    return signature
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#messages.close()
  }
}

/** For whoever has the key and got message and signature from somewhere. */
export function isSigned(message: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  const options = { key, dsaEncoding: 'ieee-p1363' } as const
  return verify('sha256', signedBytes(message), options, signature)
}
