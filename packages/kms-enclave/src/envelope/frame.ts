import { KmsError } from '../error.ts'
import { TAG_BYTES } from './header.ts'
import type { Reading } from './reading.ts'

/** Frames are numbered in 32 bits, and the highest number is the mark of the final one. */
export const FRAMES_MAX = 0xffff_fffe
const FINAL_MARK = 0xffff_ffff
const IV_BYTES = 12

export interface Frame {
  readonly final: boolean
  readonly iv: Uint8Array
  readonly content: Uint8Array
  readonly tag: Uint8Array
}

/** Reads the frame that must have this number. */
export function* readFrame(expected: number, frameLength: number): Reading<Frame> {
  let sequenceNumber = uint32(yield 4)
  const final = sequenceNumber === FINAL_MARK
  if (final) sequenceNumber = uint32(yield 4)
  if (sequenceNumber !== expected) {
    throw new KmsError(
      'ERR_KMS_ENVELOPE_FORMAT',
      `envelope: expected frame ${expected}, found ${sequenceNumber}; frames were left out, repeated or moved`,
    )
  }
  const iv = yield IV_BYTES
  const length = final ? uint32(yield 4) : frameLength
  if (length > frameLength) {
    throw new KmsError(
      'ERR_KMS_ENVELOPE_FORMAT',
      `envelope: expected a final frame of at most ${frameLength} bytes, found ${length}`,
    )
  }
  const content = yield length
  return { final, iv, content, tag: yield TAG_BYTES }
}

function uint32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
}
