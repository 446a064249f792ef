import { createHash, generateKeyPair, type KeyObject, type webcrypto } from 'node:crypto'
import { promisify } from 'node:util'
import { openEnvelopedData } from './cms/open.ts'
import { KmsError } from './error.ts'

/** The sizes of RSA key that a recipient may have, in bits. */
export type RecipientModulusLength = 2048 | 3072 | 4096

export const MODULUS_LENGTHS: readonly RecipientModulusLength[] = [2048, 3072, 4096]
const PUBLIC_EXPONENT = 65_537
const generate = promisify(generateKeyPair)
const ALGORITHM = { name: 'RSA-OAEP', hash: 'SHA-256' }

/**
 * One RSA key pair that KMS encrypts its answers to.
 *
 * The private key never leaves this object, and nothing here exports it. Its octets are in memory of OpenSSL that JavaScript cannot
 * overwrite: {@link destroy} drops the only references, and OpenSSL overwrites the key when the collector frees it, some time
 * later.
 */
export class RecipientKey {
  /** DER SubjectPublicKeyInfo. Do not change it. */
  readonly publicKey: Uint8Array
  readonly #subjectKeyIdentifier: Uint8Array
  readonly #modulusBytes: number
  #privateKey: webcrypto.CryptoKey | undefined
  /** The same key in the form that decrypts without a thread, for a call that nobody waits behind. */
  #atOnce: KeyObject | undefined

  constructor(publicKey: Uint8Array, privateKey: webcrypto.CryptoKey, atOnce?: KeyObject) {
    const { name, modulusLength } = privateKey.algorithm as webcrypto.RsaHashedKeyAlgorithm
    if (privateKey.type !== 'private' || name !== ALGORITHM.name || privateKey.extractable) {
      throw new TypeError('privateKey must be a private key of RSA-OAEP that cannot be exported')
    }
    this.publicKey = publicKey
    this.#privateKey = privateKey
    this.#atOnce = atOnce
    this.#subjectKeyIdentifier = createHash('sha256').update(publicKey).digest()
    this.#modulusBytes = modulusLength / 8
  }

  /** A new key pair, made on a thread of Node's pool: some 100 ms for 2048 bits, over a second for 4096. */
  static async generate(modulusLength: RecipientModulusLength): Promise<RecipientKey> {
    const { publicKey, privateKey } = await generate('rsa', {
      modulusLength,
      publicExponent: PUBLIC_EXPONENT,
    })
    const der = publicKey.export({ type: 'spki', format: 'der' })
    const decrypting = privateKey.toCryptoKey(ALGORITHM, false, ['decrypt'])
    return new RecipientKey(new Uint8Array(der), decrypting, privateKey)
  }

  get destroyed(): boolean {
    return this.#privateKey === undefined
  }

  /**
   * Opens one `CiphertextForRecipient`. Any failure destroys the key: bytes that do not open are not KMS's, and who sent them
   * gets no second try under the same key. What was still being opened when the key was destroyed is refused, whatever it was.
   */
  async open(ciphertextForRecipient: Uint8Array, alone = false): Promise<Uint8Array> {
    const privateKey = this.#privateKey
    if (privateKey === undefined) throw destroyedError()
    let plaintext
    try {
      plaintext = await openEnvelopedData(ciphertextForRecipient, {
        privateKey,
        atOnce: alone ? this.#atOnce : undefined,
        subjectKeyIdentifier: this.#subjectKeyIdentifier,
        modulusBytes: this.#modulusBytes,
      })
    } catch (error) {
      if (this.destroyed) throw destroyedError()
      this.destroy()
      throw error
    }
    if (!this.destroyed) return plaintext
    plaintext.fill(0)
    throw destroyedError()
  }

  destroy(): void {
    this.#privateKey = undefined
    this.#atOnce = undefined
  }
}

export function destroyedError(): KmsError {
  return new KmsError(
    'ERR_KMS_RECIPIENT_DESTROYED',
    "the key that this request's answer is encrypted to was destroyed before it was opened; send the request again with a new one",
  )
}
