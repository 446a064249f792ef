import { readU32, RpcSyntaxError } from './rpc-reader.ts'
import { RpcWriter } from './rpc-writer.ts'

/** Header, options and body of one frame together. */
export const MAX_FRAME: number = 64 * 1024
const HEADER = 12
/** Chunks that are held apart. A chunk of one byte takes a hundred of memory. */
const MAX_CHUNKS = 32

/** One message of either side. The code of an answer is that of its call. */
export interface RpcFrame {
  readonly code: number
  readonly body: Uint8Array
}

/** Cuts a byte stream into frames. Holds at most one frame and one chunk. */
export class RpcFrameReader {
  #chunks: Uint8Array[] = []
  #held = 0
  #wanted = HEADER

  /** Whether a frame has begun that has not ended. */
  get waiting(): boolean {
    return this.#held > 0
  }

  get held(): number {
    return this.#held
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#held += chunk.length
    if (this.#chunks.length > MAX_CHUNKS) this.#joined()
  }

  /** One byte, before the frames: the version. */
  shiftByte(): number | undefined {
    const first = this.#chunks[0]
    if (first === undefined) return undefined
    if (first.length === 1) this.#chunks.shift()
    else this.#chunks[0] = first.subarray(1)
    this.#held--
    return first[0]
  }

  /** @throws {RpcSyntaxError} when the frame is too long or has no code: nothing after it can be read. */
  shift(): RpcFrame | undefined {
    if (this.#held < this.#wanted) return undefined
    const bytes = this.#joined()
    const code = readU32(bytes, 0)
    const options = readU32(bytes, 4)
    const body = readU32(bytes, 8)
    if (code === 0) throw new RpcSyntaxError('a frame without a code')
    const total = HEADER + options + body
    if (total > MAX_FRAME)
      throw new RpcSyntaxError(`a frame of ${total} bytes, at most ${MAX_FRAME}`)
    if (bytes.length < total) {
      this.#wanted = total
      return undefined
    }
    this.#wanted = HEADER
    this.#chunks = bytes.length === total ? [] : [bytes.subarray(total)]
    this.#held = bytes.length - total
    return { code, body: bytes.subarray(HEADER + options, total) }
  }

  #joined(): Uint8Array {
    const [first] = this.#chunks
    if (this.#chunks.length === 1 && first !== undefined) return first
    const bytes = new Uint8Array(this.#held)
    let offset = 0
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset)
      offset += chunk.length
    }
    this.#chunks = [bytes]
    return bytes
  }
}

/** Begins a frame: the call and its signature are written, the arguments follow. Both texts are ASCII. */
export function beginFrame(
  code: number,
  options: string,
  call: number,
  signature: string,
): RpcWriter {
  const writer = new RpcWriter().u32(code).u32(options.length).u32(0).ascii(options)
  return writer.u32(call).u32(signature.length).ascii(signature)
}

/** Ends it: the length of the body is known now. */
export function endFrame(writer: RpcWriter, options = 0): Uint8Array {
  return writer.patch(8, writer.length - HEADER - options).finish()
}
