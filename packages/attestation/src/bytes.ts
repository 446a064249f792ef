/** Whether two byte strings are equal, in a time that depends on their length alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let index = 0; index < a.length; index++) {
    difference |= (a[index] as number) ^ (b[index] as number)
  }
  return difference === 0
}

/** Whether every byte is zero. */
export function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false
  return true
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0')
  return hex
}

/** The bytes of an even number of hex digits; undefined for anything else. */
export function fromHex(hex: string): Uint8Array | undefined {
  if (!/^(?:[0-9a-f]{2})*$/i.test(hex)) return undefined
  const bytes = new Uint8Array(hex.length / 2)
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16)
  }
  return bytes
}

/**
 * A private copy of the caller's bytes: what is verified cannot change afterwards.
 *
 * @throws {TypeError} naming `what` when it is no Uint8Array, or its buffer was transferred.
 */
export function copyBytes(bytes: Uint8Array, what: string): Uint8Array {
  try {
    if (bytes instanceof Uint8Array) return new Uint8Array(bytes)
  } catch {
    // Its buffer was transferred, and is refused as what is no array.
  }
  throw new TypeError(`${what} must be a Uint8Array, not detached`)
}
