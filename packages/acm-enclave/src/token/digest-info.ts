import { DIGEST_LENGTHS, type HashName } from './signing-key.ts'

/** RFC 8017 §9.2, note 1: what precedes the digest, NULL parameters included. */
const PREFIXES: Readonly<Record<HashName, Uint8Array>> = {
  sha256: prefix(0x01, 32),
  sha384: prefix(0x02, 48),
  sha512: prefix(0x03, 64),
}

function prefix(hash: number, length: number): Uint8Array {
  const oid = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash]
  return Uint8Array.of(0x30, 17 + length, 0x30, 13, ...oid, 0x05, 0, 0x04, length)
}

/** A DigestInfo that was read. `digest` is a view. */
export interface DigestInfo {
  readonly hash: HashName
  readonly digest: Uint8Array
}

/**
 * Reads a DigestInfo of SHA-256, SHA-384 or SHA-512, in the one form that RFC 8017 gives it.
 *
 * @returns undefined for everything else: a key that signed other bytes would be of use beyond TLS.
 */
export function readDigestInfo(bytes: Uint8Array): DigestInfo | undefined {
  for (const [hash, start] of Object.entries(PREFIXES) as [HashName, Uint8Array][]) {
    if (bytes.length !== start.length + DIGEST_LENGTHS[hash]) continue
    if (start.every((byte, index) => bytes[index] === byte)) {
      return { hash, digest: bytes.subarray(start.length) }
    }
  }
  return undefined
}

/** The same bytes again. */
export function writeDigestInfo({ hash, digest }: DigestInfo): Uint8Array {
  return Uint8Array.of(...PREFIXES[hash], ...digest)
}
