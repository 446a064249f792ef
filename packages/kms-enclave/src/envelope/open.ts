import type { EncryptionContext } from '../encryption-context.ts'
import { KmsError } from '../error.ts'
import { ownMembers } from '../own-members.ts'
import { ContentKey } from './content-key.ts'
import { copyContext, sameContext } from './context.ts'
import { FRAMES_MAX, readFrame, type Frame } from './frame.ts'
import { KMS_PROVIDER_ID, readHeader, type EncryptedDataKey, type ReadHeader } from './header.ts'
import { BytesInHand, BytesToCome } from './reading.ts'
import { FRAME_LENGTH_MAX } from './seal.ts'

/** Decrypts a data key: `decrypt` of a client, attested. `Plaintext` is overwritten with zeros after use. */
export type DecryptDataKey = (input: {
  readonly CiphertextBlob: Uint8Array
  readonly EncryptionContext: EncryptionContext
}) => Promise<{
  readonly Plaintext: Uint8Array
  /** The full ARN of the key that decrypted. */
  readonly KeyId: string
}>

/** What both forms of opening take. */
export interface OpenOptions {
  readonly decrypt: DecryptDataKey
  /** Exactly the pairs that the data was sealed with, from what the enclave knows: not from the envelope, not from the parent. */
  readonly context: EncryptionContext
  /**
   * The full ARN of the KMS key that must have wrapped the data key. Needed only where an envelope has several of KMS's, as the AWS
   * Encryption SDKs can make; otherwise `decrypt` answers for the key.
   */
  readonly keyId?: string
}

export interface OpenEnvelopeOptions extends OpenOptions {
  readonly envelope: Uint8Array
}

export interface OpenEnvelopeStreamOptions extends OpenOptions {
  /** Pieces of any size. */
  readonly envelope: AsyncIterable<Uint8Array>
}

/**
 * Opens what {@link sealedEnvelope} made, or an AWS Encryption SDK with one or more KMS keys, format version 2, suite 0x0478. Checks in this
 * order: form, context, data key from KMS, commitment to it, header, every frame, the end. Only then is there a plaintext.
 *
 * Proven is that someone who could use the KMS key sealed exactly this under exactly this context. Who that was, and that nothing
 * newer exists, is not: let the key policy allow `kms:GenerateDataKey` and `kms:Encrypt` to the enclave alone, and put a
 * version that the enclave knows otherwise into the context.
 *
 * Throws {@link KmsError}: `ERR_KMS_ENVELOPE_FORMAT`, `ERR_KMS_ENVELOPE_TRUNCATED`, `ERR_KMS_ENVELOPE_CONTEXT`,
 * `ERR_KMS_ENVELOPE_KEY`, `ERR_KMS_ENVELOPE_COMMITMENT`, `ERR_KMS_ENVELOPE_AUTHENTICATION`, and what `decrypt` throws.
 */
export async function openEnvelope(options: OpenEnvelopeOptions): Promise<Uint8Array> {
  const { envelope } = options
  const settings = readOptions(options)
  if (!(envelope instanceof Uint8Array)) throw new TypeError('envelope must be a Uint8Array')
  const bytes = new BytesInHand(new Uint8Array(envelope))
  const header = bytes.read(readHeader(FRAME_LENGTH_MAX))
  const opener = await EnvelopeOpener.begin(header, settings)
  const scratch = new Uint8Array(envelope.length)
  let length = 0
  try {
    while (!opener.finished) {
      const plaintext = opener.open(bytes.read(opener.nextFrame()))
      scratch.set(plaintext, length)
      length += plaintext.length
      plaintext.fill(0)
    }
    bytes.end()
    return scratch.slice(0, length)
  } finally {
    opener.destroy()
    scratch.fill(0)
  }
}

/**
 * The same for data that is too large to hold: gives each frame when it is authentic and in its place. An envelope that was cut shows
 * at its end, as `ERR_KMS_ENVELOPE_TRUNCATED`: what came before is genuine and not all. Do nothing that cannot be undone
 * before the last frame has come. Ending the iteration early ends that of `envelope` too.
 */
export function openEnvelopeStream(
  options: OpenEnvelopeStreamOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { envelope } = options
  const settings = readOptions(options)
  if (typeof envelope?.[Symbol.asyncIterator] !== 'function') {
    throw new TypeError('envelope must be an async iterable of Uint8Arrays, as a stream is')
  }
  return openPieces(settings, envelope)
}

