import {
  AEAD_AES_128_GCM,
  CipherSuite,
  KDF_HKDF_SHA256,
  KEM_DHKEM_P256_HKDF_SHA256,
  type CryptoKey,
  type KeyPair,
} from 'hpke'
import { concatBytes } from './bytes.ts'
import { AttestedTlsError } from './error.ts'

/** An HPKE key pair of this process; the private key cannot be exported. */
export type SealedKeyPair = KeyPair<CryptoKey>

/** key_id, then kem_id, kdf_id, aead_id of RFC 9458 §4.3, of the one suite. */
const HEADER_LENGTH = 7
const KEM_ID = 0x0010
const KDF_ID = 0x0001
const AEAD_ID = 0x0001
/** Of the KEM, RFC 9180 §7.1: an uncompressed point. */
const ENCAPSULATED_LENGTH = 65
/** Of the AEAD: Nk, Nn, and the tag. */
const KEY_LENGTH = 16
const NONCE_LENGTH = 12
const TAG_LENGTH = 16
const RESPONSE_NONCE_LENGTH = Math.max(KEY_LENGTH, NONCE_LENGTH)

/** What sealing adds to a request, and to a response. */
export const REQUEST_OVERHEAD: number = HEADER_LENGTH + ENCAPSULATED_LENGTH + TAG_LENGTH
export const RESPONSE_OVERHEAD: number = RESPONSE_NONCE_LENGTH + TAG_LENGTH

const REQUEST_LABEL = 'message/bhttp request'
const RESPONSE_LABEL = 'message/bhttp response'
/** DER of a SubjectPublicKeyInfo on P-256 up to the point (RFC 5480 §2). */
const SPKI_PREFIX = Uint8Array.from([
  ...[0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00],
])

const suite = new CipherSuite(KEM_DHKEM_P256_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_128_GCM)

type Exporter = (label: Uint8Array, length: number) => Promise<Uint8Array>

/** A new key pair and its SubjectPublicKeyInfo. */
export async function generateSealedKey(): Promise<{ pair: SealedKeyPair; spki: Uint8Array }> {
  const pair = await suite.GenerateKeyPair()
  return { pair, spki: concatBytes(SPKI_PREFIX, await suite.SerializePublicKey(pair.publicKey)) }
}

/** The byte that names a key in requests: the first of its SHA-256. It finds a key, and proves nothing. */
export async function sealedKeyId(spki: Uint8Array): Promise<number> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(spki))
  return new Uint8Array(digest)[0] as number
}

/** A sealed request, and the one way to open the answer to it. */
export interface SealedRequest {
  readonly message: Uint8Array<ArrayBuffer>
  /** @throws {AttestedTlsError} `ERR_ATTESTED_TLS_SEALED_RESPONSE` */
  open(response: Uint8Array): Promise<Uint8Array>
}

/**
 * Seals a request to a key, RFC 9458 §4.3.
 *
 * @throws {AttestedTlsError} `ERR_ATTESTED_TLS_SEALED_KEY` where `spki` is no key of the suite.
 */
export async function sealRequest(spki: Uint8Array, request: Uint8Array): Promise<SealedRequest> {
  const publicKey = await importKey(spki)
  const header = headerOf(await sealedKeyId(spki))
  const { encapsulatedSecret, ctx } = await suite.SetupSender(publicKey, { info: infoOf(header) })
  const ciphertext = await ctx.Seal(request)
  const exporter: Exporter = (label, length) => ctx.Export(label, length)
  return {
    message: concatBytes(header, encapsulatedSecret, ciphertext),
    open: (response) => openResponse(exporter, encapsulatedSecret, response),
  }
}

/** What a request says about itself before it is opened. */
export interface SealedRequestParts {
  readonly keyId: number
  readonly header: Uint8Array
  /** Another one in each request: it is what replays are known by. */
  readonly encapsulatedSecret: Uint8Array
  readonly ciphertext: Uint8Array
}

/** @throws {AttestedTlsError} `ERR_ATTESTED_TLS_SEALED_REQUEST` for another suite, or too few bytes. */
export function splitRequest(message: Uint8Array): SealedRequestParts {
  const keyId = message[0] ?? 0
  const header = message.subarray(0, HEADER_LENGTH)
  const expected = headerOf(keyId)
  if (message.length < REQUEST_OVERHEAD || !expected.every((byte, at) => byte === header[at])) {
    throw new AttestedTlsError(
      'ERR_ATTESTED_TLS_SEALED_REQUEST',
      `A request of RFC 9458 under kem ${KEM_ID}, kdf ${KDF_ID}, aead ${AEAD_ID} was expected`,
    )
  }
  return {
    keyId,
    header,
    encapsulatedSecret: message.slice(HEADER_LENGTH, HEADER_LENGTH + ENCAPSULATED_LENGTH),
    ciphertext: message.subarray(HEADER_LENGTH + ENCAPSULATED_LENGTH),
  }
}

