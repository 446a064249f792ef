import {
  constants,
  createCipheriv,
  createHash,
  createPublicKey,
  createSecretKey,
  publicEncrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto'
import {
  concat,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tlv,
  unsignedInteger,
} from '../der.ts'

/**
 * How the encrypted content is written. KMS gives both for equal lengths: `constructed` is [0] with
 * OCTET STRINGs of up to 1000 bytes in it, of indefinite length; `primitive` is [0] with the octets.
 */
export type ContentForm = 'constructed' | 'primitive'

/** The fields of a CiphertextForRecipient. */
export interface EnvelopedDataFields {
  /** SHA-256 of the recipient's SubjectPublicKeyInfo in DER. */
  readonly subjectKeyIdentifier: Uint8Array
  readonly encryptedKey: Uint8Array
  readonly iv: Uint8Array
  readonly encryptedContent: Uint8Array
  readonly form: ContentForm
}

/** Where the recipient's key comes from. */
export interface SealRecipient {
  /** SubjectPublicKeyInfo in DER, as the attestation document has it. */
  readonly publicKey: Uint8Array
  readonly rsaKey: KeyObject
}

const CHUNK = 1000
const SPKI = { type: 'spki', format: 'der' } as const
const OAEP_SHA256 = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
const END_OF_CONTENTS = new Uint8Array(2)
const SHA256 = sequence(objectIdentifier('2.16.840.1.101.3.4.2.1'), tlv(0x05))
const ENVELOPED_DATA = objectIdentifier('1.2.840.113549.1.7.3')
const DATA = objectIdentifier('1.2.840.113549.1.7.1')
const AES_256_CBC = objectIdentifier('2.16.840.1.101.3.4.1.42')
const VERSION_2 = unsignedInteger(Uint8Array.of(2))
const RSAES_OAEP_SHA256 = sequence(
  objectIdentifier('1.2.840.113549.1.1.7'),
  sequence(
    tlv(0xa0, SHA256),
    tlv(0xa1, sequence(objectIdentifier('1.2.840.113549.1.1.8'), SHA256)),
  ),
)

/** A constructed TLV of indefinite length (X.690 §8.1.3.6). */
function indefinite(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(tag, 0x80), ...parts, END_OF_CONTENTS)
}

/**
 * CMS ContentInfo with EnvelopedData (RFC 5652 §6.1), byte for byte as KMS writes it: BER with
 * indefinite lengths outside, version 2, one KeyTransRecipientInfo by subjectKeyIdentifier,
 * RSAES-OAEP with SHA-256 twice, AES-256-CBC.
 */
export function encodeEnvelopedData(fields: EnvelopedDataFields): Uint8Array {
  const { subjectKeyIdentifier, encryptedKey, iv, encryptedContent, form } = fields
  const keyTransRecipientInfo = sequence(
    VERSION_2,
    tlv(0x80, subjectKeyIdentifier),
    RSAES_OAEP_SHA256,
    octetString(encryptedKey),
  )
  const encryptedContentInfo = indefinite(
    0x30,
    DATA,
    sequence(AES_256_CBC, octetString(iv)),
    form === 'primitive'
      ? tlv(0x80, encryptedContent)
      : indefinite(0xa0, ...chunksOf(encryptedContent).map((chunk) => octetString(chunk))),
  )
  return indefinite(
    0x30,
    ENVELOPED_DATA,
    indefinite(0xa0, indefinite(0x30, VERSION_2, set(keyTransRecipientInfo), encryptedContentInfo)),
  )
}

/** Encrypts for a recipient: a new content-encryption key and IV for every call. */
export function sealForRecipient(
  plaintext: Uint8Array,
  recipient: SealRecipient,
  form: ContentForm,
): EnvelopedDataFields {
  const random = randomBytes(48)
  const key = random.subarray(0, 32)
  const iv = random.subarray(32)
  const cipher = createCipheriv('aes-256-cbc', createSecretKey(key), iv)
  const encryptedContent = concat(cipher.update(plaintext), cipher.final())
  const encryptedKey = publicEncrypt(oaepKey(recipient.rsaKey), key)
  key.fill(0)
  const subjectKeyIdentifier = createHash('sha256').update(recipient.publicKey).digest()
  return { subjectKeyIdentifier, encryptedKey, iv, encryptedContent, form }
}

const oaepKeys = new WeakMap<KeyObject, KeyObject>()

/**
 * The key with the options of publicEncrypt as its own members. That an object of options is no KeyObject Node finds out by throwing and
 * catching, which takes half as long as the encryption.
 */
function oaepKey(rsaKey: KeyObject): KeyObject {
  let key = oaepKeys.get(rsaKey)
  if (key === undefined) {
    const copy = createPublicKey({ key: rsaKey.export(SPKI), ...SPKI })
    key = Object.assign(copy, OAEP_SHA256)
    oaepKeys.set(rsaKey, key)
  }
  return key
}

function chunksOf(octets: Uint8Array): Uint8Array[] {
  const count = Math.ceil(octets.length / CHUNK)
  return Array.from({ length: count }, (_, index) =>
    octets.subarray(index * CHUNK, (index + 1) * CHUNK),
  )
}
