import { expect } from 'vitest'
import { KmsError, type KmsErrorCode } from '../src/error.ts'
import { readFrame } from '../src/envelope/frame.ts'
import {
  encodeHeader,
  readHeader,
  type EnvelopeHeader,
  type ReadHeader,
} from '../src/envelope/header.ts'
import { openEnvelope, type OpenEnvelopeOptions } from '../src/envelope/open.ts'
import { BytesInHand } from '../src/envelope/reading.ts'
import { sealedEnvelope, type SealedEnvelopeOptions } from '../src/envelope/seal.ts'
import { DataKeys } from './envelope-kms.ts'

export const kms: DataKeys = new DataKeys()
export const context: { purpose: string; user: string; version: string } = {
  purpose: 'wallet seed',
  user: '4711',
  version: '8',
}
export const PLAINTEXT: Buffer = Buffer.from(
  'sixteen bytes ok and some more of them, up to three frames',
)
export const FRAME = 16

export const seal = (options: Partial<SealedEnvelopeOptions> = {}): Promise<Uint8Array> =>
  sealedEnvelope({
    generateDataKey: kms.generateDataKey,
    context,
    plaintext: PLAINTEXT,
    frameLength: FRAME,
    ...options,
  })
export const open = (
  envelope: Uint8Array,
  options: Partial<OpenEnvelopeOptions> = {},
): Promise<Uint8Array> => openEnvelope({ decrypt: kms.decrypt, context, envelope, ...options })

export async function refusal(promise: Promise<unknown>): Promise<KmsErrorCode> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(KmsError)
  return (outcome as KmsError).code
}

/** An envelope taken apart. */
export interface Parts {
  header: ReadHeader
  /** Each whole, with number and tag. */
  frames: Uint8Array[]
}

export function take(envelope: Uint8Array): Parts {
  const bytes = new BytesInHand(envelope)
  const header = bytes.read(readHeader(1_048_576))
  const frames: Uint8Array[] = []
  let offset = header.body.length + header.tag.length
  for (let number = 1, done = false; !done; number++) {
    const frame = bytes.read(readFrame(number, header.frameLength))
    const length = (frame.final ? 24 : 16) + frame.content.length + 16
    frames.push(envelope.slice(offset, offset + length))
    offset += length
    done = frame.final
  }
  return { header, frames }
}

export function put({ header, frames }: Parts, changes: Partial<EnvelopeHeader> = {}): Uint8Array {
  return new Uint8Array(
    Buffer.concat([encodeHeader({ ...header, ...changes }), header.tag, ...frames]),
  )
}
