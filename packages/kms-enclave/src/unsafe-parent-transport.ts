import { openSecret, recipientOf, refuseUnattested, type SecretLength } from './attested-call.ts'
import { BoundKey } from './bound-key.ts'
import { within } from './deadline.ts'
import { KmsError } from './error.ts'
import type { DecryptInput, DeriveSharedSecretInput } from './input.ts'
import type { DecryptOutput, DeriveSharedSecretOutput } from './output.ts'
import { ownMembers } from './own-members.ts'
import { decryptParameters, sharedSecretParameters, type Parameters } from './parameters.ts'
import type { GetEvidence } from './recipient-term.ts'
import { RecipientSource } from './recipient.ts'
import { readMembers, type ResponseMembers } from './response.ts'

/** What the parent is asked to sign and send. */
export interface UnsafeParentRequest {
  readonly operation: 'Decrypt' | 'DeriveSharedSecret'
  /** The JSON of the request, `Recipient` included, for `POST /` of the region's KMS. */
  readonly body: Uint8Array
}

/** Options of {@link createUnsafeParentClient}. Unknown names are refused. */
export interface UnsafeParentClientOptions {
  /** The full ARN of the key. Here it binds nothing: the parent can put any key, and any answer, in its place. */
  readonly keyArn: string
  readonly getEvidence: GetEvidence
  /** Has the parent call KMS, and gives the JSON of the answer as the parent tells it. */
  readonly unsafeParentTransport: (request: UnsafeParentRequest) => Promise<Uint8Array>
  /** Milliseconds that the parent may take. Default 10000. */
  readonly requestTimeout?: number
}

/** Comes from {@link createUnsafeParentClient}. */
export interface UnsafeParentClient extends Disposable {
  /** What the parent says that the ciphertext decrypts to. */
  decrypt(input: DecryptInput): Promise<DecryptOutput>
  /** What the parent says that the shared secret is. */
  deriveSharedSecret(input: DeriveSharedSecretInput): Promise<DeriveSharedSecretOutput>
  close(): void
}

const BODY_MAX = 65_536
const NAMES = new Set(['keyArn', 'getEvidence', 'unsafeParentTransport', 'requestTimeout'])

/**
 * **Unsafe.** The parent calls KMS on the enclave's behalf, for those who cannot give an enclave a connection. Use
 * `createKmsClient` wherever bytes can be carried.
 *
 * Nothing authenticates the answer. The parent reads the public key out of the document, so it can seal anything to it: what these two
 * calls give is **chosen by the parent**, or is what KMS gave, and there is no telling which. Confidentiality against the
 * parent holds for what KMS really sent; integrity does not hold at all. AES-CBC lets the parent change bits besides.
 *
 * The only sound use is to open, with an AEAD, data that the enclave has committed to before (a digest or a key commitment that
 * is part of the image or of attested state). That an AEAD opens is no proof by itself: the parent can supply its own key and a
 * ciphertext that fits. GenerateDataKey, GenerateDataKeyPair and GenerateRandom do not exist here: the parent would know the
 * key. Each call has a key of its own that is destroyed after one answer, so that the parent cannot use this process as a
 * padding oracle.
 *
 * @throws {TypeError} naming the option
 */
export function createUnsafeParentClient(options: UnsafeParentClientOptions): UnsafeParentClient {
  const own = ownMembers(options)
  for (const name of Object.keys(own)) {
    if (!NAMES.has(name)) throw new TypeError(`createUnsafeParentClient takes no option ${name}`)
  }
  const { keyArn, getEvidence, unsafeParentTransport: transport, requestTimeout = 10_000 } = own
  if (typeof transport !== 'function') {
    throw new TypeError('unsafeParentTransport must be a function')
  }
  if (!Number.isInteger(requestTimeout) || requestTimeout < 1 || requestTimeout > 600_000) {
    throw new RangeError('requestTimeout must be an integer of 1 to 600000 milliseconds')
  }
  const key = new BoundKey({ keyArn })
  const source = new RecipientSource({ getEvidence, singleUse: true })

  async function call<T>(
    operation: UnsafeParentRequest['operation'],
    parameters: Parameters,
    length: SecretLength,
    read: (members: ResponseMembers) => T,
  ): Promise<{ output: T; secret: Uint8Array }> {
    const lease = await source.acquire()
    try {
      const request = JSON.stringify({ ...parameters, Recipient: recipientOf(lease) })
      const asked = (async () =>
        transport({ operation, body: new TextEncoder().encode(request) }))()
      const body = await within(asked, requestTimeout, 'The parent did not answer')
      if (!(body instanceof Uint8Array)) {
        throw new TypeError('unsafeParentTransport must give a Uint8Array')
      }
      if (body.length > BODY_MAX) {
        throw new KmsError('ERR_KMS_RESPONSE_SIZE', `The parent gave more than ${BODY_MAX} bytes`)
      }
      const members = readMembers(operation, { body })
      refuseUnattested(operation, members)
      const output = read(members)
      return { output, secret: await openSecret(operation, members, lease, length) }
    } finally {
      lease.release()
    }
  }

  function keyId(operation: string, members: ResponseMembers): string {
    const given = members.text('KeyId')
    key.check(operation, given)
    return given
  }

  return {
    async decrypt(input) {
      const parameters = decryptParameters(key.keyId, input)
      const { output, secret } = await call(
        'Decrypt',
        parameters,
        { least: 1, most: 4096 },
        (members) => ({
          KeyId: keyId('Decrypt', members),
          EncryptionAlgorithm: members.text('EncryptionAlgorithm', 64),
        }),
      )
      return { ...output, Plaintext: secret }
    },
    async deriveSharedSecret(input) {
      const parameters = sharedSecretParameters(key.keyId, input)
      const { output, secret } = await call(
        'DeriveSharedSecret',
        parameters,
        { least: 1, most: 128 },
        (members) => ({
          KeyId: keyId('DeriveSharedSecret', members),
          KeyAgreementAlgorithm: members.text('KeyAgreementAlgorithm', 64),
        }),
      )
      return { ...output, SharedSecret: secret }
    },
    close: () => source.close(),
    [Symbol.dispose]: () => source.close(),
  }
}
