import {
  constants,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPair,
  privateDecrypt,
  privateEncrypt,
  publicEncrypt,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto'
import { promisify } from 'node:util'
import { objectIdentifier, octetString, sequence, tlv } from '../der.ts'
import { invalidCiphertext, unsupported, validation } from './exception.ts'

const generate = promisify(generateKeyPair)

/** What can be asked of a key by its spec. */
interface KeySpec {
  readonly usages: readonly KeyUsageType[]
  readonly signingAlgorithms: readonly string[]
  readonly encryptionAlgorithms: readonly string[]
}

export type KeyUsageType = 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY' | 'KEY_AGREEMENT'

const RSA: KeySpec = {
  usages: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY'],
  signingAlgorithms: [256, 384, 512].flatMap((bits) => [
    `RSASSA_PSS_SHA_${bits}`,
    `RSASSA_PKCS1_V1_5_SHA_${bits}`,
  ]),
  encryptionAlgorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
}

const ecc = (signingAlgorithm: string): KeySpec => ({
  usages: ['SIGN_VERIFY', 'KEY_AGREEMENT'],
  signingAlgorithms: [signingAlgorithm],
  encryptionAlgorithms: [],
})

/** The key specs that the simulator makes keys of. */
export const KEY_SPECS: Readonly<Record<string, KeySpec>> = {
  SYMMETRIC_DEFAULT: {
    usages: ['ENCRYPT_DECRYPT'],
    signingAlgorithms: [],
    encryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
  },
  RSA_2048: RSA,
  RSA_3072: RSA,
  RSA_4096: RSA,
  ECC_NIST_P256: ecc('ECDSA_SHA_256'),
  ECC_NIST_P384: ecc('ECDSA_SHA_384'),
}

const CURVES: Readonly<Record<string, string>> = {
  ECC_NIST_P256: 'P-256',
  ECC_NIST_P384: 'P-384',
  ECC_NIST_P521: 'P-521',
  ECC_SECG_P256K1: 'secp256k1',
}

/** A new private key of a key spec or key pair spec. */
export async function generatePrivateKey(spec: string): Promise<KeyObject> {
  const modulusLength = Number(/^RSA_(2048|3072|4096)$/.exec(spec)?.[1])
  if (modulusLength > 0) return (await generate('rsa', { modulusLength })).privateKey
  const namedCurve = CURVES[spec]
  if (namedCurve !== undefined) return (await generate('ec', { namedCurve })).privateKey
  if (spec === 'ECC_NIST_EDWARDS25519') return (await generate('ed25519', undefined)).privateKey
  throw unsupported(`The simulator makes no ${spec} keys.`)
}

export function spki(privateKey: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }))
}

/** RSAES_OAEP_SHA_1 or RSAES_OAEP_SHA_256. */
export function encryptOaep(key: KeyObject, algorithm: string, plaintext: Uint8Array): Uint8Array {
  const oaepHash = algorithm === 'RSAES_OAEP_SHA_1' ? 'sha1' : 'sha256'
  const bytes = (createPublicKey(key).asymmetricKeyDetails?.modulusLength ?? 0) / 8
  const most = bytes - 2 - 2 * (oaepHash === 'sha1' ? 20 : 32)
  if (plaintext.length > most) {
    throw validation(
      `Algorithm ${algorithm} and key spec RSA_${bytes * 8} cannot encrypt data larger than ${most} bytes.`,
    )
  }
  return new Uint8Array(
    publicEncrypt({ key, oaepHash, padding: constants.RSA_PKCS1_OAEP_PADDING }, plaintext),
  )
}

export function decryptOaep(key: KeyObject, algorithm: string, ciphertext: Uint8Array): Uint8Array {
  const oaepHash = algorithm === 'RSAES_OAEP_SHA_1' ? 'sha1' : 'sha256'
  try {
    return new Uint8Array(
      privateDecrypt({ key, oaepHash, padding: constants.RSA_PKCS1_OAEP_PADDING }, ciphertext),
    )
  } catch {
    throw invalidCiphertext()
  }
}

/** The x coordinate that ECDH with the peer's SubjectPublicKeyInfo gives. */
export function agree(privateKey: KeyObject, peer: Uint8Array): Uint8Array {
  let publicKey: KeyObject
  try {
    publicKey = createPublicKey({ key: Buffer.from(peer), type: 'spki', format: 'der' })
  } catch {
    throw validation('The public key is not a DER-encoded SubjectPublicKeyInfo.')
  }
  const curve = privateKey.asymmetricKeyDetails?.namedCurve
  if (
    publicKey.asymmetricKeyType !== 'ec' ||
    publicKey.asymmetricKeyDetails?.namedCurve !== curve
  ) {
    throw validation('The public key is not on the same curve as the KMS key.')
  }
  return new Uint8Array(diffieHellman({ privateKey, publicKey }))
}

