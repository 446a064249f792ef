import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { DecryptDataKey } from '../src/envelope/open.ts'
import type { GenerateDataKey } from '../src/envelope/sealer.ts'

export const KEY_ID = 'arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'

/** What KMS does with data keys: wraps them under a key of its own, with the encryption context as additional data. */
export class DataKeys {
  readonly #wrappingKey = randomBytes(32)
  /** The very buffers that were handed out. */
  readonly given: Uint8Array[] = []
  decryptions = 0

  readonly generateDataKey: GenerateDataKey = ({ EncryptionContext }) => {
    const Plaintext = this.#give(randomBytes(32))
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#wrappingKey, iv)
    cipher.setAAD(canonical(EncryptionContext))
    const content = cipher.update(Plaintext)
    cipher.final()
    const CiphertextBlob = new Uint8Array(Buffer.concat([iv, content, cipher.getAuthTag()]))
    return Promise.resolve({ Plaintext, CiphertextBlob, KeyId: KEY_ID })
  }

  readonly decrypt: DecryptDataKey = ({ CiphertextBlob, EncryptionContext }) => {
    this.decryptions++
    const decipher = createDecipheriv(
      'aes-256-gcm',
      this.#wrappingKey,
      CiphertextBlob.subarray(0, 12),
    )
    decipher.setAAD(canonical(EncryptionContext))
    decipher.setAuthTag(CiphertextBlob.subarray(-16))
    const plaintext = decipher.update(CiphertextBlob.subarray(12, -16))
    try {
      decipher.final()
    } catch {
      return Promise.reject(new Error('InvalidCiphertextException'))
    }
    return Promise.resolve({ Plaintext: this.#give(plaintext), KeyId: KEY_ID })
  }

  #give(plaintext: Uint8Array): Uint8Array {
    this.given.push(plaintext)
    return plaintext
  }
}

function canonical(context: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(
    JSON.stringify(Object.entries(context).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  )
}
