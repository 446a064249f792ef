/** Thrown for bytes that are not strict DER, or not the structure asked for. `offset` is counted in the bytes given. */
export class DerError extends Error {
  readonly code = 'ERR_DER_MALFORMED'
  readonly offset: number

  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`)
    this.name = 'DerError'
    this.offset = offset
  }
}
