import {
  constants,
  createCipheriv,
  createHash,
  createPublicKey,
  publicEncrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** A definite element with minimal length. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(parts)
  const { length } = contents
  const octets =
    length < 0x80
      ? [length]
      : length < 0x100
        ? [0x81, length]
        : length < 0x1_0000
          ? [0x82, length >> 8, length & 0xff]
          : [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff]
  return Buffer.concat([Uint8Array.of(tag, ...octets), contents])
}

/** An element of indefinite length. */
export function indefinite(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Uint8Array.of(tag, 0x80), ...parts, Uint8Array.of(0, 0)])
}

export const OAEP_WITH_NULL: Uint8Array = hex(
  '303c06092a864886f70d010107302fa00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500',
)

/** Every piece of the message, so that a test can exchange exactly one. */
export interface Pieces {
  contentType: Uint8Array
  version: Uint8Array
  originatorInfo: Uint8Array
  keyTransVersion: Uint8Array
  rid: Uint8Array
  keyEncryptionAlgorithm: Uint8Array
  encryptedKey: Uint8Array
  afterEncryptedKey: Uint8Array
  secondRecipient: Uint8Array
  dataType: Uint8Array
  cipher: Uint8Array
  initializationVector: Uint8Array
  afterInitializationVector: Uint8Array
  encryptedContent: Uint8Array
  unprotectedAttrs: Uint8Array
  trailing: Uint8Array
}

/** The five places where KMS uses the indefinite length. */
export type Place =
  'contentInfo' | 'content' | 'envelopedData' | 'encryptedContentInfo' | 'encryptedContent'

export interface Layout {
  readonly form?: 'constructed' | 'primitive'
  readonly chunkBytes?: number
  /** Where to use definite lengths; KMS uses none of these. */
  readonly definite?: readonly Place[]
  readonly pieces?: Partial<Pieces>
}

/** The fields of a message. */
export interface Fields {
  readonly subjectKeyIdentifier: Uint8Array
  readonly encryptedKey: Uint8Array
  readonly initializationVector: Uint8Array
  readonly encryptedContent: Uint8Array
}

/** Writes a message as KMS does, but for what the layout changes. */
export function writeEnvelopedData(fields: Fields, layout: Layout = {}): Uint8Array {
  const { form = 'constructed', chunkBytes = 1000, definite = [] } = layout
  const at = (place: Place, tag: number, ...parts: readonly Uint8Array[]): Buffer =>
    definite.includes(place) ? element(tag, ...parts) : indefinite(tag, ...parts)
  const chunks: Uint8Array[] = []
  for (let offset = 0; offset < fields.encryptedContent.length; offset += chunkBytes) {
    chunks.push(element(0x04, fields.encryptedContent.subarray(offset, offset + chunkBytes)))
  }
  const none = new Uint8Array(0)
  const pieces: Pieces = {
    contentType: hex('06092a864886f70d010703'),
    version: hex('020102'),
    originatorInfo: none,
    keyTransVersion: hex('020102'),
    rid: element(0x80, fields.subjectKeyIdentifier),
    keyEncryptionAlgorithm: OAEP_WITH_NULL,
    encryptedKey: element(0x04, fields.encryptedKey),
    afterEncryptedKey: none,
    secondRecipient: none,
    dataType: hex('06092a864886f70d010701'),
    cipher: hex('060960864801650304012a'),
    initializationVector: element(0x04, fields.initializationVector),
    afterInitializationVector: none,
    encryptedContent:
      form === 'primitive'
        ? element(0x80, fields.encryptedContent)
        : at('encryptedContent', 0xa0, ...chunks),
    unprotectedAttrs: none,
    trailing: none,
    ...layout.pieces,
  }
  const keyTrans = element(
    0x30,
    pieces.keyTransVersion,
    pieces.rid,
    pieces.keyEncryptionAlgorithm,
    pieces.encryptedKey,
    pieces.afterEncryptedKey,
  )
  const { cipher, initializationVector, afterInitializationVector } = pieces
  const algorithm = element(0x30, cipher, initializationVector, afterInitializationVector)
  const envelopedData = at(
    'envelopedData',
    0x30,
    pieces.version,
    pieces.originatorInfo,
    element(0x31, keyTrans, pieces.secondRecipient),
    at('encryptedContentInfo', 0x30, pieces.dataType, algorithm, pieces.encryptedContent),
    pieces.unprotectedAttrs,
  )
  const message = at('contentInfo', 0x30, pieces.contentType, at('content', 0xa0, envelopedData))
  return new Uint8Array(Buffer.concat([message, pieces.trailing]))
}

export interface Encryption {
  readonly contentKey?: Uint8Array
  /** The whole last block's padding, instead of PKCS #7. */
  readonly padding?: Uint8Array
}

/** Encrypts for the holder of a key, as KMS does. */
export function encryptFor(
  key: KeyObject,
  plaintext: Uint8Array,
  { contentKey = randomBytes(32), padding = pkcs7(plaintext.length) }: Encryption = {},
): Fields {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const initializationVector = randomBytes(16)
  const cipher = createCipheriv('aes-256-cbc', contentKey.subarray(0, 32), initializationVector)
  cipher.setAutoPadding(false)
  return {
    subjectKeyIdentifier: createHash('sha256').update(spki).digest(),
    encryptedKey: publicEncrypt(
      { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
      contentKey,
    ),
    initializationVector,
    encryptedContent: cipher.update(Buffer.concat([plaintext, padding])),
  }
}

export function pkcs7(length: number): Buffer {
  const count = 16 - (length % 16)
  return Buffer.alloc(count, count)
}
