import { CK_UNAVAILABLE } from './cryptoki.ts'
import { NULL_LENGTH } from './rpc-reader.ts'

const FIRST_SIZE = 256

/** Writes the numbers and byte arrays of p11-kit's RPC, big-endian. */
export class RpcWriter {
  #bytes: Uint8Array = new Uint8Array(FIRST_SIZE)
  #view: DataView = new DataView(this.#bytes.buffer)
  #length = 0

  get length(): number {
    return this.#length
  }

  #grow(count: number): number {
    const offset = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2))
      bytes.set(this.#bytes)
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer)
    }
    return offset
  }

  u8(value: number): this {
    const offset = this.#grow(1)
    this.#view.setUint8(offset, value)
    return this
  }

  u32(value: number): this {
    const offset = this.#grow(4)
    this.#view.setUint32(offset, value)
    return this
  }

  /** CK_ULONG; CK_UNAVAILABLE is all ones. */
  u64(value: number): this {
    const offset = this.#grow(8)
    const unavailable = value === CK_UNAVAILABLE
    this.#view.setUint32(offset, unavailable ? 0xffffffff : Math.floor(value / 0x1_0000_0000))
    this.#view.setUint32(offset + 4, unavailable ? 0xffffffff : value % 0x1_0000_0000)
    return this
  }

  raw(bytes: Uint8Array): this {
    const offset = this.#grow(bytes.length)
    this.#bytes.set(bytes, offset)
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
    this.#view.setUint32(offset, value)
    return this
  }

  /** A view, valid until the next write. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}
