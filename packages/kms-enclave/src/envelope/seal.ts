import type { EncryptionContext } from '../encryption-context.ts'
import { ownMembers } from '../own-members.ts'
import { copyContext } from './context.ts'
import { EnvelopeSealer, join, type GenerateDataKey, type SealSettings } from './sealer.ts'

/** Sixteen times what the AWS Encryption SDKs take unless told otherwise; they open it, and sealing is three times as fast. */
const FRAME_LENGTH = 65_536
export const FRAME_LENGTH_MAX = 1_048_576

/** What both forms of sealing take. */
export interface SealOptions {
  readonly generateDataKey: GenerateDataKey
  /**
   * What the data is, whose, and which version, at least one pair. Opening demands exactly the same pairs, so a blob that the
   * parent moved to another place, or an older one that it brought back, does not open. Not secret.
   */
  readonly context: EncryptionContext
  /** Bytes in a frame, 1 to 1048576. Default 65536. */
  readonly frameLength?: number
}

export interface SealedEnvelopeOptions extends SealOptions {
  readonly plaintext: Uint8Array
}

export interface SealedEnvelopeStreamOptions extends SealOptions {
  /** Pieces of any size. */
  readonly plaintext: AsyncIterable<Uint8Array>
}

/**
 * Seals data under a fresh data key of KMS: AES-256-GCM in frames, with a commitment to the key, and `context` bound into both the
 * data key (KMS's encryption context) and the envelope. The result is a message of the AWS Encryption SDK (format version
 * 2, suite 0x0478), which its implementations open when given the same KMS key. A copy of `plaintext` is made, and overwritten.
 *
 * Throws {@link KmsError} `ERR_KMS_ENVELOPE_KEY` when `generateDataKey` gives no usable key, and what it throws itself.
 *
 * @example
 * ```ts
 * import { openEnvelope, sealedEnvelope, type KmsClient } from '@enclavejs/kms-enclave'
 *
 * declare const kms: KmsClient
 * const context = { purpose: 'wallet seed', user: '4711', version: '8' }
 * const plaintext = new TextEncoder().encode('correct horse battery staple')
 * const envelope = await sealedEnvelope({
 *   generateDataKey: (input) => kms.generateDataKey(input),
 *   context,
 *   plaintext,
 * })
 * // The parent keeps the envelope. That version 8 is the newest is what the enclave must know from elsewhere.
 * const seed = await openEnvelope({ decrypt: (input) => kms.decrypt(input), context, envelope })
 * ```
 */
export async function sealedEnvelope(options: SealedEnvelopeOptions): Promise<Uint8Array> {
  const { plaintext } = options
  const settings = readOptions(options)
  if (!(plaintext instanceof Uint8Array)) throw new TypeError('plaintext must be a Uint8Array')
  const copy = new Uint8Array(plaintext)
  let sealer: EnvelopeSealer | undefined
  try {
    sealer = await EnvelopeSealer.begin(settings)
    return join([sealer.header, ...sealer.update(copy), sealer.final()])
  } finally {
    sealer?.destroy()
    copy.fill(0)
  }
}

/**
 * The same for data that is too large to hold: gives the header, then the frames of each piece as it comes. No more than one piece and
 * one frame are held. The data key is asked for when the first result is.
 *
 * @example
 * ```ts
 * import { createReadStream, createWriteStream } from 'node:fs'
 * import { pipeline } from 'node:stream/promises'
 * import { sealedEnvelopeStream, type KmsClient } from '@enclavejs/kms-enclave'
 *
 * declare const kms: KmsClient
 * const sealed = sealedEnvelopeStream({
 *   generateDataKey: (input) => kms.generateDataKey(input),
 *   context: { purpose: 'backup', day: '2026-11-21' },
 *   plaintext: createReadStream('backup.tar'),
 * })
 * await pipeline(sealed, createWriteStream('backup.sealed'))
 * ```
 */
export function sealedEnvelopeStream(
  options: SealedEnvelopeStreamOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { plaintext } = options
  const settings = readOptions(options)
  if (typeof plaintext?.[Symbol.asyncIterator] !== 'function') {
    throw new TypeError('plaintext must be an async iterable of Uint8Arrays, as a stream is')
  }
  return sealPieces(settings, plaintext)
}

async function* sealPieces(
  settings: SealSettings,
  plaintext: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const sealer = await EnvelopeSealer.begin(settings)
  try {
    yield sealer.header
    for await (const piece of plaintext) {
      if (!(piece instanceof Uint8Array)) throw new TypeError('plaintext must give Uint8Arrays')
      const frames = sealer.update(piece)
      if (frames.length > 0) yield join(frames)
    }
    yield sealer.final()
  } finally {
    sealer.destroy()
  }
}

function readOptions(options: SealOptions): SealSettings {
  const { generateDataKey, context, frameLength = FRAME_LENGTH } = ownMembers(options)
  if (typeof generateDataKey !== 'function')
    throw new TypeError('generateDataKey must be a function')
  if (!Number.isInteger(frameLength) || frameLength < 1 || frameLength > FRAME_LENGTH_MAX) {
    throw new RangeError(`frameLength must be an integer from 1 to ${FRAME_LENGTH_MAX}`)
  }
  return { generateDataKey, context: copyContext(context), frameLength }
}
