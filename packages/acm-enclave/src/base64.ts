const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PAD = 0x3d
const VALUES = new Uint8Array(256).fill(255)
for (let value = 0; value < 64; value++) VALUES[ALPHABET.charCodeAt(value)] = value
const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0))

// From bytes to bytes: a private key must never become a text, which JavaScript cannot overwrite.

/**
 * Standard base64 with its padding (RFC 4648 §4), from ASCII to bytes; undefined where it is not exactly that. The caller owns
 * what is returned, and overwrites it where it is secret.
 */
export function decodeBase64(ascii: Uint8Array): Uint8Array | undefined {
  const { length } = ascii
  if (length % 4 !== 0) return undefined
  if (length === 0) return new Uint8Array()
  const padding = ascii[length - 2] === PAD ? 2 : ascii[length - 1] === PAD ? 1 : 0
  const bytes = new Uint8Array((length / 4) * 3 - padding)
  let bits = 0
  let count = 0
  let out = 0
  for (let index = 0; index < length - padding; index++) {
    const value = VALUES[ascii[index] as number] as number
    if (value === 255) return discard(bytes)
    bits = ((bits << 6) | value) & 0xffff
    count += 6
    if (count >= 8) {
      count -= 8
      bytes[out++] = (bits >> count) & 0xff
    }
  }
  // Bits that belong to no byte must be zero, so that there is one spelling alone.
  if ((bits & ((1 << count) - 1)) !== 0) return discard(bytes)
  return ascii[length - 1] === PAD && padding === 2 && ascii[length - 2] !== PAD
    ? discard(bytes)
    : bytes
}

/** The other way round, as ASCII. */
export function encodeBase64(bytes: Uint8Array): Uint8Array {
  const ascii = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(PAD)
  let out = 0
  for (let index = 0; index < bytes.length; index += 3) {
    const [first = 0, second = 0, third = 0] = bytes.subarray(index, index + 3)
    const left = bytes.length - index
    ascii[out++] = CODES[first >> 2] as number
    ascii[out++] = CODES[((first & 3) << 4) | (second >> 4)] as number
    if (left > 1) ascii[out] = CODES[((second & 15) << 2) | (third >> 6)] as number
    if (left > 2) ascii[out + 1] = CODES[third & 63] as number
    out += 2
  }
  return ascii
}

function discard(bytes: Uint8Array): undefined {
  bytes.fill(0)
  return undefined
}
