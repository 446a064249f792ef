// One question and its answer, sealed between a client and the holder of the attested key: X25519 of a key that the client
// makes for this question alone and the enclave's, HKDF-SHA256 over both public keys, AES-256-GCM. Both ends use it.
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto'

/** What `user_data` of the document says the enclave's key is for; another protocol, or version, has another. */
export const PURPOSE = 'attested-echo:x25519:v1'

/** First byte of a message. */
export const ATTEST = 0
export const ECHO = 1

/** SubjectPublicKeyInfo of X25519 (RFC 8410): always so long. */
export const KEY_LENGTH = 44
const IV_LENGTH = 12
const TAG_LENGTH = 16

export type Direction = 'question' | 'answer'

/** What one end knows. */
export interface Ends {
  readonly privateKey: KeyObject
  readonly enclaveKey: Uint8Array
  readonly clientKey: Uint8Array
  /** Which of the two keys is this end's. */
  readonly side: 'enclave' | 'client'
}

export function seal(ends: Ends, direction: Direction, plaintext: Uint8Array): Uint8Array {
  const iv = randomBytes(IV_LENGTH)
  const cipher = createCipheriv('aes-256-gcm', keyOf(ends, direction), iv)
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** @throws {Error} where it is not what the other end sealed for this direction. */
export function open(ends: Ends, direction: Direction, sealed: Uint8Array): Uint8Array {
  if (sealed.length < IV_LENGTH + TAG_LENGTH) throw new Error('it is too short to be sealed')
  const [iv, tag] = [sealed.subarray(0, IV_LENGTH), sealed.subarray(-TAG_LENGTH)]
  const key = keyOf(ends, direction)
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_LENGTH })
  decipher.setAuthTag(tag)
  const body = decipher.update(sealed.subarray(IV_LENGTH, -TAG_LENGTH))
  return Buffer.concat([body, decipher.final()])
}

function keyOf(
  { privateKey, enclaveKey, clientKey, side }: Ends,
  direction: Direction,
): Uint8Array {
  const der = Buffer.from(side === 'enclave' ? clientKey : enclaveKey)
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' })
  if (publicKey.asymmetricKeyType !== 'x25519') throw new Error('a key of X25519 expected')
  const agreed = diffieHellman({ privateKey, publicKey })
  const info = Buffer.concat([Buffer.from(`${PURPOSE}:${direction}\0`), enclaveKey, clientKey])
  return new Uint8Array(hkdfSync('sha256', agreed, new Uint8Array(0), info, 32))
}