async function* openPieces(
  settings: OpenSettings,
  envelope: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const bytes = new BytesToCome(envelope)
  let opener: EnvelopeOpener | undefined
  try {
    const header = await bytes.read(readHeader(FRAME_LENGTH_MAX))
    opener = await EnvelopeOpener.begin(header, settings)
    while (!opener.finished) {
      const plaintext = opener.open(await bytes.read(opener.nextFrame()))
      // The final frame is given only when it is known to be the end.
      if (opener.finished) await bytes.end()
      if (plaintext.length > 0) yield plaintext
    }
  } finally {
    opener?.destroy()
    await bytes.close()
  }
}

interface OpenSettings {
  readonly decrypt: DecryptDataKey
  readonly context: ReadonlyMap<string, string>
  readonly keyId: string | undefined
}

function readOptions(options: OpenOptions): OpenSettings {
  const { decrypt, context, keyId } = ownMembers(options)
  if (typeof decrypt !== 'function') throw new TypeError('decrypt must be a function')
  if (keyId !== undefined && typeof keyId !== 'string')
    throw new TypeError('keyId must be a string')
  return { decrypt, context: copyContext(context), keyId }
}

/** Opens frames in their order, once the header is known to be genuine. */
class EnvelopeOpener {
  readonly #key: ContentKey
  readonly #frameLength: number
  #sequenceNumber = 0
  #finished = false

  private constructor(key: ContentKey, frameLength: number) {
    this.#key = key
    this.#frameLength = frameLength
  }

  static async begin(header: ReadHeader, settings: OpenSettings): Promise<EnvelopeOpener> {
    const { decrypt, context, keyId } = settings
    if (!sameContext(header.context, context)) {
      throw new KmsError(
        'ERR_KMS_ENVELOPE_CONTEXT',
        'envelope: it was sealed with another context than the one given; it is other data, or another version of it',
      )
    }
    const wrapped = chooseKey(header.encryptedDataKeys, keyId)
    const EncryptionContext = Object.fromEntries(context)
    const CiphertextBlob = new Uint8Array(wrapped.ciphertextBlob)
    const { Plaintext, KeyId } = await decrypt({ CiphertextBlob, EncryptionContext })
    const key = ContentKey.take(Plaintext, header.messageId)
    try {
      if (KeyId !== wrapped.providerInformation) {
        throw new KmsError(
          'ERR_KMS_ENVELOPE_KEY',
          'envelope: its data key was decrypted by another KMS key than the one that it names',
        )
      }
      if (!key.commitsTo(header.commitment)) {
        throw new KmsError(
          'ERR_KMS_ENVELOPE_COMMITMENT',
          'envelope: it does not commit to the data key that came with it; one of the two was exchanged',
        )
      }
      key.checkHeader(header.body, header.tag)
    } catch (error) {
      key.destroy()
      throw error
    }
    return new EnvelopeOpener(key, header.frameLength)
  }

  get finished(): boolean {
    return this.#finished
  }

  nextFrame(): ReturnType<typeof readFrame> {
    return readFrame(this.#sequenceNumber + 1, this.#frameLength)
  }

  open(frame: Frame): Uint8Array {
    const { final, iv, content, tag } = frame
    const sequenceNumber = ++this.#sequenceNumber
    if (sequenceNumber > FRAMES_MAX) {
      throw new KmsError(
        'ERR_KMS_ENVELOPE_FORMAT',
        `envelope: it has more than ${FRAMES_MAX} frames`,
      )
    }
    const plaintext = this.#key.openFrame({ sequenceNumber, final }, iv, content, tag)
    this.#finished = final
    return plaintext
  }

  destroy(): void {
    this.#key.destroy()
  }
}

function chooseKey(keys: readonly EncryptedDataKey[], keyId: string | undefined): EncryptedDataKey {
  const candidates = keys.filter(
    ({ providerId, providerInformation }) =>
      providerId === KMS_PROVIDER_ID && (keyId === undefined || providerInformation === keyId),
  )
  const [chosen] = candidates
  if (chosen !== undefined && candidates.length === 1) return chosen
  throw new KmsError(
    'ERR_KMS_ENVELOPE_KEY',
    `envelope: expected one data key wrapped by ${keyId === undefined ? 'a KMS key' : 'the KMS key given as keyId'}, found ${candidates.length} among ${keys.length}${candidates.length > 1 && keyId === undefined ? '; name one by keyId' : ''}`,
  )
}
