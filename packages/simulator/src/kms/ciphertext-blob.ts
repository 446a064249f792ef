import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto'
import { concat, objectIdentifier, octetString, sequence, tlv, unsignedInteger } from '../der.ts'

/** In front of every blob of a symmetric key; its base64 begins with `AQICAH`. */
const HEADER = Uint8Array.of(0x01, 0x02, 0x02, 0x00, 0x78)
const HASH = HEADER.length
const SALT = HASH + 32 + 1
const LENGTH = SALT + 16
const CONTENT = LENGTH + 4
const TAG = 16
const ENCRYPTED_DATA = objectIdentifier('1.2.840.113549.1.7.6')
const DATA = objectIdentifier('1.2.840.113549.1.7.1')
const AES_256_GCM = objectIdentifier('2.16.840.1.101.3.4.1.46')

/**
 * The CiphertextBlob of a symmetric key in the layout of KMS's: header, 32 bytes that stand for the
 * backing key, `01`, 16 bytes of salt, a length, and CMS EncryptedData with AES-256-GCM. How KMS
 * derives the message key and what it authenticates is not known; here that is HKDF-SHA-256 over the
 * salt, and the encryption context.
 */
export function sealBlob(
  material: Uint8Array,
  backingKeyHash: Uint8Array,
  plaintext: Uint8Array,
  encryptionContext: Readonly<Record<string, string>>,
): Uint8Array {
  const salt = randomBytes(16)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', messageKey(material, salt), nonce)
  cipher.setAAD(serializeContext(encryptionContext))
  const encrypted = concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
  return encodeBlob(backingKeyHash, salt, nonce, encrypted)
}

function encodeBlob(
  backingKeyHash: Uint8Array,
  salt: Uint8Array,
  nonce: Uint8Array,
  encrypted: Uint8Array,
): Uint8Array {
  const content = sequence(
    ENCRYPTED_DATA,
    tlv(
      0xa0,
      sequence(
        unsignedInteger(Uint8Array.of(0)),
        sequence(
          DATA,
          sequence(AES_256_GCM, sequence(octetString(nonce), unsignedInteger(Uint8Array.of(TAG)))),
          tlv(0x80, encrypted),
        ),
      ),
    ),
  )
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return concat(HEADER, backingKeyHash, Uint8Array.of(1), salt, length, content)
}

/** The 32 bytes that stand for the backing key; undefined where this is no blob of a symmetric key. */
export function backingKeyOf(blob: Uint8Array): Uint8Array | undefined {
  const isBlob =
    blob.length > CONTENT &&
    HEADER.every((octet, index) => blob[index] === octet) &&
    blob[SALT - 1] === 1 &&
    Buffer.from(blob).readUInt32BE(LENGTH) === blob.length - CONTENT
  return isBlob ? blob.slice(HASH, HASH + 32) : undefined
}

/** The plaintext; undefined where anything does not fit, the encryption context included. */
export function openBlob(
  material: Uint8Array,
  blob: Uint8Array,
  encryptionContext: Readonly<Record<string, string>>,
): Uint8Array | undefined {
  const { iv, octets } = readContent(blob)
  const salt = blob.slice(SALT, SALT + 16)
  const hash = blob.slice(HASH, HASH + 32)
  // The message is in one form alone: what is around the ciphertext is not authenticated otherwise.
  if (!Buffer.from(encodeBlob(hash, salt, iv, octets)).equals(blob)) return undefined
  if (iv.length !== 12 || octets.length < TAG) return undefined
  const key = messageKey(material, salt)
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG })
  decipher.setAAD(serializeContext(encryptionContext))
  decipher.setAuthTag(octets.slice(octets.length - TAG))
  try {
    return concat(decipher.update(octets.slice(0, octets.length - TAG)), decipher.final())
  } catch {
    return undefined
  }
}

interface Element {
  readonly start: number
  readonly end: number
}

/** Where the nonce and the ciphertext are in a blob; no more than a guess, until it is compared with what is written again. */
function readContent(blob: Uint8Array): { iv: Uint8Array; octets: Uint8Array } {
  const inside = ({ start }: Element): Element => elementAt(blob, start)
  const after = ({ end }: Element): Element => elementAt(blob, end)
  const encryptedData = inside(after(inside(elementAt(blob, CONTENT))))
  const algorithm = after(inside(after(inside(encryptedData))))
  const nonce = inside(after(inside(algorithm)))
  const encrypted = after(algorithm)
  return {
    iv: blob.slice(nonce.start, nonce.end),
    octets: blob.slice(encrypted.start, encrypted.end),
  }
}

/** Where the contents of a TLV are. */
function elementAt(octets: Uint8Array, offset: number): Element {
  const first = octets[offset + 1] ?? 0
  const count = first < 0x80 ? 0 : first & 3
  const start = offset + 2 + count
  const length = octets
    .subarray(offset + 2, start)
    .reduce((sum, octet) => sum * 256 + octet, count === 0 ? first : 0)
  return { start, end: start + length }
}

// As KeyObjects: that octets are none Node finds out by throwing and catching.
function messageKey(material: Uint8Array, salt: Uint8Array): KeyObject {
  const key = hkdfSync('sha256', createSecretKey(material), salt, 'CiphertextBlob', 32)
  return createSecretKey(new Uint8Array(key))
}

/** Names in order, everything with its length: no two contexts give the same bytes. */
function serializeContext(context: Readonly<Record<string, string>>): Uint8Array {
  const names = Object.keys(context).toSorted()
  const texts = names.flatMap((name) => [name, context[name] ?? ''])
  return concat(
    ...texts.flatMap((text) => {
      const octets = Buffer.from(text)
      const length = Buffer.alloc(4)
      length.writeUInt32BE(octets.length)
      return [length, octets]
    }),
  )
}
