import { createPublicKey, KeyObject, X509Certificate } from 'node:crypto'
import { AcmError } from '../error.ts'
import { readPrivateKey } from '../private-key.ts'

/** A key that a token serves. */
export interface TokenKey {
  /**
   * `CKA_ID`, 1 to 64 bytes, by which web servers find the key: ACM for Nitro Enclaves has `Uint8Array.of(1)`. Each key
   * has its own, and a renewed key a new one: a server that was not reloaded yet goes on with the old one.
   */
  readonly id: Uint8Array
  /** `CKA_LABEL`, 1 to 64 bytes of UTF-8; ACM for Nitro Enclaves has `acm-key`. */
  readonly label: string
  /** RSA of 2048 to 8192 bits, P-256, P-384 or P-521: a `KeyObject`, or unencrypted PEM or DER. Copied, not kept. */
  readonly privateKey: KeyObject | Uint8Array | string
  /** The certificate of this key, PEM or DER. */
  readonly certificate: Uint8Array | string
  /** The certificates of its issuers, in their order, PEM or DER. Default: none. At most 10. */
  readonly path?: readonly (Uint8Array | string)[] | undefined
}

const MAX_NAME = 64
const MAX_PATH = 10

/** A {@link TokenKey} that was checked. */
export interface CheckedTokenKey {
  readonly id: Uint8Array
  readonly label: string
  readonly privateKey: KeyObject
  readonly certificates: readonly [X509Certificate, ...X509Certificate[]]
}

/** Checks and copies what the caller gave. */
export function checkTokenKey(key: TokenKey): CheckedTokenKey {
  const id = checkId(key.id)
  const { label } = key
  if (typeof label !== 'string' || label === '' || Buffer.byteLength(label) > MAX_NAME) {
    throw new RangeError(`label is a text of 1 to ${MAX_NAME} bytes`)
  }
  const { path = [] } = key
  if (!Array.isArray(path) || path.length > MAX_PATH) {
    throw new RangeError(`path is an array of up to ${MAX_PATH} certificates`)
  }
  const privateKey = keyObjectOf(key.privateKey)
  const leaf = certificate(key.certificate)
  if (!createPublicKey(privateKey).equals(leaf.publicKey)) {
    throw new AcmError('ERR_ACM_TOKEN_KEY', 'The private key is not that of the certificate.')
  }
  return { id, label, privateKey, certificates: [leaf, ...path.map(certificate)] }
}

/** A copy of a CKA_ID. */
export function checkId(id: Uint8Array): Uint8Array {
  if (!(id instanceof Uint8Array)) throw new TypeError('id is a Uint8Array')
  if (id.length < 1 || id.length > MAX_NAME) throw new RangeError(`id has 1 to ${MAX_NAME} bytes`)
  return Uint8Array.from(id)
}

function keyObjectOf(key: KeyObject | Uint8Array | string): KeyObject {
  if (key instanceof KeyObject) {
    if (key.type === 'private') return key
    const message = `A private key is expected, and this is a ${key.type} key.`
    throw new AcmError('ERR_ACM_TOKEN_KEY', message)
  }
  if (typeof key !== 'string' && !(key instanceof Uint8Array)) {
    throw new TypeError('privateKey is a KeyObject, a Uint8Array or a string')
  }
  const bytes = typeof key === 'string' ? new TextEncoder().encode(key) : Uint8Array.from(key)
  try {
    using read = readPrivateKey(bytes)
    return read.keyObject
  } finally {
    bytes.fill(0)
  }
}

function certificate(value: Uint8Array | string): X509Certificate {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw new TypeError('a certificate is a Uint8Array or a string')
  }
  try {
    return new X509Certificate(value)
  } catch (cause) {
    const message = 'What was given as a certificate is none, in PEM or DER.'
    throw new AcmError('ERR_ACM_TOKEN_CERTIFICATE', message, { cause })
  }
}
