import { KmsError } from '../error.ts'
import { decodeContext, encodeContext, lengthFirst, uint16 } from './context.ts'
import type { Reading } from './reading.ts'

/** AES-256-GCM, HKDF with SHA-512, key commitment, no signature. */
export const ALGORITHM_SUITE_ID = 0x0478
export const MESSAGE_ID_BYTES = 32
export const COMMITMENT_BYTES = 32
export const TAG_BYTES = 16
export const KMS_PROVIDER_ID = 'aws-kms'
const VERSION = 2
const FRAMED = 2
/** Far above what one or a few KMS keys need. */
const HEADER_MAX_BYTES = 65_536
const ENCRYPTED_DATA_KEYS_MAX = 16

export interface EncryptedDataKey {
  readonly providerId: string
  /** The key's ARN, where the provider is KMS. */
  readonly providerInformation: string
  readonly ciphertextBlob: Uint8Array
}

export interface EnvelopeHeader {
  readonly messageId: Uint8Array
  readonly context: ReadonlyMap<string, string>
  readonly encryptedDataKeys: readonly EncryptedDataKey[]
  readonly frameLength: number
  readonly commitment: Uint8Array
}

/** The header body; its authentication tag follows it in the message. */
export function encodeHeader(header: EnvelopeHeader): Uint8Array {
  const context = encodeContext(header.context)
  const frameLength = new Uint8Array(4)
  new DataView(frameLength.buffer).setUint32(0, header.frameLength)
  return Buffer.concat([
    Uint8Array.of(VERSION),
    uint16(ALGORITHM_SUITE_ID),
    header.messageId,
    ...lengthFirst(context),
    uint16(header.encryptedDataKeys.length),
    ...header.encryptedDataKeys.flatMap((one) => [
      ...lengthFirst(Buffer.from(one.providerId)),
      ...lengthFirst(Buffer.from(one.providerInformation)),
      ...lengthFirst(one.ciphertextBlob),
    ]),
    Uint8Array.of(FRAMED),
    frameLength,
    header.commitment,
  ])
}

/** A header, and the bytes that its tag covers. */
export interface ReadHeader extends EnvelopeHeader {
  readonly body: Uint8Array
  readonly tag: Uint8Array
}

/** Reads a header. Nothing of it is authentic until its tag is checked under the data key. */
export function* readHeader(maxFrameLength: number): Reading<ReadHeader> {
  const parts: Uint8Array[] = []
  let total = 0
  const bytes = function* (length: number): Reading<Uint8Array> {
    total += length
    if (total > HEADER_MAX_BYTES) {
      throw malformed(`a header of at most ${HEADER_MAX_BYTES} bytes`, 'a longer one')
    }
    const part = yield length
    parts.push(part)
    return part
  }
  const number = function* (length: 1 | 2 | 4): Reading<number> {
    return (yield* bytes(length)).reduce((value, octet) => value * 0x100 + octet, 0)
  }
  const counted = function* (): Reading<Uint8Array> {
    return yield* bytes(yield* number(2))
  }
  const version = yield* number(1)
  if (version !== VERSION) throw malformed(`message format version ${VERSION}`, `${version}`)
  const suite = yield* number(2)
  if (suite !== ALGORITHM_SUITE_ID) {
    throw malformed(
      'algorithm suite 0x0478 (AES-256-GCM, HKDF, key commitment, no signature)',
      `0x${suite.toString(16).padStart(4, '0')}`,
    )
  }
  const messageId = yield* bytes(MESSAGE_ID_BYTES)
  const context = decodeContext(yield* counted())
  const count = yield* number(2)
  if (count === 0 || count > ENCRYPTED_DATA_KEYS_MAX) {
    throw malformed(`1 to ${ENCRYPTED_DATA_KEYS_MAX} encrypted data keys`, `${count}`)
  }
  const encryptedDataKeys: EncryptedDataKey[] = []
  for (let index = 0; index < count; index++) {
    encryptedDataKeys.push({
      providerId: text(yield* counted()),
      providerInformation: text(yield* counted()),
      ciphertextBlob: yield* counted(),
    })
  }
  const contentType = yield* number(1)
  if (contentType !== FRAMED) throw malformed('framed content (2)', `content type ${contentType}`)
  const frameLength = yield* number(4)
  if (frameLength === 0 || frameLength > maxFrameLength) {
    throw malformed(`frames of 1 to ${maxFrameLength} bytes`, `${frameLength}`)
  }
  const commitment = yield* bytes(COMMITMENT_BYTES)
  const body = Buffer.concat(parts)
  const tag = yield TAG_BYTES
  return { messageId, context, encryptedDataKeys, frameLength, commitment, body, tag }
}

/** What names a provider and its key may be bytes of another provider's: only KMS's are compared, and those are ASCII. */
function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function malformed(expected: string, seen: string): KmsError {
  return new KmsError('ERR_KMS_ENVELOPE_FORMAT', `envelope: expected ${expected}, found ${seen}`)
}