const DIGEST_OIDS: Readonly<Record<string, string>> = {
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
}

/** Signs a message, or with `digest` what is its digest already. */
export function signWith(
  key: KeyObject,
  algorithm: string,
  message: Uint8Array,
  digest: boolean,
): Uint8Array {
  const hash = `sha${algorithm.slice(-3)}`
  const isPss = algorithm.startsWith('RSASSA_PSS')
  if (!digest) {
    const padding = isPss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
    const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
    const input = key.asymmetricKeyType === 'rsa' ? { key, padding, saltLength } : key
    return new Uint8Array(sign(hash, message, input))
  }
  if (message.length !== Number(algorithm.slice(-3)) / 8) {
    throw validation(`Digest is invalid length for algorithm ${algorithm}.`)
  }
  if (algorithm.startsWith('ECDSA')) return signDigestEcdsa(key, message)
  if (isPss) {
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    const encoded = encodePss(hash, message, bits)
    return new Uint8Array(privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded))
  }
  const algorithmIdentifier = sequence(objectIdentifier(DIGEST_OIDS[hash] ?? ''), tlv(0x05))
  const digestInfo = sequence(algorithmIdentifier, octetString(message))
  return new Uint8Array(privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, digestInfo))
}

/** EMSA-PSS with a salt as long as the hash (RFC 8017 §9.1.1); emBits is one less than a whole number of octets. */
function encodePss(hash: string, digest: Uint8Array, modulusLength: number): Uint8Array {
  const length = modulusLength / 8
  const salt = randomBytes(digest.length)
  const h = createHash(hash)
    .update(Buffer.concat([new Uint8Array(8), digest, salt]))
    .digest()
  const block = Buffer.alloc(length - h.length - 1)
  block[block.length - salt.length - 1] = 1
  block.set(salt, block.length - salt.length)
  for (let offset = 0, counter = 0; offset < block.length; offset += h.length, counter += 1) {
    const index = Buffer.alloc(4)
    index.writeUInt32BE(counter)
    const mask = createHash(hash).update(h).update(index).digest()
    for (let i = 0; i < mask.length && offset + i < block.length; i += 1) {
      block[offset + i] = (block[offset + i] ?? 0) ^ (mask[i] ?? 0)
    }
  }
  block[0] = (block[0] ?? 0) & 0x7f
  return Buffer.concat([block, h, Uint8Array.of(0xbc)])
}

const ORDERS: Readonly<Record<string, bigint>> = {
  prime256v1: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  secp384r1:
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
}

/** ECDSA over a ready digest, which node:crypto has no call for; not in constant time. */
function signDigestEcdsa(key: KeyObject, digest: Uint8Array): Uint8Array {
  const curve = key.asymmetricKeyDetails?.namedCurve ?? ''
  const order = ORDERS[curve]
  const jwk = key.export({ format: 'jwk' })
  if (order === undefined || jwk.d === undefined) throw unsupported('No such curve.')
  const size = digest.length
  const z = number(digest)
  const d = number(Buffer.from(jwk.d, 'base64url'))
  for (;;) {
    const nonce = (number(randomBytes(size + 8)) % (order - 1n)) + 1n
    const ecdh = createECDH(curve)
    ecdh.setPrivateKey(nonce.toString(16).padStart(size * 2, '0'), 'hex')
    const r = number(ecdh.getPublicKey().subarray(1, 1 + size)) % order
    const s = (inverse(nonce, order) * (z + r * d)) % order
    if (r !== 0n && s !== 0n) return sequence(integer(r), integer(s))
  }
}

function number(octets: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(octets).toString('hex')}`)
}

function integer(value: bigint): Uint8Array {
  const hex = value.toString(16)
  const octets = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return tlv(0x02, (octets[0] ?? 0) >= 0x80 ? Buffer.concat([Uint8Array.of(0), octets]) : octets)
}

/** The inverse modulo a prime (Fermat). */
function inverse(value: bigint, prime: bigint): bigint {
  let [result, base, exponent] = [1n, value % prime, prime - 2n]
  for (; exponent > 0n; exponent >>= 1n) {
    if ((exponent & 1n) === 1n) result = (result * base) % prime
    base = (base * base) % prime
  }
  return result
}

export function importPrivateKey(pkcs8: string): KeyObject {
  return createPrivateKey({ key: Buffer.from(pkcs8, 'base64'), type: 'pkcs8', format: 'der' })
}

export function exportPrivateKey(privateKey: KeyObject): Uint8Array {
  return new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' }))
}
