import { timingSafeEqual } from 'node:crypto'
import { BerCursor, refuse } from './cursor.ts'

/** The most bytes that KMS gives as `CiphertextForRecipient` (API model: 1 to 6144). */
const CMS_MAX_BYTES = 6144
/** The most bytes of encrypted content: 4096 of plaintext, the largest that KMS decrypts, and their padding. */
const CONTENT_MAX_BYTES = 4112
/** KMS cuts content into chunks of 1000 bytes, five at most; this leaves room for others who cut finer. */
const CHUNKS_MAX = 64
export const BLOCK_BYTES = 16

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

/** 1.2.840.113549.1.7.3 */
const ENVELOPED_DATA = hex('06092a864886f70d010703')
/** 1.2.840.113549.1.7.1 */
const DATA = hex('06092a864886f70d010701')
const VERSION_2 = hex('020102')
/** 2.16.840.1.101.3.4.1.42 */
const AES_256_CBC = hex('060960864801650304012a')
/**
 * `AlgorithmIdentifier` of RSAES-OAEP with SHA-256, MGF1 with SHA-256 and no pSource, in its two spellings: KMS writes NULL parameters
 * after both hashes, OpenSSL leaves both out. RFC 4055 §2.1 demands that a reader take either; they mean the same.
 */
const RSAES_OAEP_SHA_256 = [
  hex(
    '303c06092a864886f70d010107302fa00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500',
  ),
  hex(
    '303806092a864886f70d010107302ba00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201',
  ),
] as const

const SET = 0x31
const SEQUENCE = 0x30
const OCTET_STRING = 0x04
const CONTEXT_0 = 0x80
const CONTEXT_0_CONSTRUCTED = 0xa0

/** For whom the EnvelopedData must be. */
export interface RecipientIdentity {
  /** SHA-256 of the recipient's DER SubjectPublicKeyInfo. */
  readonly subjectKeyIdentifier: Uint8Array
  /** Bytes of the RSA modulus. */
  readonly modulusBytes: number
}

/** What a `CiphertextForRecipient` holds. Nothing of it is proven: CMS in this form has no integrity of its own. */
export interface EnvelopedData {
  /** The content-encryption key under RSAES-OAEP, as long as the modulus. */
  readonly encryptedKey: Uint8Array
  /** 16 bytes. */
  readonly initializationVector: Uint8Array
  /** AES-256-CBC, 16 to 4112 bytes, whole blocks; the chunks of the constructed form joined. */
  readonly encryptedContent: Uint8Array
}

/**
 * Reads a `CiphertextForRecipient`: the profile of CMS EnvelopedData (RFC 5652 §6.1) that KMS writes, and nothing else. One
 * KeyTransRecipientInfo, named by the subject key identifier of this recipient; RSAES-OAEP with SHA-256; AES-256-CBC; content in
 * the constructed or the primitive form; both of definite or indefinite length where KMS uses the indefinite one. Throws
 * `ERR_KMS_CMS` with the place and the reason, before any key is used. The results share memory with `bytes`.
 */
export function readEnvelopedData(bytes: Uint8Array, recipient: RecipientIdentity): EnvelopedData {
  if (bytes.length === 0 || bytes.length > CMS_MAX_BYTES) {
    refuse(`1 to ${CMS_MAX_BYTES} bytes`, 0, `${bytes.length}`)
  }
  const cursor = new BerCursor(bytes)
  const contentInfo = cursor.enter(SEQUENCE, 'ContentInfo', 'any')
  cursor.exactly(ENVELOPED_DATA, 'the content type envelopedData')
  const content = cursor.enter(CONTEXT_0_CONSTRUCTED, 'content of ContentInfo', 'any')
  const envelopedData = cursor.enter(SEQUENCE, 'EnvelopedData', 'any')
  cursor.exactly(VERSION_2, 'version 2 of EnvelopedData')
  const encryptedKey = readRecipientInfos(cursor, recipient)
  const encryptedContentInfo = cursor.enter(SEQUENCE, 'EncryptedContentInfo', 'any')
  cursor.exactly(DATA, 'the content type data')
  const initializationVector = readContentEncryptionAlgorithm(cursor)
  const encryptedContent = readEncryptedContent(cursor)
  cursor.leave(encryptedContentInfo)
  cursor.leave(envelopedData)
  cursor.leave(content)
  cursor.leave(contentInfo)
  cursor.end()
  return { encryptedKey, initializationVector, encryptedContent }
}

