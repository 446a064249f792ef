import { CK_UNAVAILABLE } from './cryptoki.ts'
import { NULL_LENGTH } from './rpc-reader.ts'

const FIRST_SIZE = 256
/** Bytes of one message: what a client asks for many times over is not told. */
const MAX_SIZE = 64 * 1024

/** Writes the numbers and byte arrays of p11-kit's RPC, big-endian. */
export class RpcWriter {
  // Of Node's pool, whose memory holds other bytes: what is not written is not given away.
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_SIZE)
  #length = 0

  get length(): number {
    return this.#length
  }

  #grow(count: number): number {
    const offset = this.#length
    if (offset + count > MAX_SIZE) throw new RangeError(`a message of more than ${MAX_SIZE} bytes`)
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const bytes = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
      bytes.set(this.#bytes.subarray(0, offset))
      this.#bytes = bytes
    }
    return offset
  }

  u8(value: number): this {
    const offset = this.#grow(1)
    this.#bytes[offset] = value
    return this
  }

  u32(value: number): this {
    const offset = this.#grow(4)
    this.#bytes.writeUInt32BE(value >>> 0, offset)
    return this
  }

  /** CK_ULONG; CK_UNAVAILABLE is all ones. */
  u64(value: number): this {
    const offset = this.#grow(8)
    const unavailable = value === CK_UNAVAILABLE
    const high = unavailable ? 0xffffffff : Math.floor(value / 0x1_0000_0000)
    this.#bytes.writeUInt32BE(high, offset)
    this.#bytes.writeUInt32BE(unavailable ? 0xffffffff : value % 0x1_0000_0000, offset + 4)
    return this
  }

  raw(bytes: Uint8Array): this {
    const offset = this.#grow(bytes.length)
    this.#bytes.set(bytes, offset)
    return this
  }

  /** Text of ASCII alone, a byte for each character. */
  ascii(text: string): this {
    const offset = this.#grow(text.length)
    for (let index = 0; index < text.length; index++) {
      this.#bytes[offset + index] = text.charCodeAt(index)
    }
    return this
  }

  byteArray(bytes: Uint8Array | undefined): this {
    return bytes === undefined ? this.u32(NULL_LENGTH) : this.u32(bytes.length).raw(bytes)
  }

  /** `s`: text of a fixed length, filled with spaces. */
  fixedText(text: string, length: number): this {
    const bytes = new Uint8Array(length).fill(0x20)
    bytes.set(new TextEncoder().encode(text).subarray(0, length))
    return this.byteArray(bytes)
  }

  /** `ay`: bytes. */
  present(bytes: Uint8Array): this {
    return this.u8(1).byteArray(bytes)
  }

  /** `ay` or `au` without the value: only how much there is. */
  absent(length: number): this {
    return this.u8(0).u32(length)
  }

  /** `v` */
  version(major: number, minor: number): this {
    return this.u8(major).u8(minor)
  }

  /** Overwrites a u32 that was written before. */
  patch(offset: number, value: number): this {
    this.#bytes.writeUInt32BE(value, offset)
    return this
  }

  /** A view, valid until the next write. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}
