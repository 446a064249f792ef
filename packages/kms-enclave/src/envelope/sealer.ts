import { randomBytes } from 'node:crypto'
import type { EncryptionContext } from '../encryption-context.ts'
import { KmsError } from '../error.ts'
import { ContentKey } from './content-key.ts'
import { FRAMES_MAX } from './frame.ts'
import { encodeHeader, KMS_PROVIDER_ID, MESSAGE_ID_BYTES, type EnvelopeHeader } from './header.ts'

const CIPHERTEXT_BLOB_MAX_BYTES = 6144
/** Printable ASCII, at most as long as KMS takes. */
const KEY_ID = /^[\x21-\x7e]{1,2048}$/

/** Makes a data key: `generateDataKey` of a client, attested. `Plaintext` is overwritten with zeros after use. */
export type GenerateDataKey = (input: {
  readonly KeySpec: 'AES_256'
  readonly EncryptionContext: EncryptionContext
}) => Promise<{
  /** 32 bytes. */
  readonly Plaintext: Uint8Array
  readonly CiphertextBlob: Uint8Array
  /** The key's full ARN. */
  readonly KeyId: string
}>

/** Options, checked and copied. */
export interface SealSettings {
  readonly generateDataKey: GenerateDataKey
  readonly context: ReadonlyMap<string, string>
  readonly frameLength: number
}

/** Cuts data into frames. The last bytes are held back, because the final frame has another form. */
export class EnvelopeSealer {
  /** Header and its tag. */
  readonly header: Uint8Array
  readonly #key: ContentKey
  readonly #held: Uint8Array
  #heldLength = 0
  #sequenceNumber = 0

  private constructor(key: ContentKey, header: EnvelopeHeader) {
    const body = encodeHeader(header)
    this.header = join([body, key.headerTag(body)])
    this.#key = key
    this.#held = new Uint8Array(header.frameLength)
  }

  /** @param messageId - 32 bytes that no other envelope under this data key has; random unless a test compares messages */
  static async begin(
    settings: SealSettings,
    messageId: Uint8Array = new Uint8Array(randomBytes(MESSAGE_ID_BYTES)),
  ): Promise<EnvelopeSealer> {
    const { generateDataKey, context, frameLength } = settings
    const EncryptionContext = Object.fromEntries(context)
    const dataKey = await generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
    const { Plaintext, CiphertextBlob, KeyId } = dataKey
    const key = ContentKey.take(Plaintext, messageId)
    if (!wrapped(CiphertextBlob) || typeof KeyId !== 'string' || !KEY_ID.test(KeyId)) {
      key.destroy()
      throw new KmsError(
        'ERR_KMS_ENVELOPE_KEY',
        `generateDataKey must give a CiphertextBlob of 1 to ${CIPHERTEXT_BLOB_MAX_BYTES} bytes and the KeyId that KMS names`,
      )
    }
    const encryptedDataKey = {
      providerId: KMS_PROVIDER_ID,
      providerInformation: KeyId,
      ciphertextBlob: new Uint8Array(CiphertextBlob),
    }
    return new EnvelopeSealer(key, {
      messageId,
      context,
      encryptedDataKeys: [encryptedDataKey],
      frameLength,
      commitment: key.commitment,
    })
  }

  update(piece: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (let offset = 0; offset < piece.length;) {
      if (this.#heldLength === this.#held.length) frames.push(this.#seal(false))
      const part = piece.subarray(offset, offset + this.#held.length - this.#heldLength)
      this.#held.set(part, this.#heldLength)
      this.#heldLength += part.length
      offset += part.length
    }
    return frames
  }

  final(): Uint8Array {
    return this.#seal(true)
  }

  destroy(): void {
    this.#held.fill(0)
    this.#key.destroy()
  }

  #seal(final: boolean): Uint8Array {
    const sequenceNumber = ++this.#sequenceNumber
    if (sequenceNumber > FRAMES_MAX) {
      throw new RangeError(`plaintext must fit ${FRAMES_MAX} frames; take a larger frameLength`)
    }
    const plaintext = this.#held.subarray(0, this.#heldLength)
    this.#heldLength = 0
    return this.#key.sealFrame({ sequenceNumber, final }, plaintext)
  }
}

function wrapped(ciphertextBlob: unknown): boolean {
  if (!(ciphertextBlob instanceof Uint8Array)) return false
  return ciphertextBlob.length > 0 && ciphertextBlob.length <= CIPHERTEXT_BLOB_MAX_BYTES
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}