function readRecipientInfos(cursor: BerCursor, recipient: RecipientIdentity): Uint8Array {
  const recipientInfos = cursor.enter(SET, 'RecipientInfos', 'definite')
  const keyTrans = cursor.enter(SEQUENCE, 'KeyTransRecipientInfo', 'definite')
  cursor.exactly(VERSION_2, 'version 2 of KeyTransRecipientInfo')
  const at = cursor.offset
  const rid = cursor.primitive(CONTEXT_0, 'subjectKeyIdentifier')
  const { subjectKeyIdentifier, modulusBytes } = recipient
  if (rid.length !== subjectKeyIdentifier.length || !timingSafeEqual(rid, subjectKeyIdentifier)) {
    refuse("the subjectKeyIdentifier of this recipient's key", at, 'that of another')
  }
  cursor.either(RSAES_OAEP_SHA_256, 'RSAES-OAEP with SHA-256, MGF1 with SHA-256 and no pSource')
  const encryptedKeyAt = cursor.offset
  const encryptedKey = cursor.primitive(OCTET_STRING, 'encryptedKey')
  if (encryptedKey.length !== modulusBytes) {
    refuse(`encryptedKey of ${modulusBytes} bytes`, encryptedKeyAt, `${encryptedKey.length}`)
  }
  cursor.leave(keyTrans)
  // A second RecipientInfo is something left in the set.
  cursor.leave(recipientInfos)
  return encryptedKey
}

function readContentEncryptionAlgorithm(cursor: BerCursor): Uint8Array {
  const algorithm = cursor.enter(SEQUENCE, 'contentEncryptionAlgorithm', 'definite')
  cursor.exactly(AES_256_CBC, 'AES-256-CBC')
  const at = cursor.offset
  const initializationVector = cursor.primitive(OCTET_STRING, 'the initialization vector')
  if (initializationVector.length !== BLOCK_BYTES) {
    refuse(`an initialization vector of ${BLOCK_BYTES} bytes`, at, `${initializationVector.length}`)
  }
  cursor.leave(algorithm)
  return initializationVector
}

function readEncryptedContent(cursor: BerCursor): Uint8Array {
  const at = cursor.offset
  const encryptedContent =
    cursor.nextTag === CONTEXT_0
      ? cursor.primitive(CONTEXT_0, 'encryptedContent')
      : joinChunks(cursor)
  const { length } = encryptedContent
  if (length === 0 || length > CONTENT_MAX_BYTES || length % BLOCK_BYTES !== 0) {
    refuse(
      `encryptedContent of ${BLOCK_BYTES} to ${CONTENT_MAX_BYTES} bytes in whole blocks of ${BLOCK_BYTES}`,
      at,
      `${length}`,
    )
  }
  return encryptedContent
}

function joinChunks(cursor: BerCursor): Uint8Array {
  const element = cursor.enter(CONTEXT_0_CONSTRUCTED, 'encryptedContent', 'any')
  const chunks: Uint8Array[] = []
  let total = 0
  while (!cursor.atEnd(element)) {
    const at = cursor.offset
    if (chunks.length === CHUNKS_MAX) refuse(`at most ${CHUNKS_MAX} chunks`, at, 'one more')
    const chunk = cursor.primitive(OCTET_STRING, 'a chunk of encryptedContent')
    if (chunk.length === 0) refuse('a chunk that is not empty', at, 'an empty one')
    chunks.push(chunk)
    total += chunk.length
  }
  cursor.leave(element)
  const [first] = chunks
  if (first !== undefined && chunks.length === 1) return first
  const joined = new Uint8Array(total)
  let offset = 0
  for (const chunk of chunks) {
    joined.set(chunk, offset)
    offset += chunk.length
  }
  return joined
}
