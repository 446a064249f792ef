import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { openEnvelopedData } from './cms/open.ts'
import { KmsError } from './error.ts'

/** The sizes of RSA key that a recipient may have, in bits. */
export type RecipientModulusLength = 2048 | 3072 | 4096

export const MODULUS_LENGTHS: readonly RecipientModulusLength[] = [2048, 3072, 4096]
const PUBLIC_EXPONENT = 65_537

/**
 * One RSA key pair that KMS encrypts its answers to.
 *
 * Node keeps private keys in memory of OpenSSL that JavaScript can neither reach nor overwrite: {@link destroy} drops the only
 * reference, and OpenSSL overwrites the key when the collector frees it, some time later.
 */
export class RecipientKey {
  /** DER SubjectPublicKeyInfo. Do not change it. */
  readonly publicKey: Uint8Array
  readonly #subjectKeyIdentifier: Uint8Array
  readonly #modulusBytes: number
  #privateKey: KeyObject | undefined

  constructor(publicKey: Uint8Array, privateKey: KeyObject) {
    const bits = privateKey.asymmetricKeyDetails?.modulusLength
    if (privateKey.asymmetricKeyType !== 'rsa' || bits === undefined) {
      throw new TypeError('privateKey must be an RSA key')
    }
    this.publicKey = publicKey
    this.#privateKey = privateKey
    this.#subjectKeyIdentifier = createHash('sha256').update(publicKey).digest()
    this.#modulusBytes = bits / 8
  }

  /** A new key pair, made on a thread of Node's pool: some 100 ms for 2048 bits, over a second for 4096. */
  static generate(modulusLength: RecipientModulusLength): Promise<RecipientKey> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, publicKey: KeyObject, privateKey: KeyObject): void => {
        if (error !== null) reject(error)
        else {
          const der = publicKey.export({ type: 'spki', format: 'der' })
          resolve(new RecipientKey(new Uint8Array(der), privateKey))
        }
      }
      generateKeyPair('rsa', { modulusLength, publicExponent: PUBLIC_EXPONENT }, done)
    })
  }

  get destroyed(): boolean {
    return this.#privateKey === undefined
  }

  /**
   * Opens one `CiphertextForRecipient`. Any failure destroys the key: bytes that do not open are not KMS's, and who sent them
   * gets no second try under the same key.
   */
  open(ciphertextForRecipient: Uint8Array): Uint8Array {
    const privateKey = this.#privateKey
    if (privateKey === undefined) throw destroyedError()
    try {
      return openEnvelopedData(ciphertextForRecipient, {
        privateKey,
        subjectKeyIdentifier: this.#subjectKeyIdentifier,
        modulusBytes: this.#modulusBytes,
      })
    } catch (error) {
      this.destroy()
      throw error
    }
  }

  destroy(): void {
    this.#privateKey = undefined
  }
}

export function destroyedError(): KmsError {
  return new KmsError(
    'ERR_KMS_RECIPIENT_DESTROYED',
    "the key that this request's answer is encrypted to was destroyed before it was opened; send the request again with a new one",
  )
}
