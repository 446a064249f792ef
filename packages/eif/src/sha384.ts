import { toHex } from './bytes.ts'

/**
 * An incremental SHA-384, as `createHash('sha384')` of `node:crypto` is. `copy` forks the state; without it the bytes
 * that PCR0 and PCR1 share are hashed twice.
 */
export interface Sha384 {
  update(data: Uint8Array): unknown
  digest(): Uint8Array
  copy?(): Sha384
}

/** Begins a SHA-384. In Node: `() => createHash('sha384')`. */
export type CreateHash = () => Sha384

const EMPTY =
  '38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b'

/** @throws {TypeError} when it is no function that begins a SHA-384. */
export function checkCreateHash(createHash: CreateHash): CreateHash {
  if (typeof createHash !== 'function') throw new TypeError('createHash must be a function')
  if (toHex(createHash().digest()) !== EMPTY) {
    throw new TypeError('createHash must begin a SHA-384 that no bytes went into')
  }
  return createHash
}

/** SHA-384 of a few bytes. */
export function sha384(createHash: CreateHash, ...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash()
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** What a PCR holds after one extension from zero with a digest: SHA-384(48 zero bytes ‖ digest), as hex. */
export function extendZero(createHash: CreateHash, data: Uint8Array): string {
  return toHex(sha384(createHash, new Uint8Array(48), data))
}