/** An opened request, and the way to answer it. */
export interface OpenedRequest {
  readonly request: Uint8Array
  seal(response: Uint8Array): Promise<Uint8Array<ArrayBuffer>>
}

/** @throws {AttestedTlsError} `ERR_ATTESTED_TLS_SEALED_REQUEST` where it does not open under this key. */
export async function openRequest(
  pair: SealedKeyPair,
  { header, encapsulatedSecret, ciphertext }: SealedRequestParts,
): Promise<OpenedRequest> {
  try {
    const context = await suite.SetupRecipient(pair, encapsulatedSecret, { info: infoOf(header) })
    const request = await context.Open(ciphertext)
    const exporter: Exporter = (label, length) => context.Export(label, length)
    return { request, seal: (response) => sealResponse(exporter, encapsulatedSecret, response) }
  } catch {
    throw new AttestedTlsError(
      'ERR_ATTESTED_TLS_SEALED_REQUEST',
      'The request does not open: altered, or sealed to another key',
    )
  }
}

/** RFC 9458 §4.4. */
async function sealResponse(
  exporter: Exporter,
  encapsulatedSecret: Uint8Array,
  response: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const nonce = crypto.getRandomValues(new Uint8Array(RESPONSE_NONCE_LENGTH))
  const { key, parameters } = await responseKey(exporter, encapsulatedSecret, nonce, 'encrypt')
  const sealed = await crypto.subtle.encrypt(parameters, key, new Uint8Array(response))
  return concatBytes(nonce, new Uint8Array(sealed))
}

async function openResponse(
  exporter: Exporter,
  encapsulatedSecret: Uint8Array,
  message: Uint8Array,
): Promise<Uint8Array> {
  try {
    const nonce = message.slice(0, RESPONSE_NONCE_LENGTH)
    const { key, parameters } = await responseKey(exporter, encapsulatedSecret, nonce, 'decrypt')
    const sealed = message.slice(RESPONSE_NONCE_LENGTH)
    return new Uint8Array(await crypto.subtle.decrypt(parameters, key, sealed))
  } catch {
    throw new AttestedTlsError(
      'ERR_ATTESTED_TLS_SEALED_RESPONSE',
      'The response does not open: altered, or the answer to another request',
    )
  }
}

async function responseKey(
  exporter: Exporter,
  encapsulatedSecret: Uint8Array,
  nonce: Uint8Array,
  use: 'encrypt' | 'decrypt',
): Promise<{ key: CryptoKey; parameters: { name: 'AES-GCM'; iv: Uint8Array<ArrayBuffer> } }> {
  const secret = await exporter(new TextEncoder().encode(RESPONSE_LABEL), RESPONSE_NONCE_LENGTH)
  const material = await crypto.subtle.importKey('raw', new Uint8Array(secret), 'HKDF', false, [
    'deriveBits',
  ])
  const salt = concatBytes(encapsulatedSecret, nonce)
  const derive = async (info: string, length: number): Promise<Uint8Array<ArrayBuffer>> => {
    const encoded = new TextEncoder().encode(info)
    const algorithm = { name: 'HKDF', hash: 'SHA-256', salt, info: encoded }
    return new Uint8Array(await crypto.subtle.deriveBits(algorithm, material, 8 * length))
  }
  const [raw, iv] = await Promise.all([derive('key', KEY_LENGTH), derive('nonce', NONCE_LENGTH)])
  const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, [use])
  return { key, parameters: { name: 'AES-GCM', iv } }
}

async function importKey(spki: Uint8Array): Promise<SealedKeyPair['publicKey']> {
  const isExpected =
    spki.length === SPKI_PREFIX.length + ENCAPSULATED_LENGTH &&
    SPKI_PREFIX.every((byte, index) => byte === spki[index])
  try {
    if (!isExpected) throw new Error('another form')
    return await suite.DeserializePublicKey(spki.slice(SPKI_PREFIX.length))
  } catch (cause) {
    throw new AttestedTlsError(
      'ERR_ATTESTED_TLS_SEALED_KEY',
      'public_key must be the DER SubjectPublicKeyInfo of a point on P-256',
      { cause },
    )
  }
}

function headerOf(keyId: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(keyId, KEM_ID >> 8, KEM_ID, KDF_ID >> 8, KDF_ID, AEAD_ID >> 8, AEAD_ID)
}

function infoOf(header: Uint8Array): Uint8Array {
  return concatBytes(new TextEncoder().encode(REQUEST_LABEL), Uint8Array.of(0), header)
}
