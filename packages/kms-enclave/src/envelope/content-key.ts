import { createCipheriv, createDecipheriv, hkdfSync, timingSafeEqual } from 'node:crypto'
import { KmsError } from '../error.ts'
import { ALGORITHM_SUITE_ID, COMMITMENT_BYTES, TAG_BYTES } from './header.ts'

const DATA_KEY_BYTES = 32
const KEY_BYTES = 32
const IV_BYTES = 12
const HASH = 'sha512'
const ALGORITHM = 'aes-256-gcm'
const COMMIT_INFO = Buffer.from('COMMITKEY')
const DERIVE_INFO = Buffer.concat([
  Uint8Array.of(ALGORITHM_SUITE_ID >>> 8, ALGORITHM_SUITE_ID & 0xff),
  Buffer.from('DERIVEKEY'),
])
const FRAME = Buffer.from('AWSKMSEncryptionClient Frame')
const FINAL_FRAME = Buffer.from('AWSKMSEncryptionClient Final Frame')

/** Where in a message a frame stands; bound into it. */
export interface FramePlace {
  /** From 1. */
  readonly sequenceNumber: number
  readonly final: boolean
}

/**
 * What HKDF makes of a data key and a message id: the key of header and frames, and the commitment to it. AES-GCM alone commits to no
 * key: a ciphertext can be made that opens under two. Whoever opens compares the commitment first.
 */
export class ContentKey {
  readonly commitment: Uint8Array
  readonly #messageId: Uint8Array
  readonly #key: Uint8Array

  private constructor(dataKey: Uint8Array, messageId: Uint8Array) {
    this.#messageId = messageId
    this.#key = new Uint8Array(hkdfSync(HASH, dataKey, messageId, DERIVE_INFO, KEY_BYTES))
    this.commitment = new Uint8Array(
      hkdfSync(HASH, dataKey, messageId, COMMIT_INFO, COMMITMENT_BYTES),
    )
  }

  /** Takes a data key over: it is overwritten with zeros, whatever comes of it. */
  static take(dataKey: unknown, messageId: Uint8Array): ContentKey {
    if (!(dataKey instanceof Uint8Array)) throw noDataKey('something else than a Uint8Array')
    try {
      if (dataKey.length !== DATA_KEY_BYTES) throw noDataKey(`${dataKey.length} bytes`)
      return new ContentKey(dataKey, messageId)
    } finally {
      dataKey.fill(0)
    }
  }

  commitsTo(commitment: Uint8Array): boolean {
    return timingSafeEqual(commitment, this.commitment)
  }

  /** The tag over a header body. Its initialization vector is zero; frames count from one. */
  headerTag(body: Uint8Array): Uint8Array {
    return this.#seal(new Uint8Array(IV_BYTES), body, new Uint8Array(0)).tag
  }

  checkHeader(body: Uint8Array, tag: Uint8Array): void {
    this.#open(new Uint8Array(IV_BYTES), body, new Uint8Array(0), tag, 'header')
  }

  /** A whole frame: number, initialization vector, content, tag; a final one has its mark and length too. */
  sealFrame(place: FramePlace, plaintext: Uint8Array): Uint8Array {
    const { sequenceNumber, final } = place
    const prefix = Buffer.alloc(final ? 8 + IV_BYTES + 4 : 4 + IV_BYTES)
    if (final) prefix.writeUInt32BE(0xffff_ffff, 0)
    const numberAt = final ? 4 : 0
    prefix.writeUInt32BE(sequenceNumber, numberAt)
    const iv = prefix.subarray(numberAt + 4, numberAt + 4 + IV_BYTES)
    iv.writeUInt32BE(sequenceNumber, IV_BYTES - 4)
    if (final) prefix.writeUInt32BE(plaintext.length, prefix.length - 4)
    const { content, tag } = this.#seal(iv, this.#frameAad(place, plaintext.length), plaintext)
    return Buffer.concat([prefix, content, tag])
  }

  /** The plaintext of a frame. */
  openFrame(place: FramePlace, iv: Uint8Array, content: Uint8Array, tag: Uint8Array): Uint8Array {
    const what = place.final ? 'final frame' : `frame ${place.sequenceNumber}`
    return this.#open(iv, this.#frameAad(place, content.length), content, tag, what)
  }

  destroy(): void {
    this.#key.fill(0)
  }

  #frameAad({ sequenceNumber, final }: FramePlace, length: number): Uint8Array {
    const numbers = Buffer.alloc(12)
    numbers.writeUInt32BE(sequenceNumber, 0)
    numbers.writeBigUInt64BE(BigInt(length), 4)
    return Buffer.concat([this.#messageId, final ? FINAL_FRAME : FRAME, numbers])
  }

  #seal(
    iv: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
  ): { content: Uint8Array; tag: Uint8Array } {
    const cipher = createCipheriv(ALGORITHM, this.#key, iv, { authTagLength: TAG_BYTES })
    cipher.setAAD(aad)
    const content = cipher.update(plaintext)
    cipher.final()
    return { content, tag: cipher.getAuthTag() }
  }

  #open(
    iv: Uint8Array,
    aad: Uint8Array,
    content: Uint8Array,
    tag: Uint8Array,
    what: string,
  ): Uint8Array {
    const decipher = createDecipheriv(ALGORITHM, this.#key, iv, { authTagLength: TAG_BYTES })
    decipher.setAuthTag(tag)
    decipher.setAAD(aad)
    const plaintext = decipher.update(content)
    try {
      decipher.final()
    } catch {
      plaintext.fill(0)
      throw new KmsError(
        'ERR_KMS_ENVELOPE_AUTHENTICATION',
        `envelope: its ${what} is not what was sealed under this data key, or not in this place`,
      )
    }
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength)
  }
}

function noDataKey(seen: string): KmsError {
  return new KmsError(
    'ERR_KMS_ENVELOPE_KEY',
    `envelope: expected a data key of ${DATA_KEY_BYTES} bytes (KeySpec AES_256) as plaintext, found ${seen}`,
  )
}
