import type { KeyObject } from 'node:crypto'
import { AcmError } from '../error.ts'
import { loadBinding, SCHEMES, type KeyHandle, type TokenBinding } from './binding.ts'
import { CKR, CryptokiError } from './cryptoki.ts'

export type HashName = 'sha256' | 'sha384' | 'sha512'

/** What is signed: always a digest, so that no caller has the raw RSA operation. */
export interface SignInput {
  readonly scheme: 'pkcs1' | 'pss' | 'ecdsa'
  readonly hash: HashName
  readonly digest: Uint8Array
}

/** A private key that signs digests; where it lies, only its maker knows. */
export interface SigningKey {
  readonly type: 'rsa' | 'ec'
  /** Bytes of each signature: of ECDSA r and s, each as long as the order of the group. */
  readonly signatureLength: number
  /** @throws {CryptokiError} */
  sign(input: SignInput): Promise<Uint8Array>
  /** Forgets the key. Signatures under way still come. */
  release(): void
}

/** Bytes that a digest of this hash has. */
export const DIGEST_LENGTHS: Readonly<Record<HashName, number>> = {
  sha256: 32,
  sha384: 48,
  sha512: 64,
}

const CURVE_BITS: Readonly<Record<string, number>> = {
  prime256v1: 256,
  secp384r1: 384,
  secp521r1: 521,
}

/** Bytes of a signature of this key, public or private; undefined for a key that the token does not serve. */
function signatureLengthOf(key: KeyObject): number | undefined {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048 && modulusLength <= 8192) {
    return Math.ceil(modulusLength / 8)
  }
  const bits = key.asymmetricKeyType === 'ec' ? CURVE_BITS[namedCurve] : undefined
  return bits === undefined ? undefined : Math.ceil(bits / 8) * 2
}

/** A key in this process, in OpenSSL's memory: constant time, off the event loop. */
export class LocalSigningKey implements SigningKey {
  readonly type: 'rsa' | 'ec'
  readonly signatureLength: number
  readonly #binding: TokenBinding
  readonly #handle: KeyHandle
  #released = false

  /** @throws {AcmError} `ERR_ACM_TOKEN_KEY`, `ERR_ACM_TOKEN_BINDING` */
  constructor(key: KeyObject) {
    const signatureLength = key.type === 'private' ? signatureLengthOf(key) : undefined
    if (signatureLength === undefined) {
      const message = `A token serves private keys of RSA, 2048 to 8192 bits, and of P-256, P-384 and P-521; this one is ${key.type} ${key.asymmetricKeyType ?? ''}.`
      throw new AcmError('ERR_ACM_TOKEN_KEY', message)
    }
    this.type = key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec'
    this.signatureLength = signatureLength
    this.#binding = loadBinding()
    const der = key.export({ type: 'pkcs8', format: 'der' })
    const handle = this.#binding.load(der)
    if (handle === null) {
      throw new AcmError('ERR_ACM_TOKEN_KEY', 'OpenSSL does not read the private key.')
    }
    this.#handle = handle
  }

  async sign({ scheme, hash, digest }: SignInput): Promise<Uint8Array> {
    if (this.#released) throw new CryptokiError(CKR.KEY_HANDLE_INVALID)
    const bits = DIGEST_LENGTHS[hash] * 8
    const signature = await this.#binding.sign(this.#handle, SCHEMES[scheme], bits, digest)
    if (signature === null) throw new CryptokiError(CKR.FUNCTION_FAILED)
    return signature
  }

  release(): void {
    this.#released = true
    this.#binding.release(this.#handle)
  }
}
