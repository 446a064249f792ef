/** Every code a {@link CborError} can carry. */
export type CborErrorCode =
  /** The bytes are not well-formed CBOR (RFC 8949 §5.3.1), cut short included. */
  | 'ERR_CBOR_MALFORMED'
  /** An integer or a length is not in its shortest form (RFC 8949 §4.1). */
  | 'ERR_CBOR_NOT_SHORTEST'
  /** An item of indefinite length stands where none is allowed. */
  | 'ERR_CBOR_INDEFINITE'
  /** A map has the same key twice (RFC 8949 §5.6). */
  | 'ERR_CBOR_DUPLICATE_KEY'
  /** A text string is not UTF-8. */
  | 'ERR_CBOR_UTF8'
  /** Items nest deeper than `maxDepth`. */
  | 'ERR_CBOR_DEPTH'
  /** Bytes follow the item. */
  | 'ERR_CBOR_TRAILING'
  /** Well-formed, and outside what this reader or writer takes: floats, tags that were not asked for, other map keys. */
  | 'ERR_CBOR_UNSUPPORTED'

/** Thrown by `decode` and `encode`. `offset` is the byte at which the item in question begins. */
export class CborError extends Error {
  readonly code: CborErrorCode
  readonly offset: number

  constructor(code: CborErrorCode, message: string, offset: number) {
    super(`${message} (at byte ${offset})`)
    this.name = 'CborError'
    this.code = code
    this.offset = offset
  }
}
