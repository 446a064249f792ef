/** Just as much DER (X.690) as a certificate's extensions and a PKCS #10 request need. */
export interface Element {
  readonly tag: number
  readonly contents: Uint8Array
  /** What follows it. */
  readonly rest: Uint8Array
}

export const SEQUENCE = 0x30
export const OBJECT_IDENTIFIER = 0x06
export const OCTET_STRING = 0x04
export const INTEGER = 0x02

/** The first element of `bytes`; undefined where there is none that is whole, or its length is not written as DER writes it. */
export function readElement(bytes: Uint8Array): Element | undefined {
  const [tag, first] = bytes
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined
  const more = first < 0x80 ? 0 : first & 0x7f
  if (more > 3 || (first >= 0x80 && more === 0)) return undefined
  let length = first < 0x80 ? first : 0
  for (const octet of bytes.subarray(2, 2 + more)) length = length * 256 + octet
  const begin = 2 + more
  const isShortest = more === 0 || length >= (more === 1 ? 0x80 : 256 ** (more - 1))
  if (!isShortest || begin + length > bytes.length) return undefined
  return {
    tag,
    contents: bytes.subarray(begin, begin + length),
    rest: bytes.subarray(begin + length),
  }
}

/** The elements that `bytes` are; undefined where they are not whole elements to their end. */
export function readElements(bytes: Uint8Array): Element[] | undefined {
  const elements: Element[] = []
  for (let left = bytes; left.length > 0;) {
    const element = readElement(left)
    if (element === undefined) return undefined
    elements.push(element)
    left = element.rest
  }
  return elements
}

/** One element over the concatenation of `parts`. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const octets: number[] = []
  if (length < 0x80) octets.push(length)
  else {
    for (let left = length; left > 0; left = Math.floor(left / 256)) octets.unshift(left % 256)
    octets.unshift(0x80 | octets.length)
  }
  return Uint8Array.from(Buffer.concat([Uint8Array.of(tag, ...octets), ...parts]))
}

/** An object identifier whose encoding is given in hex. */
export function oid(hex: string): Uint8Array {
  return element(OBJECT_IDENTIFIER, Buffer.from(hex, 'hex'))
}
