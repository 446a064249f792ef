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

/** Big-endian; the four bytes are there. */
export function readU32(bytes: Uint8Array, offset: number): number {
  const low = (bytes[offset + 1] as number) * 0x10000 + (bytes[offset + 2] as number) * 0x100
  return (bytes[offset] as number) * 0x1000000 + low + (bytes[offset + 3] as number)
}

/** Reads the numbers and byte arrays of p11-kit's RPC, big-endian. Every length is checked before anything is made. */
export class RpcReader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
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
    return this.#bytes[this.#take(1)] as number
  }

  u32(): number {
    return readU32(this.#bytes, this.#take(4))
  }

  /** CK_ULONG. What JavaScript cannot hold exactly is no number of this token's, and reads as CK_UNAVAILABLE. */
  u64(): number {
    const offset = this.#take(8)
    const high = readU32(this.#bytes, offset)
    if (high > 0x1fffff) return CK_UNAVAILABLE
    return high * 0x1_0000_0000 + readU32(this.#bytes, offset + 4)
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

  /** Whether a byte array comes that is this text of ASCII, as a call's signature is. */
  isText(text: string): boolean {
    const length = this.u32()
    if (length === NULL_LENGTH) return false
    const offset = this.#take(length)
    if (length !== text.length) return false
    for (let index = 0; index < length; index++) {
      if (this.#bytes[offset + index] !== text.charCodeAt(index)) return false
    }
    return true
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
