// What the enclave says to one client alone: sealed under a key that both make of the client's fresh X25519 key and of the
// enclave's, which is in the attestation document.
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto'

/** What the document says its key is for, so that no other use of the key passes for this one. */
export const PURPOSE = 'demo-enclave:x25519:v1'

const TAG_LENGTH = 16
const IV_LENGTH = 12

/** One end of X25519: its own private key, and the other's public key in DER. */
export interface Ends {
  readonly privateKey: KeyObject
  readonly publicKey: Uint8Array
  /** The enclave's and the client's public keys: both ends must mean the same two. */
  readonly enclaveKey: Uint8Array
  readonly clientKey: Uint8Array
}

export function seal(ends: Ends, plaintext: Uint8Array): Uint8Array {
  const iv = randomBytes(IV_LENGTH)
  const cipher = createCipheriv('aes-256-gcm', keyOf(ends), iv)
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** @throws where it was not sealed by the other end for this one. */
export function open(ends: Ends, sealed: Uint8Array): Uint8Array {
  if (sealed.length < IV_LENGTH + TAG_LENGTH) throw new Error('it is too short to be sealed')
  const [iv, tag] = [sealed.subarray(0, IV_LENGTH), sealed.subarray(-TAG_LENGTH)]
  const decipher = createDecipheriv('aes-256-gcm', keyOf(ends), iv, { authTagLength: TAG_LENGTH })
  decipher.setAuthTag(tag)
  const body = decipher.update(sealed.subarray(IV_LENGTH, -TAG_LENGTH))
  return Buffer.concat([body, decipher.final()])
}

function keyOf({ privateKey, publicKey, enclaveKey, clientKey }: Ends): Uint8Array {
  const other = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' })
  if (other.asymmetricKeyType !== 'x25519') throw new TypeError('an X25519 key expected')
  const agreed = diffieHellman({ privateKey, publicKey: other })
  const info = Buffer.concat([Buffer.from(`${PURPOSE}:answer\0`), enclaveKey, clientKey])
  return new Uint8Array(hkdfSync('sha256', agreed, Buffer.alloc(0), info, 32))
}
