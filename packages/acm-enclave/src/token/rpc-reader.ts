import { CK_UNAVAILABLE } from './cryptoki.ts'

/** A message that is not what its protocol says: cut off, too long, a count out of bounds. Never leaves this package. */
export class RpcSyntaxError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RpcSyntaxError'
  }
}

/** NULL of a byte array, and of a buffer. */
export const NULL_LENGTH = 0xffffffff

/** Reads the numbers and byte arrays of p11-kit's RPC, big-endian. Every length is checked before anything is made. */
export class RpcReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  #take(length: number): number {
    if (length > this.remaining) throw new RpcSyntaxError(`${length} bytes expected, cut off`)
    const offset = this.#offset
    this.#offset += length
    return offset
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4))
  }

  /** CK_ULONG. What JavaScript cannot hold exactly is no number of this token's, and reads as CK_UNAVAILABLE. */
  u64(): number {
    const offset = this.#take(8)
    const high = this.#view.getUint32(offset)
    if (high > 0x1fffff) return CK_UNAVAILABLE
    return high * 0x1_0000_0000 + this.#view.getUint32(offset + 4)
  }

  /** A view of the next bytes: copied by whoever keeps it. */
  bytes(length: number): Uint8Array {
    const offset = this.#take(length)
    return this.#bytes.subarray(offset, offset + length)
  }

  /** u32 length and bytes; NULL is undefined. */
  byteArray(): Uint8Array | undefined {
    const length = this.u32()
    return length === NULL_LENGTH ? undefined : this.bytes(length)
  }

  /** `ay` of a request: bytes, or undefined for NULL, whose length alone is sent. */
  optionalBytes(): Uint8Array | undefined {
    if (this.flag()) return this.byteArray()
    this.u32()
    return undefined
  }

  /** A byte that is 0 or 1. */
  flag(): boolean {
    const value = this.u8()
    if (value > 1) throw new RpcSyntaxError(`0 or 1 expected, not ${value}`)
    return value === 1
  }

  /** A count of elements of at least `size` bytes each. */
  count(limit: number, size: number): number {
    const count = this.u32()
    if (count > limit) throw new RpcSyntaxError(`${count} elements, at most ${limit} are taken`)
    if (count * size > this.remaining)
      throw new RpcSyntaxError(`${count} elements expected, cut off`)
    return count
  }

  end(): void {
    if (this.remaining > 0) throw new RpcSyntaxError(`${this.remaining} bytes after the end`)
  }
}
