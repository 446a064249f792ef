import { createHash } from 'node:crypto'
import { ContentKey } from '../../packages/kms-enclave/src/envelope/content-key.ts'
import { copyContext } from '../../packages/kms-enclave/src/envelope/context.ts'
import { readFrame } from '../../packages/kms-enclave/src/envelope/frame.ts'
import { encodeHeader, readHeader } from '../../packages/kms-enclave/src/envelope/header.ts'
import { openEnvelope, openEnvelopeStream } from '../../packages/kms-enclave/src/envelope/open.ts'
import { BytesInHand } from '../../packages/kms-enclave/src/envelope/reading.ts'
import { sealedEnvelope } from '../../packages/kms-enclave/src/envelope/seal.ts'
import { KmsError } from '../../packages/kms-enclave/src/error.ts'
import { LawBroken, type FuzzTarget } from '../target.ts'

const KEY_ID = 'arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const DATA_KEY = createHash('sha256').update('data key').digest()
const CONTEXT = { purpose: 'fuzz' }
const FRAME_LENGTH_MAX = 1_048_576
/** Envelopes that were sealed, which alone may open as they are. */
const sealed = new Set<string>()

/** What came of opening: the plaintext, or the code of the refusal. */
type Outcome = Buffer | string

interface Envelope {
  readonly bytes: Uint8Array
  readonly context: Readonly<Record<string, string>>
}

const unwrap = {
  decrypt: () => Promise.resolve({ Plaintext: new Uint8Array(DATA_KEY), KeyId: KEY_ID }),
}

function refusal(error: unknown): string {
  if (!(error instanceof KmsError && error.code.startsWith('ERR_KMS_ENVELOPE_'))) throw error
  if (!/^[ -~]*$/.test(error.message)) throw new LawBroken('a message shows other characters')
  return error.code
}

async function openWhole({ bytes: envelope, context }: Envelope): Promise<Outcome> {
  try {
    return Buffer.from(await openEnvelope({ ...unwrap, context, envelope }))
  } catch (error) {
    return refusal(error)
  }
}

/** In pieces, each in the same buffer as the one before: what is kept must be a copy. */
async function openPieces({ bytes, context }: Envelope, size: number): Promise<Outcome> {
  async function* envelope(): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(size)
    for (let offset = 0; offset < bytes.length; offset += size) {
      const piece = bytes.subarray(offset, offset + size)
      buffer.set(piece)
      yield buffer.subarray(0, piece.length)
      buffer.fill(0xff)
    }
  }
  const plaintext: Uint8Array[] = []
  try {
    for await (const piece of openEnvelopeStream({ ...unwrap, context, envelope: envelope() })) {
      if (piece.length === 0) throw new LawBroken('an empty piece of plaintext')
      plaintext.push(piece)
    }
    return Buffer.concat(plaintext)
  } catch (error) {
    return refusal(error)
  }
}

/** The context that an envelope names, where one can be asked for. */
function contextOf(bytes: Uint8Array): Envelope['context'] {
  try {
    const { context } = new BytesInHand(bytes).read(readHeader(FRAME_LENGTH_MAX))
    return Object.fromEntries(copyContext(Object.fromEntries(context)))
  } catch {
    return CONTEXT
  }
}

/**
 * The same envelope with commitment and tags as they must be, and the contents of its frames as what they hold: what lies behind
 * authentication is reached that way. Undefined where it does not have the form of one.
 */
function repair(bytes: Uint8Array): { bytes: Uint8Array; plaintext: Buffer } | undefined {
  const source = new BytesInHand(bytes)
  try {
    const header = source.read(readHeader(FRAME_LENGTH_MAX))
    const key = ContentKey.take(new Uint8Array(DATA_KEY), new Uint8Array(header.messageId))
    const body = encodeHeader({ ...header, commitment: key.commitment })
    const parts = [body, key.headerTag(body)]
    const plaintext: Uint8Array[] = []
    for (let sequenceNumber = 1, final = false; !final; sequenceNumber++) {
      const frame = source.read(readFrame(sequenceNumber, header.frameLength))
      final = frame.final
      parts.push(key.sealFrame({ sequenceNumber, final }, frame.content))
      plaintext.push(frame.content)
    }
    source.end()
    return { bytes: Buffer.concat(parts), plaintext: Buffer.concat(plaintext) }
  } catch (error) {
    refusal(error)
    return undefined
  }
}

async function openBothWays(envelope: Envelope, size: number): Promise<Outcome> {
  const whole = await openWhole(envelope)
  const pieces = await openPieces(envelope, size)
  if (Buffer.compare(Buffer.from(whole), Buffer.from(pieces)) !== 0) {
    throw new LawBroken('whole and in pieces do not come to the same')
  }
  return whole
}

const nameOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Two bytes for the size of the pieces, two for a bit that is changed; the rest is the envelope. */
async function run(input: Uint8Array): Promise<void> {
  if (input.length < 4) return
  const view = new DataView(input.buffer, input.byteOffset, 4)
  const size = 1 + view.getUint16(0)
  const bytes = input.subarray(4)
  const context = contextOf(bytes)
  const outcome = await openBothWays({ bytes, context }, size)
  if (typeof outcome !== 'string' && !sealed.has(nameOf(bytes))) {
    throw new LawBroken('an envelope opens that nobody sealed')
  }
  const repaired = repair(bytes)
  if (repaired === undefined) return
  const { bytes: genuine, plaintext } = repaired
  const opened = await openBothWays({ bytes: genuine, context: contextOf(genuine) }, size)
  if (typeof opened === 'string') {
    // Several data keys, or none of KMS's; a context that nobody can ask for.
    if (opened === 'ERR_KMS_ENVELOPE_KEY' || opened === 'ERR_KMS_ENVELOPE_CONTEXT') return
    throw new LawBroken(`a sealed envelope does not open: ${opened}`)
  }
  if (opened.compare(plaintext) !== 0) throw new LawBroken('another plaintext')
  const changed = new Uint8Array(genuine)
  const bit = (view.getUint16(2) * 8191) % (changed.length * 8)
  changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
  const after = await openBothWays({ bytes: changed, context: contextOf(genuine) }, size)
  if (typeof after !== 'string') throw new LawBroken(`it opens with bit ${bit} changed`)
}

export const target: FuzzTarget = {
  format: undefined,
  maxLength: 4096,
  dictionary: ['020478', '0007', 'ffffffff', '00000001', '00000002', '0200000010', '0001', '0000']
    .map((hex) => new Uint8Array(Buffer.from(hex, 'hex')))
    .concat([Buffer.from('aws-kms'), Buffer.from(KEY_ID), Buffer.from('aws-crypto-public-key')]),
  async seeds() {
    const seeds: Uint8Array[] = []
    const lengths = [
      [0, 16, 1],
      [15, 16, 3],
      [16, 16, 64],
      [49, 16, 7],
      [300, 100, 4096],
      [40, 1_048_576, 100],
    ] as const
    for (const [length, frameLength, size] of lengths) {
      const envelope = await sealedEnvelope({
        generateDataKey: () =>
          Promise.resolve({
            Plaintext: new Uint8Array(DATA_KEY),
            CiphertextBlob: new Uint8Array(64).fill(length),
            KeyId: KEY_ID,
          }),
        context: { ...CONTEXT, length: `${length} é` },
        plaintext: new Uint8Array(length).fill(length),
        frameLength,
      })
      sealed.add(nameOf(envelope))
      seeds.push(Buffer.concat([Uint8Array.of(0, size - 1, 0, length), envelope]))
    }
    return seeds
  },
  run,
}
