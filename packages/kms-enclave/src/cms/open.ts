import {
  constants,
  createDecipheriv,
  privateDecrypt,
  randomBytes,
  webcrypto,
  type KeyObject,
} from 'node:crypto'
import { KmsError } from '../error.ts'
import { BLOCK_BYTES, readEnvelopedData, type RecipientIdentity } from './enveloped-data.ts'

const CONTENT_KEY_BYTES = 32

const RSA_OAEP = { name: 'RSA-OAEP' }

/**
 * The three operations that opening needs, so that a test can count them. Every buffer that they return is overwritten with
 * zeros by {@link openEnvelopedData}: they must not be shared.
 */
export interface EnvelopeCrypto {
  /**
   * RSAES-OAEP with SHA-256 and MGF1-SHA-256; rejects where the padding is wrong. A quarter of a millisecond of RSA, which must
   * not hold up other calls: where there are any it is done on a thread of the pool, which takes a third more CPU.
   */
  decryptKey(
    privateKey: webcrypto.CryptoKey,
    encryptedKey: Uint8Array,
    atOnce: KeyObject | undefined,
  ): Promise<Uint8Array>
  /** AES-256-CBC without regard to padding: as many bytes as came in. */
  decryptContent(key: Uint8Array, initializationVector: Uint8Array, content: Uint8Array): Uint8Array
  randomKey(bytes: number): Uint8Array
}

const OPTIONS = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const

/** Node's own. */
export const nodeCrypto: EnvelopeCrypto = {
  async decryptKey(privateKey, encryptedKey, key) {
    if (key !== undefined) {
      // As members of the key itself: that an object of options is no KeyObject Node finds out by throwing and catching, which
      // takes a tenth of what RSA does.
      return privateDecrypt(Object.assign(key, OPTIONS), encryptedKey)
    }
    return new Uint8Array(await webcrypto.subtle.decrypt(RSA_OAEP, privateKey, encryptedKey))
  },
  decryptContent(key, initializationVector, content) {
    // One call, and no final(): without padding there is nothing left to come after whole blocks.
    return createDecipheriv('aes-256-cbc', key, initializationVector)
      .setAutoPadding(false)
      .update(content)
  },
  randomKey: randomBytes,
}

/** Whom to open for. */
export interface EnvelopeRecipient extends RecipientIdentity {
  /** Of RSA-OAEP with SHA-256, for `decrypt`. */
  readonly privateKey: webcrypto.CryptoKey
  /** The same key, where no other call is under way that would have to wait. */
  readonly atOnce?: KeyObject | undefined
}

/**
 * Opens a `CiphertextForRecipient` and returns its plaintext, which the caller owns and should overwrite after use.
 *
 * What {@link readEnvelopedData} refuses never meets the private key. After that there is one outcome for all that can go
 * wrong: where OAEP fails, or gives something other than 32 bytes, a random content key takes its place, the content is
 * decrypted under it and its padding checked (RFC 3218 §2.3.2 has the idea), and the same error is thrown. So whoever sends
 * changed bytes learns from neither the error nor the work done which step refused them.
 *
 * A plaintext is not proven to be KMS's: AES-CBC has no integrity, and anyone who has the public key can make an
 * EnvelopedData. That KMS sent it is what the TLS connection shows, when it ends in the enclave.
 */
export async function openEnvelopedData(
  bytes: Uint8Array,
  recipient: EnvelopeRecipient,
  crypto: EnvelopeCrypto = nodeCrypto,
): Promise<Uint8Array> {
  const read = readEnvelopedData(bytes, recipient)
  // What is needed after the wait is copied before it.
  const encryptedKey = read.encryptedKey.slice()
  const initializationVector = read.initializationVector.slice()
  const encryptedContent = read.encryptedContent.slice()
  const substitute = crypto.randomKey(CONTENT_KEY_BYTES)
  let contentKey: Uint8Array | undefined
  let content: Uint8Array | undefined
  try {
    let genuine = 1
    try {
      contentKey = await crypto.decryptKey(recipient.privateKey, encryptedKey, recipient.atOnce)
    } catch {
      genuine = 0
    }
    if (contentKey?.length !== CONTENT_KEY_BYTES) genuine = 0
    content = crypto.decryptContent(
      genuine === 1 ? (contentKey as Uint8Array) : substitute,
      initializationVector,
      encryptedContent,
    )
    const padding = paddingBytes(content)
    if ((genuine & Number(padding !== 0)) === 0) {
      throw new KmsError(
        'ERR_KMS_CMS',
        'CiphertextForRecipient has the form that KMS gives it and does not open under the key of this request; ask again with a new key',
      )
    }
    const plaintext = new Uint8Array(content.length - padding)
    plaintext.set(content.subarray(0, plaintext.length))
    return plaintext
  } finally {
    substitute.fill(0)
    contentKey?.fill(0)
    content?.fill(0)
  }
}

/** How many bytes of padding (RFC 5652 §6.3) the last block has, 1 to 16; 0 where it is malformed. In constant time. */
export function paddingBytes(content: Uint8Array): number {
  const last = content.length - 1
  const count = content[last] as number
  // Each difference below is negative, so its sign bit set, exactly where the condition holds.
  let wrong = ((count - 1) >> 31) | ((BLOCK_BYTES - count) >> 31)
  for (let index = 0; index < BLOCK_BYTES; index++) {
    const padded = (index - count) >> 31
    wrong |= padded & ((content[last - index] as number) ^ count)
  }
  const bad = (wrong | -wrong) >> 31
  return count & ~bad
}
