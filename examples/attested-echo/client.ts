// A client of attested-echo. It trusts the image that it knows, and nothing between itself and it.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { Verifier } from '@enclavejs/attestation'
import { MessageClient } from '@enclavejs/vsock'
import { ATTEST, ECHO, open, PURPOSE, seal, type Ends } from './channel.ts'

/** The answer is not from the holder of the attested key. */
export class EchoAnswerError extends Error {
  readonly code = 'ERR_ECHO_ANSWER'
}

export interface EchoClientOptions {
  /** Opens a stream to the enclave: over vsock, or over TCP through the parent's proxy. */
  readonly connect: (options: { readonly signal: AbortSignal }) => Promise<Duplex>
  /** With the reference values of the image. */
  readonly verifier: Verifier
  /** Milliseconds for one message. Default 5000. */
  readonly deadline?: number
}

export class EchoClient implements AsyncDisposable {
  readonly #messages: MessageClient
  readonly #verifier: Verifier
  #enclaveKey: Uint8Array | undefined

  constructor({ connect, verifier, deadline = 5000 }: EchoClientOptions) {
    this.#messages = new MessageClient({ connect, deadline, maxMessageLength: 65_536 })
    this.#verifier = verifier
  }

  /**
   * Asks for a document over a fresh nonce and takes the key in it. A key that was attested holds until the enclave ends:
   * a new enclave has a new one, and answers with NOT_SEALED_FOR_ME; then attest again.
   *
   * @throws {AttestationError} the document is not of such an image, not fresh, or its key is for something else.
   */
  async attest(): Promise<void> {
    const nonce = randomBytes(32)
    const document = await this.#messages.request(Buffer.concat([Uint8Array.of(ATTEST), nonce]))
    const userData = new TextEncoder().encode(PURPOSE)
    const { publicKey } = await this.#verifier.verify(document, { nonce, userData })
    if (publicKey === null) throw new EchoAnswerError('the document has no key')
    this.#enclaveKey = publicKey
  }

  /** @throws {EchoAnswerError} the answer was not sealed by the holder of the attested key, or is not the echo. */
  async echo(text: Uint8Array): Promise<Uint8Array> {
    if (this.#enclaveKey === undefined) await this.attest()
    const pair = generateKeyPairSync('x25519')
    const ends: Ends = {
      privateKey: pair.privateKey,
      enclaveKey: this.#enclaveKey as Uint8Array,
      clientKey: pair.publicKey.export({ type: 'spki', format: 'der' }),
      side: 'client',
    }
    const question = seal(ends, 'question', text)
    const answer = await this.#messages.request(
      Buffer.concat([Uint8Array.of(ECHO), ends.clientKey, question]),
    )
    try {
      return open(ends, 'answer', answer)
    } catch (cause) {
      throw new EchoAnswerError('the answer is not from the attested enclave', { cause })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#messages.close()
  }
}
